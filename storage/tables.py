"""Tables as files: one writer, whose bytes depend on the rows and their order alone.

What lasts is Parquet. A table that one later stage reads once, and whole, may be an Arrow file: it takes half the size
again, and a third of the time to write and to read.
"""

import contextlib
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.errors import StorageError
from schemas.record import BUCKETS, FORMAT
from storage.arrow_files import ArrowFile, ArrowWriter
from storage.root import Root, storage_errors

ROW_GROUP_ROWS = 4_096
FILE_ROWS = 65_536
GROUP_ROWS = 1024
"""Rows of sets that are worked on at a time, with all their trajectories."""
_COMPRESSION = "zstd"
_COMPRESSION_LEVEL = 1  # 3 is half as quick and saves 6 %

_TEXTS = {"content", "text", "reasoning", "critique", "description", "turns", "reference"}
"""Columns that hold prose. Nobody looks up a whole text, and hardly one stands there twice: neither a dictionary nor
the least and the greatest are worth their time."""
_OWN_IDS = {"trajectory_id", "request_id", "example_id"}
"""Columns with another value in every row, which are looked up all the same."""

Form = Literal["parquet", "arrow"]


@dataclass(frozen=True)
class TableFile:
    """One file of a table; `path` is relative to the table's stage or snapshot."""

    path: str
    rows: int
    bytes: int
    sha256: str


class TableWriter:
    """Writes a table as `<name>-00000.parquet`, .. or `.arrow`, under a folder; use as a context manager.

    Rows are cut into row groups and files of fixed sizes whatever the batches they arrive in, so that equal rows give
    equal bytes. An Arrow file takes batches as they come, which spares their copy, and is full when it has as many
    rows. A table without rows gets no file. A file appears when it is whole.
    """

    def __init__(self, root: Root, folder: str, name: str, schema: pa.Schema, form: Form = "parquet") -> None:
        self.files: list[TableFile] = []
        self.rows = 0
        self._root = root
        self._folder = folder
        self._name = name
        self._schema = schema
        self._form: Form = form
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        self._open: ExitStack | None = None
        self._writer: pq.ParquetWriter | ArrowWriter | None = None
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
                self._write_rows(self._pending_rows)
            self._finish_file()
        except BaseException as failure:
            self._discard(failure)
            raise

    def _discard(self, error: BaseException) -> None:
        """Leave nothing of a file that was not finished."""
        if self._writer is not None:
            with contextlib.suppress(OSError):  # a full disk refuses the footer too
                self._writer.close()
        if self._open is not None:
            self._open.__exit__(type(error), error, error.__traceback__)
        self._open = self._writer = None

    def write(self, table: pa.Table) -> None:
        """Add rows. The table must have the schema's columns, in any chunks."""
        if not table.num_rows:
            return
        self._pending.append(table.cast(self._schema) if table.schema != self._schema else table)
        self._pending_rows += table.num_rows
        self.rows += table.num_rows
        if self._form == "arrow":
            self._write_rows(self._pending_rows)
        while self._pending_rows >= ROW_GROUP_ROWS:
            self._write_rows(ROW_GROUP_ROWS)

    def _write_rows(self, rows: int) -> None:
        pending = pa.concat_tables(self._pending)
        group, rest = pending.slice(0, rows).combine_chunks(), pending.slice(rows)
        self._pending = [rest] if rest.num_rows else []
        self._pending_rows = rest.num_rows
        with storage_errors(self._root.where(f"{self._folder}/{self._name}")):
            if self._writer is None:
                self._start_file()
            assert self._writer is not None
            self._writer.write_table(group, ROW_GROUP_ROWS)
        self._file_rows += rows
        if self._file_rows >= FILE_ROWS:
            self._finish_file()

    def _start_file(self) -> None:
        self._open = ExitStack()
        temporary = self._open.enter_context(self._root.replacing(f"{self._folder}/{self._file_name()}"))
        self._writer = self._open_writer(temporary)
        self._file_rows = 0

    def _open_writer(self, path: Path) -> pq.ParquetWriter | ArrowWriter:
        if self._form == "arrow":
            return ArrowWriter(path, self._schema)
        return pq.ParquetWriter(
            path,
            self._schema,
            compression=_COMPRESSION,
            compression_level=_COMPRESSION_LEVEL,
            use_dictionary=_leaves(self._schema, without=_TEXTS | _OWN_IDS),
            write_statistics=_leaves(self._schema, without=_TEXTS),
            write_page_checksum=True,
        )

    def _file_name(self) -> str:
        return f"{self._name}-{len(self.files):05}.{self._form}"

    def _finish_file(self) -> None:
        if self._open is None or self._writer is None:
            return
        with storage_errors(self._root.where(f"{self._folder}/{self._name}")):
            self._writer.close()
            self._open.close()
        path = self._root.at(f"{self._folder}/{self._file_name()}")
        self.files.append(TableFile(self._file_name(), self._file_rows, path.stat().st_size, sha256_of(path)))
        self._open = self._writer = None


def _leaves(fields: "Iterable[pa.Field[Any]]", without: Collection[str], path: str = "") -> list[str]:
    """Return the paths, as Parquet writes them, of the flat columns that nested ones are made of."""
    found: list[str] = []
    for field in fields:
        kind, where = field.type, path + field.name
        while pa.types.is_list(kind):
            kind, where = kind.value_type, f"{where}.list.element"
        if pa.types.is_struct(kind):
            found += _leaves(kind, without, f"{where}.")
        elif field.name not in without:
            found.append(where)
    return found


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
        file = open_table(path)
        for group in range(file.num_row_groups):
            with _damage_named(path):
                found = file.read_row_group(group, wanted.names)  # those that it has
            yield filled(found, wanted)


def schema_of(schema: pa.Schema, columns: Sequence[str] | None) -> pa.Schema:
    """Return the part of a schema that these columns make."""
    if columns is None:
        return schema
    return pa.schema([schema.field(name) for name in columns], metadata=schema.metadata)


def open_table(path: Path) -> pq.ParquetFile | ArrowFile:
    """Open a file of ours, by its suffix. Raises StorageError where it is damaged or of a newer format."""
    return open_arrow(path) if path.suffix == ".arrow" else open_parquet(path)


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open a Parquet file of ours. Raises StorageError where it is damaged or of a newer format."""
    with _damage_named(path):
        file = pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False)  # the file is on this machine
    check_format(file.metadata.metadata, str(path))
    return file


def open_arrow(path: Path) -> ArrowFile:
    """Open an Arrow file of ours. Raises StorageError where it is damaged or of a newer format."""
    with _damage_named(path):
        file = ArrowFile(path)
    check_format(file.schema_arrow.metadata, str(path))
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
        file = open_table(path)
        with _damage_named(path):
            table = file.read(wanted.names, use_threads=file.num_row_groups > 1)  # those that it has
        yield filled(table, wanted)


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
