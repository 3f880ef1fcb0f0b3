"""Rows taken out of files that are else never changed: a file without them first, then the old one goes.

Killed in between, both files lie there, and the same removal done again takes the rows out of the old one once more,
into the very same new one. A disk that is full refuses the new file, and nothing is lost.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.record import content_id
from storage.root import Root
from storage.tables import open_parquet

Mask: TypeAlias = pa.Array | pa.ChunkedArray
"""Which rows of a table go, a boolean each."""
Goes = Callable[[pa.Table], Mask]


def rows_that_go(root: Root, key: str, goes: Goes) -> pa.Table:
    """Return the rows of a file that are to go."""
    table = open_parquet(root.at(key)).read()
    return table.filter(goes(table))


def _write(rows: pa.Table, path: Path) -> None:
    pq.write_table(rows, path, compression="zstd", write_page_checksum=True)


def take_out(
    root: Root,
    key: str,
    goes: Goes,
    *,
    in_place: bool = False,
    numbered: bool = False,
    write: Callable[[pa.Table, Path], None] = _write,
) -> None:
    """Take rows out of a Parquet file; without any row left, it goes, unless its name or its number must stay.

    The new file's name is a hash of the old one's and of the rows that it holds; `numbered` ones keep their number
    before it.
    """
    table = open_parquet(root.at(key)).read()
    mask = goes(table)
    if not pc.any(mask, min_count=0).as_py():
        return
    left = table.filter(pc.invert(mask))
    target = key
    if not in_place:
        folder, _, name = key.rpartition("/")
        number = f"{name.split('-')[0]}-" if numbered else ""
        target = f"{folder}/{number}{content_id('left of', name, left.column(0).to_pylist())}.parquet"
    if left.num_rows or in_place or numbered:
        with root.replacing(target) as temporary:
            write(left, temporary)
    if target != key:
        root.remove(key)
