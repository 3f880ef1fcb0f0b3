"""Rows that an export leaves out: a trainer would read them wrongly, or drop them without a word."""

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.exporting.lengths import RowLengths
from pipelines.exporting.reading import ANSWERS
from pipelines.exporting.trainer import Trainer
from schemas.columns import flat_list

REASONS = {
    "too_long": "longer than --max-tokens",
    "hinted_thoughts": "the thoughts were written with a hint, which the prompt of the row does not hold",
    "media_tag": "the text holds a word, such as <image>, that the trainer takes for a picture or a sound",
    "turns": "user and assistant do not take turns, and the trainer drops such conversations",
    "earlier_answer": "the prompt holds an earlier answer, which the trainer would train on, too",
}
"""In the order in which they are looked for: a row has one reason."""

Mask = npt.NDArray[np.bool_]


def reasons_of(trainer: Trainer, name: str, rows: pa.Table, lengths: RowLengths, max_tokens: int | None) -> pa.Array:
    """Return why each row of a set is left out; null where it stays."""
    reason = np.full(rows.num_rows, None, object)
    for word, mask in reversed(list(_found(trainer, name, rows, lengths, max_tokens))):
        reason[mask] = word
    return pa.array(reason, pa.string())


def _found(
    trainer: Trainer, name: str, rows: pa.Table, lengths: RowLengths, max_tokens: int | None
) -> Iterator[tuple[str, Mask]]:
    if max_tokens is not None:
        yield "too_long", lengths.whole > max_tokens
    if "hinted_thoughts" in rows.column_names:
        yield "hinted_thoughts", rows["hinted_thoughts"].to_numpy()
    if trainer.media_tags:
        tags = "|".join(map(re.escape, trainer.media_tags))
        columns = [rows[column] for column in ("prompt", *ANSWERS[name])]
        yield "media_tag", np.any([_any_of(column, "content", tags) for column in columns], axis=0)
    if trainer.alternates:
        yield "turns", ~_takes_turns(rows["prompt"])
    if trainer.trains_on_every_turn and "completion" in ANSWERS[name]:
        yield "earlier_answer", _any_of(rows["prompt"], "role", "^assistant$")


def _any_of(column: pa.ChunkedArray, field: str, pattern: str) -> Mask:
    """Say of each row whether a field of any of its messages holds a pattern."""
    lists = flat_list(column)
    hits = pc.match_substring_regex(lists.flatten().field(field), pattern).to_numpy(zero_copy_only=False)
    ends = np.cumsum(pc.list_value_length(lists).to_numpy())
    counts = np.diff(np.concatenate([[0], np.cumsum(hits)])[ends], prepend=0)
    mask: Mask = counts > 0
    return mask


def _takes_turns(prompts: pa.ChunkedArray) -> Mask:
    """Say of each prompt whether it is user, assistant, .., user, behind a system message or none."""
    lists = flat_list(prompts)
    roles = pa.ListArray.from_arrays(lists.offsets, lists.values.field("role"))
    words = pc.binary_join(roles, ",")
    fits = pc.match_substring_regex(words, r"^(system,)?(user,assistant,)*user$")
    mask: Mask = fits.to_numpy(zero_copy_only=False)
    return mask
