"""Rows on their way through a temporary file, so that a table that does not fit in memory can be sorted.

The file has no name: nothing of it is left when the process ends, whatever ends it.
"""

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as ipc

from schemas.record import BUCKETS
from storage.files import storage_errors
from storage.root import Root
from storage.tables import bucket_ranges

_HELD = 16 << 20
"""Bytes of rows that are held before they go to the file. Rows that are fewer never go there."""
_NAMES = pa.array([f"{bucket:02x}" for bucket in range(BUCKETS)], pa.string())
_CODEC = pa.Codec("lz4_raw")


class _Part(NamedTuple):
    """Where some rows of a bucket lie in the file."""

    start: int
    packed: int
    unpacked: int


class Spill(AbstractContextManager["Spill"]):
    """Takes the rows of a table in any order, and gives them back whole buckets of query_ids at a time.

    Rows of one bucket come back in the order in which they were written. Raises StorageError where the disk is full.
    """

    def __init__(self, root: Root, schema: pa.Schema) -> None:
        self.rows = 0
        self._schema = schema
        self._folder = root.scratch("spilled").parent
        self._where = f"{self._folder}: a temporary file"
        self._held: list[pa.Table] = []
        self._held_bytes = 0
        self._file: IO[bytes] | None = None
        self._end = 0
        self._parts: list[list[_Part]] = [[] for _ in range(BUCKETS)]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held = []
        if self._file is not None:
            self._file.close()

    def write(self, table: pa.Table) -> None:
        """Add rows, in the schema's columns."""
        self.rows += table.num_rows
        self._held.append(table)
        self._held_bytes += table.nbytes
        if self._held_bytes >= _HELD:
            self._spill()

    def ranges(self) -> Iterator[pa.Table]:
        """Yield all rows, a range of buckets at a time: those with smaller query_ids first."""
        held, starts = _in_buckets(pa.concat_tables([self._schema.empty_table(), *self._held]))
        for buckets in bucket_ranges(self.rows):
            parts = [
                part
                for bucket in buckets
                for part in (*self._read(bucket), held.slice(starts[bucket], starts[bucket + 1] - starts[bucket]))
            ]
            if (table := pa.concat_tables(parts)).num_rows:
                yield table

    def _spill(self) -> None:
        table, starts = _in_buckets(pa.concat_tables(self._held))
        self._held, self._held_bytes = [], 0
        with storage_errors(self._where):
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file = tempfile.TemporaryFile(dir=self._folder, prefix=".spill-", suffix=".tmp")  # noqa: SIM115
            for bucket in np.flatnonzero(np.diff(starts)).tolist():
                rows = table.slice(starts[bucket], starts[bucket + 1] - starts[bucket])
                content = rows.to_batches()[0].serialize()
                packed = _CODEC.compress(content)
                self._file.write(packed)
                self._parts[bucket].append(_Part(self._end, packed.size, content.size))
                self._end += packed.size
            self._file.flush()

    def _read(self, bucket: int) -> Iterator[pa.Table]:
        for part in self._parts[bucket]:
            assert self._file is not None
            with storage_errors(self._where):
                self._file.seek(part.start)
                packed = self._file.read(part.packed)
            content = _CODEC.decompress(packed, part.unpacked)
            yield pa.Table.from_batches([ipc.read_record_batch(content, self._schema)])


def _in_buckets(table: pa.Table) -> tuple[pa.Table, np.ndarray]:
    """Return the rows in one piece, bucket by bucket, and where each bucket begins among them, and the end of all."""
    names = pc.utf8_slice_codeunits(table.column("query_id"), 0, 2)
    buckets = pc.index_in(names, value_set=_NAMES).to_numpy()
    starts = np.concatenate([[0], np.cumsum(np.bincount(buckets, minlength=BUCKETS))])
    return table.take(pa.array(np.argsort(buckets, kind="stable"))).combine_chunks(), starts
