"""Tables as Parquet: one writer, whose bytes depend on the rows and their order alone."""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.errors import StorageError
from schemas.record import FORMAT
from storage.root import Root, storage_errors

ROW_GROUP_ROWS = 4_096
FILE_ROWS = 65_536
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
        with storage_errors(f"{self._root.at(self._folder)}/{self._name}"):
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
        with storage_errors(f"{self._root.at(self._folder)}/{self._name}"):
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
    return pa.concat_tables([schema_of(schema, columns).empty_table(), *_read(paths, schema, columns)])


def read_batches(paths: Iterable[Path], schema: pa.Schema, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield a table's rows a row group at a time."""
    wanted = schema_of(schema, columns)
    for path in paths:
        file = open_parquet(path)
        for group in range(file.num_row_groups):
            with _damage_named(path):
                found = file.read_row_group(group, columns=_present(file, wanted))
            yield filled(found, wanted)


def schema_of(schema: pa.Schema, columns: Sequence[str] | None) -> pa.Schema:
    """Return the part of a schema that these columns make."""
    if columns is None:
        return schema
    return pa.schema([schema.field(name) for name in columns], metadata=schema.metadata)


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open a file of ours. Raises StorageError where it is damaged or of a newer format."""
    with _damage_named(path):
        file = pq.ParquetFile(path, memory_map=True, page_checksum_verification=True)
    check_format(file.schema_arrow, str(path))
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


def check_format(schema: pa.Schema, where: str) -> None:
    """Raise StorageError when a file was written by a grmforge of a newer format."""
    found = int((schema.metadata or {}).get(b"grmforge.format", b"1"))
    if found > FORMAT:
        raise StorageError(f"{where}: written in format {found}, this grmforge reads up to {FORMAT}: upgrade it")


def filled(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the table with exactly the schema's columns, missing ones null."""
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
            table = file.read(columns=_present(file, wanted))
        yield filled(table, wanted)


def _present(file: pq.ParquetFile, wanted: pa.Schema) -> list[str]:
    return [name for name in wanted.names if name in file.schema_arrow.names]


def read_buckets(
    paths: Sequence[Path], schema: pa.Schema, columns: Sequence[str] | None = None
) -> Iterator[tuple[int, pa.Table]]:
    """Yield (bucket, rows) of a table that is sorted by query_id, in order, a bucket at a time in memory."""
    pending: list[pa.Table] = []
    current: int | None = None
    for batch in read_batches(paths, schema, columns):
        start = 0
        for bucket, rows in _bucket_runs(batch):
            if current is not None and bucket != current:
                yield current, pa.concat_tables(pending)
                pending = []
            current = bucket
            pending.append(batch.slice(start, rows))
            start += rows
    if current is not None:
        yield current, pa.concat_tables(pending)


def _bucket_runs(batch: pa.Table) -> list[tuple[int, int]]:
    """Return (bucket, number of rows) of each run of equal buckets."""
    prefixes = pc.utf8_slice_codeunits(batch.column("query_id"), 0, 2).combine_chunks()
    runs = pc.run_end_encode(prefixes)
    ends = runs.run_ends.to_pylist()
    return [
        (int(prefix, 16), end - start)
        for prefix, start, end in zip(runs.values.to_pylist(), [0, *ends], ends, strict=False)
    ]
