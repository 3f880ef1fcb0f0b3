"""Tables as Parquet: one writer, whose bytes depend on the rows and their order alone."""

import contextlib
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.errors import StorageError
from schemas.record import BUCKETS, FORMAT
from storage.root import Root, storage_errors

ROW_GROUP_ROWS = 4_096
FILE_ROWS = 65_536
GROUP_ROWS = 1024
"""Rows of sets that are worked on at a time, with all their trajectories."""
_COMPRESSION = "zstd"
_COMPRESSION_LEVEL = 1  # 3 is half as quick and saves 6 %


@dataclass(frozen=True)
class TableFile:
    """One Parquet file of a table; `path` is relative to the table's stage or snapshot."""

    path: str
    rows: int
    bytes: int
    sha256: str


class TableWriter:
    """Writes a table as `<name>-00000.parquet`, .. under a folder; use as a context manager.

    Rows are cut into row groups and files of fixed sizes whatever the batches they arrive in, so that equal rows give
    equal bytes. A table without rows gets no file. A file appears when it is whole.
    """

    def __init__(self, root: Root, folder: str, name: str, schema: pa.Schema) -> None:
        self.files: list[TableFile] = []
        self.rows = 0
        self._root = root
        self._folder = folder
        self._name = name
        self._schema = schema
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        self._open: ExitStack | None = None
        self._parquet: pq.ParquetWriter | None = None
        self._file_rows = 0

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._discard(error)
            return
        try:
            if self._pending_rows:
                self._write_row_group(self._pending_rows)
            self._finish_file()
        except BaseException as failure:
            self._discard(failure)
            raise

    def _discard(self, error: BaseException) -> None:
        """Leave nothing of a file that was not finished."""
        if self._parquet is not None:
            with contextlib.suppress(OSError):  # a full disk refuses the footer too
                self._parquet.close()
        if self._open is not None:
            self._open.__exit__(type(error), error, error.__traceback__)
        self._open = self._parquet = None

    def write(self, table: pa.Table) -> None:
        """Add rows. The table must have the schema's columns, in any chunks."""
        if not table.num_rows:
            return
        self._pending.append(table.cast(self._schema) if table.schema != self._schema else table)
        self._pending_rows += table.num_rows
        self.rows += table.num_rows
        while self._pending_rows >= ROW_GROUP_ROWS:
            self._write_row_group(ROW_GROUP_ROWS)

    def _write_row_group(self, rows: int) -> None:
        pending = pa.concat_tables(self._pending)
        group, rest = pending.slice(0, rows).combine_chunks(), pending.slice(rows)
        self._pending = [rest] if rest.num_rows else []
        self._pending_rows = rest.num_rows
        with storage_errors(self._root.where(f"{self._folder}/{self._name}")):
            if self._parquet is None:
                self._start_file()
            assert self._parquet is not None
            self._parquet.write_table(group, row_group_size=ROW_GROUP_ROWS)
        self._file_rows += rows
        if self._file_rows >= FILE_ROWS:
            self._finish_file()

    def _start_file(self) -> None:
        self._open = ExitStack()
        key = f"{self._folder}/{self._name}-{len(self.files):05}.parquet"
        temporary = self._open.enter_context(self._root.replacing(key))
        self._parquet = pq.ParquetWriter(
            temporary,
            self._schema,
            compression=_COMPRESSION,
            compression_level=_COMPRESSION_LEVEL,
            write_page_checksum=True,
        )
        self._file_rows = 0

    def _finish_file(self) -> None:
        if self._open is None or self._parquet is None:
            return
        with storage_errors(self._root.where(f"{self._folder}/{self._name}")):
            self._parquet.close()
            self._open.close()
        name = f"{self._name}-{len(self.files):05}.parquet"
        path = self._root.at(f"{self._folder}/{name}")
        digest = sha256_of(path)
        self.files.append(TableFile(name, self._file_rows, path.stat().st_size, digest))
        self._open = self._parquet = None


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with storage_errors(str(path)), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_table(paths: Sequence[Path], schema: pa.Schema, columns: Sequence[str] | None = None) -> pa.Table:
    """Return a table's rows from its files, in order; columns that an older format lacks are null."""
    found = list(_read(paths, schema, columns))
    return pa.concat_tables(found) if found else schema_of(schema, columns).empty_table()


def read_batches(paths: Iterable[Path], schema: pa.Schema, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield a table's rows a row group at a time."""
    wanted = schema_of(schema, columns)
    for path in paths:
        file = open_parquet(path)
        present = _present(file, wanted)
        for group in range(file.num_row_groups):
            with _damage_named(path):
                found = file.read_row_group(group, present)
            yield filled(found, wanted)


def schema_of(schema: pa.Schema, columns: Sequence[str] | None) -> pa.Schema:
    """Return the part of a schema that these columns make."""
    if columns is None:
        return schema
    return pa.schema([schema.field(name) for name in columns], metadata=schema.metadata)


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open a file of ours. Raises StorageError where it is damaged or of a newer format."""
    with _damage_named(path):
        file = pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False)  # the file is on this machine
    check_format(file.metadata.metadata, str(path))
    return file


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Turn what Arrow says of a damaged file into a StorageError that names it and the way out."""
    with storage_errors(str(path)):
        try:
            yield
        except (pa.ArrowInvalid, OSError) as error:
            if getattr(error, "errno", None):
                raise
            raise StorageError(f"{path}: damaged ({error}); remove it, and build again") from None


def check_format(metadata: Mapping[bytes, bytes] | None, where: str) -> None:
    """Raise StorageError when a file with this metadata was written by a grmforge of a newer format."""
    found = int((metadata or {}).get(b"grmforge.format", b"1"))
    if found > FORMAT:
        raise StorageError(f"{where}: written in format {found}, this grmforge reads up to {FORMAT}: upgrade it")


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


def _read(paths: Sequence[Path], schema: pa.Schema, columns: Sequence[str] | None) -> Iterator[pa.Table]:
    wanted = schema_of(schema, columns)
    for path in paths:
        file = open_parquet(path)
        with _damage_named(path):
            table = file.read(_present(file, wanted), use_threads=file.metadata.num_rows > ROW_GROUP_ROWS)
        yield filled(table, wanted)


def _present(file: pq.ParquetFile, wanted: pa.Schema) -> list[str]:
    held = set(file.schema_arrow.names)  # asked for once a file: it is made anew each time
    return [name for name in wanted.names if name in held]


class BucketReader:
    """Reads a table that is sorted by query_id from its beginning to its end, whole buckets at a time."""

    def __init__(self, paths: Iterable[Path], schema: pa.Schema, columns: Sequence[str] | None = None) -> None:
        self._none = schema_of(schema, columns).empty_table()
        self._batches = read_batches(paths, schema, columns)
        self._batch = next(self._batches, None)

    def through(self, bucket: int) -> pa.Table:
        """Return the rows of all buckets up to this one that were not returned before."""
        end = f"{bucket + 1:02x}" if bucket + 1 < BUCKETS else "g"  # which is behind every hexadecimal digit
        found = [self._none]
        while self._batch is not None:
            rows = pc.sum(pc.less(self._batch.column("query_id"), end)).as_py() or 0
            found.append(self._batch.slice(0, rows))
            if rows < self._batch.num_rows:
                self._batch = self._batch.slice(rows)
                break
            self._batch = next(self._batches, None)
        return pa.concat_tables(found)


def read_buckets(
    paths: Iterable[Path], schema: pa.Schema, columns: Sequence[str] | None = None
) -> Iterator[tuple[int, pa.Table]]:
    """Yield (bucket, rows) of every bucket of a table that holds any, in order."""
    reader = BucketReader(paths, schema, columns)
    for bucket in range(BUCKETS):
        rows = reader.through(bucket)
        if rows.num_rows:
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
