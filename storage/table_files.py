"""Small tables, one Parquet file each: put whole, numbered where their order counts, and rid of rows.

Rows are taken out of a file that is else never changed by a file without them first; then the old one goes. After a
kill in between, both files lie there, and the same removal takes the rows out of the old one once more, into the very
same new one. A full disk refuses the new file, and nothing is lost.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.record import content_id
from storage.root import Root
from storage.tables import open_parquet, read_table

Mask: TypeAlias = pa.Array | pa.ChunkedArray
"""A boolean for each row of a table."""
Goes = Callable[[pa.Table], Mask]
"""Which rows of a table go."""


def parquet_keys(root: Root, folder: str) -> list[str]:
    """Return the keys of the Parquet files directly in a folder, ascending."""
    return [f"{folder}/{name}" for name in root.names(folder, ".parquet")]


def read_folder(root: Root, folder: str, schema: pa.Schema) -> pa.Table:
    """Return the rows of all files in a folder, in the order of their names."""
    return read_table([root.at(key) for key in parquet_keys(root, folder)], schema)


def put_table(root: Root, key: str, table: pa.Table, compression: Literal["zstd", "none"] = "zstd") -> None:
    """Write a table as one whole file."""
    with root.replacing(key) as temporary:
        pq.write_table(table, temporary, compression=compression, write_page_checksum=True)


def add_numbered(root: Root, folder: str, table: pa.Table, content: str) -> None:
    """Write a table as the next file of a folder.

    Names are numbered, so that files keep their order, and carry a hash of the content, so that two writers never meet.
    """
    prefixes = [name.partition("-")[0] for name in root.names(folder, ".parquet")]
    number = max((int(prefix) for prefix in prefixes if prefix.isdecimal()), default=-1) + 1
    put_table(root, f"{folder}/{number:05}-{content}.parquet", table)


def rows_that_go(root: Root, key: str, goes: Goes) -> pa.Table:
    """Return the rows of a file that are to go."""
    table = open_parquet(root.at(key)).read()
    return table.filter(goes(table))


def take_out(
    root: Root,
    key: str,
    goes: Goes,
    *,
    keep: Literal["name", "number", "nothing"] = "nothing",
    write: Callable[[pa.Table, Path], None] | None = None,
) -> None:
    """Take rows out of a Parquet file.

    `keep` says what of the file's name must stay: then the file stays, too, without any row left. A new name is a hash
    of the old one and of the rows that are left.
    """
    table = open_parquet(root.at(key)).read()
    mask = goes(table)
    if not pc.any(mask, min_count=0).as_py():
        return
    left = table.filter(pc.invert(mask))
    target = key
    if keep != "name":
        folder, _, name = key.rpartition("/")
        number = f"{name.split('-')[0]}-" if keep == "number" else ""
        target = f"{folder}/{number}{content_id('left of', name, left.column(0).to_pylist())}.parquet"
    if left.num_rows or keep != "nothing":
        if write is None:
            put_table(root, target, left)
        else:
            with root.replacing(target) as temporary:
                write(left, temporary)
    if target != key:
        root.remove(key)
