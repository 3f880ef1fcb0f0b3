"""Parts of tables that stand by query_id: ranges of ids that hold about so many rows, and rows by their places."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.record import BUCKETS
from storage.tables import GROUP_ROWS, LAST_ID, read_batches

COUNTED_ROWS = 65_536
"""Rows of ids and short words that are looked at at a time."""
_PREFIXES = 65_536


def id_ranges(rows: int, group_rows: int = GROUP_ROWS) -> Iterator[str]:
    """Yield the ends of ranges of query_ids that hold about so many of a table's rows each; the last is LAST_ID.

    A range is some whole buckets, or an even part of one: what a bucket holds grows with the table.
    """
    width = min(_PREFIXES, max(1, _PREFIXES * group_rows // max(1, rows)))
    bucket = _PREFIXES // BUCKETS
    width = width // bucket * bucket or 2 ** (width.bit_length() - 1)
    yield from (f"{start:04x}" for start in range(width, _PREFIXES, width))
    yield LAST_ID


def read_places(
    paths: Iterable[Path], schema: pa.Schema, places: npt.NDArray[np.integer[Any]], columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """Yield the rows at these places of a table, which ascend, a row group at a time; what is behind is not read."""
    start = 0
    for batch in read_batches(paths, schema, columns) if len(places) else ():
        here = places[np.searchsorted(places, start) : np.searchsorted(places, start + batch.num_rows)]
        if len(here):
            yield batch.take(pa.array(here - start))
        start += batch.num_rows
        if start > places[-1]:
            return
