"""Arrow files, read and written as Parquet files are here: a row group is a record batch."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc as ipc

_COMPRESSION = "lz4"


class ArrowWriter:
    """Writes one Arrow file, as `pq.ParquetWriter` writes a Parquet file."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._sink = pa.OSFile(str(path), "wb")
        self._batches = ipc.new_file(self._sink, schema, options=ipc.IpcWriteOptions(compression=_COMPRESSION))

    def write_table(self, table: pa.Table, rows: int) -> None:
        """Append rows, in record batches of so many at most."""
        self._batches.write_table(table, rows)

    def close(self) -> None:
        try:
            self._batches.close()
        finally:
            self._sink.close()


class ArrowFile:
    """Reads one Arrow file, as `pq.ParquetFile` reads a Parquet file."""

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
        held = self.schema_arrow.names
        fields = [held.index(name) for name in columns or held if name in held]
        return ipc.IpcReadOptions(included_fields=fields, use_threads=use_threads)
