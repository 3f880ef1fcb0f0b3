"""Tables read from their files, whole or a part at a time; and small ones, one Parquet file each.

`table_writer` writes large ones. Small ones are put whole, numbered where their order counts, and rid of rows. To take
rows out of a file, a file without them is written first; then the old one goes. After a kill in between, both files lie
there, and the same removal writes the very same new file once more. A full disk refuses the new file, and nothing is
lost.
"""

import gc
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

from schemas.errors import DamagedError, StorageError
from schemas.record import BUCKETS, content_id
from storage.files import check_version, storage_errors
from storage.root import Root

GROUP_ROWS = 2_048
"""Rows of sets that are worked on at a time, with all their trajectories."""
LAST_ID = "g"
"""Stands behind every id: these are hexadecimal."""
Mask: TypeAlias = pa.Array | pa.ChunkedArray
"""A boolean for each row of a table."""
Goes = Callable[[pa.Table], Mask]
"""Which rows of a table go."""


class ArrowFile:
    """Reads one Arrow file, as `pq.ParquetFile` reads a Parquet file: a row group is a record batch."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with pa.OSFile(str(path)) as source:
            file = ipc.open_file(source)
            self.schema_arrow: pa.Schema = file.schema
            self.num_row_groups: int = file.num_record_batches

    def read_row_group(self, group: int, columns: Sequence[str] | None = None) -> pa.Table:
        """Return a record batch's rows, of those of these columns that it has; of all of them where none are named."""
        with pa.OSFile(str(self._path)) as source:
            return pa.Table.from_batches([ipc.open_file(source, options=self._options(columns)).get_batch(group)])

    def read(self, columns: Sequence[str] | None = None, use_threads: bool = True) -> pa.Table:
        """Return all rows, of those of these columns that it has; of all of them where none are named."""
        with pa.OSFile(str(self._path)) as source:
            return ipc.open_file(source, options=self._options(columns, use_threads)).read_all()

    def _options(self, columns: Sequence[str] | None, use_threads: bool = True) -> ipc.IpcReadOptions:
        names = self.schema_arrow.names
        fields = [names.index(name) for name in columns or names if name in names]
        return ipc.IpcReadOptions(included_fields=fields, use_threads=use_threads)


def read_table(paths: Iterable[Path], schema: pa.Schema, columns: Sequence[str] | None = None) -> pa.Table:
    """Return a table's rows from its files, in order; columns that an older format lacks are null."""
    wanted = schema_of(schema, columns)
    parts = [wanted.empty_table()]
    for path in paths:
        file = open_table(path)
        with damage_named(path):
            table = file.read(wanted.names, use_threads=file.num_row_groups > 1)  # those that it has
        parts.append(filled(table, wanted))
    return pa.concat_tables(parts[1:] or parts)


def read_frame(paths: Sequence[Path], schema: pa.Schema, columns: Sequence[str]) -> pl.DataFrame:
    """Return columns of a table as a frame, in the table's order."""
    return pl.DataFrame(read_table(paths, schema, columns))


def read_batches(paths: Iterable[Path], schema: pa.Schema, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield a table's rows a row group at a time."""
    wanted = schema_of(schema, columns)
    for path in paths:
        file = open_table(path)
        for group in range(file.num_row_groups):
            with damage_named(path):
                rows = file.read_row_group(group, wanted.names)  # those that it has
            yield filled(rows, wanted)


def schema_of(schema: pa.Schema, columns: Sequence[str] | None) -> pa.Schema:
    """Return the part of a schema that these columns make."""
    if columns is None:
        return schema
    return pa.schema([schema.field(name) for name in columns], metadata=schema.metadata)


def open_table(path: Path) -> pq.ParquetFile | ArrowFile:
    """Open a file of ours, by its suffix. Raises StorageError where it is damaged or of a newer format."""
    if path.suffix != ".arrow":
        return open_parquet(path)
    with damage_named(path):
        file = ArrowFile(path)
    check_format(file.schema_arrow.metadata, str(path))
    return file


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open a Parquet file of ours. Raises StorageError where it is damaged or of a newer format."""
    with damage_named(path):
        file = pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False)  # the file is on this machine
    check_format(file.metadata.metadata, str(path))
    return file


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turn what Arrow says of a damaged file into a StorageError that names it and the way out."""
    with storage_errors(str(path)):
        try:
            yield
        except (pa.ArrowException, OSError, MemoryError, UnicodeDecodeError) as error:
            if getattr(error, "errno", None) or isinstance(error, StorageError):
                raise
            raise DamagedError(f"{path}: damaged ({error}); remove it, and build again") from None


def check_format(metadata: Mapping[bytes, bytes] | None, where: str) -> None:
    """Raise StorageError when a file with this metadata was written by a grmforge of a newer format."""
    version = (metadata or {}).get(b"grmforge.format", b"1")
    if not version.isdigit():
        raise DamagedError(f"{where}: damaged (its format is {version!r}); remove it, and build again")
    check_version(int(version), where)


def filled(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the table with exactly the schema's columns, missing ones null."""
    if table.schema.equals(schema):
        return table.replace_schema_metadata(schema.metadata)
    columns = [
        table.column(field.name).cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


class BucketReader:
    """Reads a table that is sorted by query_id from its beginning to its end, whole buckets at a time."""

    def __init__(self, paths: Iterable[Path], schema: pa.Schema, columns: Sequence[str] | None = None) -> None:
        self._none = schema_of(schema, columns).empty_table()
        self._batches = read_batches(paths, schema, columns)
        self._batch = next(self._batches, None)

    def through(self, bucket: int) -> pa.Table:
        """Return the rows of all buckets up to this one that were not returned before."""
        return self.before(f"{bucket + 1:02x}" if bucket + 1 < BUCKETS else LAST_ID)

    def before(self, end: str) -> pa.Table:
        """Return the rows whose query_id is less than this text, and that were not returned before."""
        parts = [self._none]
        while self._batch is not None:
            rows = pc.sum(pc.less(self._batch.column("query_id"), end)).as_py() or 0
            parts.append(self._batch.slice(0, rows))
            if rows < self._batch.num_rows:
                self._batch = self._batch.slice(rows)
                break
            self._batch = next(self._batches, None)
        return pa.concat_tables(parts)


def read_buckets(
    paths: Iterable[Path], schema: pa.Schema, columns: Sequence[str] | None = None
) -> Iterator[tuple[int, pa.Table]]:
    """Yield (bucket, rows) of every bucket of a table that holds any, in order."""
    reader = BucketReader(paths, schema, columns)
    for bucket in range(BUCKETS):
        if (rows := reader.through(bucket)).num_rows:
            yield bucket, rows


def in_buckets(table: pa.Table, buckets: Collection[int]) -> pa.Table:
    """Return the rows whose query_id is in one of these buckets."""
    if len(buckets) == BUCKETS:
        return table
    wanted = pa.array([f"{bucket:02x}" for bucket in buckets], pa.string())
    return table.filter(pc.is_in(pc.utf8_slice_codeunits(table.column("query_id"), 0, 2), wanted))


def bucket_ranges(rows: int) -> Iterator[range]:
    """Yield all buckets in ranges that hold about GROUP_ROWS of a table's rows each, or one bucket that holds more.

    Ids are hashes, so buckets hold about the same. A range at a time bounds the memory of a large build, and spares a
    small one what 256 buckets of a few rows would cost.
    """
    width = min(BUCKETS, max(1, BUCKETS * GROUP_ROWS // max(1, rows)))
    for start in range(0, BUCKETS, width):
        yield range(start, min(start + width, BUCKETS))


@contextmanager
def many_records() -> Iterator[None]:
    """Keep the cycle collector at rest in a block whose records form no cycles: it would take a tenth of the time.

    Before the block and after it, pages that nobody uses go back to the system. Libraries keep them for themselves
    otherwise: 170 MB of the peak of a million trajectories.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    pa.default_memory_pool().release_unused()
    try:
        yield
    finally:
        pa.default_memory_pool().release_unused()
        if was_enabled:
            gc.enable()


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
