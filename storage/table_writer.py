"""Tables as files: one writer, whose bytes depend on the rows and their order alone.

What lasts is Parquet. A table that one later stage reads once, and whole, may be an Arrow file: it has 1.8 times the
size, and takes half the time to write and to read.
"""

import contextlib
import hashlib
from collections.abc import Collection, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from storage.arrow_files import ArrowWriter
from storage.root import Root, storage_errors

ROW_GROUP_ROWS = 4_096
FILE_ROWS = 65_536
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
