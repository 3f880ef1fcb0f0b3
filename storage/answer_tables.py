"""Tables of answers: cut into buckets, one row for each request, and without the thoughts in their texts."""

from collections.abc import Iterable, Iterator, Mapping

import polars as pl
import pyarrow as pa

from schemas.columns import may_hold_thoughts
from schemas.thoughts import split_thoughts, with_thoughts

FOLD_ROWS = 8_192
"""Rows of a journal that are sorted into buckets at a time."""


def by_bucket(batches: Iterable[pa.Table]) -> Mapping[int, pa.Table]:
    """Return the rows of each bucket; beside them, only some thousands of rows are held twice."""
    parts: dict[int, list[pa.Table]] = {}
    for rows in _joined(batches):
        query_ids = pl.Series(rows.column("query_id"), dtype=pl.String)
        buckets = query_ids.str.slice(0, 2).str.to_integer(base=16, dtype=pl.UInt8)
        order = buckets.arg_sort()
        ordered = rows.take(order.to_arrow())
        start = 0
        for bucket, length in buckets.gather(order).rle().struct.unnest().select("value", "len").iter_rows():
            parts.setdefault(bucket, []).append(ordered.slice(start, length))
            start += length
    return {bucket: pa.concat_tables(tables) for bucket, tables in parts.items()}


def _joined(batches: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the rows of many small batches as tables of some thousands."""
    waiting: list[pa.Table] = []
    waiting_rows = 0
    for batch in batches:
        waiting.append(batch)
        waiting_rows += batch.num_rows
        if waiting_rows >= FOLD_ROWS:
            yield pa.concat_tables(waiting).combine_chunks()
            waiting, waiting_rows = [], 0
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def without_thoughts(answers: pa.Table) -> pa.Table:
    """Return answers without the thoughts that stand in their text; those join the reasoning.

    Earlier versions stored such texts. Only those that can hold thoughts are looked at one by one.
    """
    frame = pl.DataFrame(answers.select(["text", "reasoning"]))
    places = may_hold_thoughts(frame["text"])
    if places.is_empty():
        return answers
    texts, reasonings = [], []
    for text, reasoning in frame[places].iter_rows():
        answer, thoughts = split_thoughts(text)
        texts.append(answer)
        reasonings.append(with_thoughts(reasoning, thoughts))
    for name, values in (("text", texts), ("reasoning", reasonings)):
        column = frame[name].scatter(places, pl.Series(values, dtype=pl.String)).to_arrow().cast(pa.string())
        answers = answers.set_column(answers.column_names.index(name), answers.schema.field(name), column)
    return answers


def earliest(table: pa.Table) -> pa.Table:
    """Keep one row a request: answers before errors, then the earliest."""
    keys = pl.DataFrame(
        {
            "request_id": pl.from_arrow(table.column("request_id")),
            "failed": pl.from_arrow(table.column("error").is_valid()),
            "created_at": pl.from_arrow(table.column("created_at")),
        }
    ).with_row_index()
    kept = keys.sort("failed", "created_at", "index").unique("request_id", keep="first", maintain_order=True)
    return table.take(kept["index"].sort().to_arrow())
