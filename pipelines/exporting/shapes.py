"""Rows of a training set in the columns that trainers read; whole columns at a time, texts untouched.

`prompt`, `completion`, `chosen` and `rejected` are lists of messages with exactly role and content. Every shape keeps
the row's `id`, so that a row of an export is found again in its snapshot.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.columns import flat_list, joined

Shape = Callable[[pa.Table], pa.Table]


def columns(**named: str) -> Shape:
    """Return the shape that has `id` and these columns, each taken from the named one: `label="ground_truth"`."""
    return lambda rows: pa.table({"id": rows["id"]} | {name: rows[source] for name, source in named.items()})


def messages(rows: pa.Table) -> pa.Table:
    """Return the whole conversation as `messages`."""
    return pa.table({"id": rows["id"], "messages": joined(rows["prompt"], rows["completion"])})


def marked_messages(key: str, on: bool | int, off: bool | int, answer: str = "completion") -> Shape:
    """Return the shape of `messages` whose messages say under a key whether they are trained on: only the last is."""

    def shape(rows: pa.Table) -> pa.Table:
        lists = joined(rows["prompt"], rows[answer])
        flat, ends = lists.values, lists.offsets.to_numpy()[1:] - 1
        is_last = pa.array(np.isin(np.arange(len(flat)), ends))
        marks = pc.if_else(is_last, pa.scalar(on), pa.scalar(off))
        marked = pa.StructArray.from_arrays(
            [flat.field("role"), flat.field("content"), marks], names=["role", "content", key]
        )
        return pa.table({"id": rows["id"], "messages": pa.ListArray.from_arrays(lists.offsets, marked)})

    return shape


def with_rejected_text(shape: Shape) -> Shape:
    """Return a shape of messages that end with the chosen answer, with the other one as `rejected_response`."""
    return lambda rows: shape(rows).append_column("rejected_response", last_texts(rows["rejected"]))


def chosen_and_rejected_messages(rows: pa.Table) -> pa.Table:
    """Return the prompt as `conversations`, and one message each as `chosen` and `rejected`."""
    sides = {side: pc.list_element(rows[side], 0) for side in ("chosen", "rejected")}
    return pa.table({"id": rows["id"], "conversations": rows["prompt"], **sides})


def ranked_completions(rows: pa.Table) -> pa.Table:
    """Return the prompt as `context`, and both answers as `completions`, the better one with rank 0."""
    count = rows.num_rows
    both = pa.concat_arrays([flat_list(rows["chosen"]), flat_list(rows["rejected"])])
    order = np.arange(2 * count).reshape(2, count).T.reshape(-1)
    ranks = pa.array(np.tile([0, 1], count), pa.int64())
    ranked = pa.StructArray.from_arrays([ranks, both.take(pa.array(order))], names=["rank", "completion"])
    offsets = pa.array(np.arange(count + 1) * 2, pa.int32())
    completions = pa.ListArray.from_arrays(offsets, ranked)
    return pa.table({"id": rows["id"], "context": rows["prompt"], "completions": completions})


def last_texts(column: pa.ChunkedArray) -> pa.Array:
    """Return the content of each row's last message."""
    lists = flat_list(column)
    return lists.flatten().field("content").take(pa.array(np.cumsum(pc.list_value_length(lists).to_numpy()) - 1))
