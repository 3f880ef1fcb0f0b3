"""Which rows a limit leaves: those with the smallest hashes, found while rows pass by, and held by hash alone."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from schemas.preference import UnreadableRow
from schemas.query import query_id, user
from schemas.question import Question
from schemas.record import content_id

_MORE = 65_536
"""Rows beyond twice the limit that are held before the larger ones of them go."""
_ORDER = ["hash", "source_id", "row"]
_SCHEMA = pl.Schema({"hash": pl.UInt64, "source_id": pl.String, "row": pl.Int64})


class Smallest:
    """The rows with the smallest hashes of those that were shown to it; without a limit, all.

    A larger limit keeps every row of a smaller one, and repeats of a query stay together.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._frame = _SCHEMA.to_frame()
        self._parts: list[pl.DataFrame] = []
        self._height = 0
        self._bound = (1 << 64) - 1

    def may_stay(self, first: int, rows: Sequence[Any]) -> list[bool]:
        """Say of rows, numbered from `first`, which of them may be among the smallest of all."""
        if self.limit is None:
            return [True] * len(rows)
        hashes = [int(content_id("limit", _identifier(row))[:16], 16) for row in rows]
        stays = [number <= self._bound for number in hashes]
        shown = {"hash": hashes, "source_id": [row.source_id for row in rows], "row": range(first, first + len(rows))}
        self._parts.append(pl.DataFrame(shown, _SCHEMA).filter(pl.Series(stays, dtype=pl.Boolean)))
        self._height += self._parts[-1].height
        if self._height > 2 * self.limit + _MORE:
            self._cut()
        return stays

    def rows(self, count: int) -> pl.Series | None:
        """Return the numbers of the rows that stay of `count`, in the order of their hashes; None where all do."""
        if self.limit is None or count <= self.limit:
            return None
        self._cut()
        return self._frame["row"]

    def _cut(self) -> None:
        assert self.limit is not None
        self._frame = pl.concat([self._frame, *self._parts]).sort(_ORDER).head(self.limit)
        self._parts, self._height = [], self._frame.height
        if self._height == self.limit:
            self._bound = self._frame["hash"][-1]


def _identifier(row: Any) -> str:
    """Return what is hashed. A question in another form counts as the bare one, so that all forms keep the same."""
    if isinstance(row, UnreadableRow):
        return row.source_id
    stem = row.stem if isinstance(row, Question) else None
    return str(row.query_id) if stem is None else query_id(user(stem))
