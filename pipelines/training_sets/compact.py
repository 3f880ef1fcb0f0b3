"""What decisions rest on, made small: an id is a number of 8 bytes, a word of a few is a code of one byte.

An id's number is its first 16 hexadecimal digits, and codes are numbered in the order of their words. So whatever is
sorted or ranked comes out as by ids and words themselves.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import StorageError
from schemas.preference import Split
from schemas.trajectory import REJECT_PRECEDENCE, Mode, Outcome
from storage.tables import read_batches

DIGITS = 16
PART_ROWS = 65_536
"""Rows that are made small at a time."""
REASONS = pl.Enum(sorted({Outcome.CORRECT.value, *REJECT_PRECEDENCE}))
_KINDS: dict[str, pl.DataType | type[pl.DataType]] = {
    "split": pl.Enum(sorted(split.value for split in Split)),
    "mode": pl.Enum(sorted(mode.value for mode in Mode)),
    "outcome": REASONS,
    "n_responses": pl.UInt16,
    "best_position": pl.UInt16,
    "label": pl.UInt8,
}


def short_id(column: str) -> pl.Expr:
    """Return a column of ids as numbers."""
    digits = pl.col(column).str.slice(0, DIGITS).str.decode("hex")
    return digits.bin.reinterpret(dtype=pl.UInt64, endianness="big")


def short_ids(ids: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Return ids as numbers."""
    return np.array([int(one[:DIGITS], 16) for one in ids], np.uint64)


def is_among(ids: Sequence[str], known: pl.Series) -> npt.NDArray[np.bool_]:
    """Say of each id whether its number is one of these, which ascend."""
    numbers, found = known.to_numpy(), short_ids(ids)
    if not len(numbers):
        return np.zeros(len(ids), bool)
    places = np.minimum(np.searchsorted(numbers, found), len(numbers) - 1)
    return np.asarray(numbers[places] == found)


def words_of(paths: Iterable[Path], schema: pa.Schema, column: str) -> pl.Enum:
    """Return the kind of a column of few words, from the words that a table has in it."""
    words: set[str] = set()
    for batch in read_batches(paths, schema, [column]):
        words.update(pc.unique(batch.column(column)).drop_null().to_pylist())
    return pl.Enum(sorted(words))


def compacted(rows: pl.DataFrame, **kinds: pl.Enum) -> pl.DataFrame:
    """Return rows with ids as numbers, and words and small counts in a byte or two; `kinds` are of other words."""
    smaller = {name: kind for name, kind in (_KINDS | kinds).items() if name in rows.columns}
    return rows.with_columns(
        *(short_id(name) for name in rows.columns if name.endswith("_id")),
        *(pl.col(name).cast(kind) for name, kind in smaller.items()),
    )


def check_distinct(set_ids: pl.Series) -> None:
    """Raise StorageError where two of these kept sets have the same number."""
    if set_ids.n_unique() < len(set_ids):
        number = set_ids.filter(set_ids.is_duplicated())[0]
        raise StorageError(
            f"two sets have ids that begin with {number:016x}: they cannot be told apart; leave one of them out of its "
            "source, and build again"
        )
