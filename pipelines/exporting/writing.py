"""The data files of an export, a row group at a time: memory does not grow with the rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import StorageError


class DataFile:
    """Writes one file of rows as JSONL or Parquet; equal rows in equal batches give equal bytes."""

    def __init__(self, path: Path) -> None:
        self.rows = 0
        self._path = path
        self._parquet: pq.ParquetWriter | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb")

    def write(self, rows: pa.Table) -> None:
        """Append rows."""
        self.rows += rows.num_rows
        rows = rows.replace_schema_metadata(None)
        if self._path.suffix == ".jsonl":
            frame = pl.from_arrow(rows)
            assert isinstance(frame, pl.DataFrame)
            frame.write_ndjson(self._file)
        else:
            if self._parquet is None:
                self._parquet = pq.ParquetWriter(self._file, rows.schema, compression="zstd")
            self._parquet.write_table(rows)

    def close(self) -> None:
        """Finish the file. One without rows is removed: a trainer would stumble over it."""
        if self._parquet is not None:
            self._parquet.close()
        self._file.close()
        if not self.rows:
            self._path.unlink()


@contextmanager
def data_file(path: Path) -> Iterator[DataFile]:
    """Give a file to write rows to. Raises StorageError where the disk refuses."""
    try:
        file = DataFile(path)
        try:
            yield file
        finally:
            file.close()
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(
            f"{path}: cannot be written ({error.strerror or error}); free some space, or choose another --out"
        ) from None
