"""Rows on their way through a temporary file, so that a table that does not fit in memory can be sorted.

The file has no name: nothing of it is left when the process ends, whatever ends it.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import islice
from types import TracebackType
from typing import IO, NamedTuple, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as ipc

from schemas.record import BUCKETS
from schemas.tables import Table, members_of, records_of, table_of
from storage.files import storage_errors
from storage.root import Root
from storage.tables import bucket_ranges

_HELD = 16 << 20
"""Bytes of rows that are held before they go to the file. Rows that are fewer never go there."""
_NAMES = pa.array([f"{bucket:02x}" for bucket in range(BUCKETS)], pa.string())
_CODEC = pa.Codec("lz4_raw")
_RECORDS = 128
"""Records that are made of a file's rows at a time."""

Record = TypeVar("Record")
Records: TypeAlias = Callable[[], Iterator[Record]]
"""Goes through records, in their order, as often as it is called."""


class Part(NamedTuple):
    """Where some rows lie in a file of batches."""

    start: int
    packed: int
    unpacked: int
    rows: int


@contextmanager
def nameless_file(root: Root) -> Iterator[IO[bytes]]:
    """Give an empty file, on the disk of a root, that nobody else sees. Raises StorageError."""
    folder = root.scratch("spilled").parent
    with storage_errors(f"{folder}: a temporary file"):
        folder.mkdir(parents=True, exist_ok=True)
        file = tempfile.TemporaryFile(dir=folder, prefix=".spill-", suffix=".tmp", buffering=0)  # noqa: SIM115 - below
    with file:
        yield file


def written_to(root: Root, file: IO[bytes], content: "bytes | pa.Buffer") -> None:
    """Write all of a content at the end of a file. Raises StorageError where the disk is full."""
    with storage_errors(f"{root.scratch('spilled').parent}: a temporary file"):
        rest = memoryview(content).cast("B")
        while rest:
            rest = rest[file.write(rest) :]


class BatchFile(AbstractContextManager["BatchFile"]):
    """Tables in a temporary file, a batch after the other. The file is made when the first one is added."""

    def __init__(self, root: Root, schema: pa.Schema) -> None:
        self._root = root
        self._schema = schema
        self._files = ExitStack()
        self._file: IO[bytes] | None = None
        self._end = 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def add(self, table: pa.Table) -> Part:
        """Write a table with rows, and return where it lies. Raises StorageError where the disk is full."""
        if self._file is None:
            self._file = self._files.enter_context(nameless_file(self._root))
        content = table.combine_chunks().to_batches()[0].serialize()
        packed = _CODEC.compress(content)
        written_to(self._root, self._file, packed)
        part = Part(self._end, packed.size, content.size, table.num_rows)
        self._end += packed.size
        return part

    def table(self, part: Part) -> pa.Table:
        """Return a table that was added."""
        assert self._file is not None
        packed = os.pread(self._file.fileno(), part.packed, part.start)
        content = _CODEC.decompress(packed, part.unpacked)
        return pa.Table.from_batches([ipc.read_record_batch(content, self._schema)])


class Spill(AbstractContextManager["Spill"]):
    """Takes the rows of a table in any order, and gives them back whole buckets of query_ids at a time.

    Rows of one bucket come back in the order in which they were written. Raises StorageError where the disk is full.
    """

    def __init__(self, root: Root, schema: pa.Schema) -> None:
        self.rows = 0
        self._schema = schema
        self._held: list[pa.Table] = []
        self._held_bytes = 0
        self._file = BatchFile(root, schema)
        self._parts: list[list[Part]] = [[] for _ in range(BUCKETS)]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held = []
        self._file.__exit__(kind, error, trace)

    def write(self, table: pa.Table) -> None:
        """Add rows, in the schema's columns."""
        self.rows += table.num_rows
        self._held.append(table)
        self._held_bytes += table.nbytes
        if self._held_bytes >= _HELD:
            self._spill()

    def ranges(self, *order: str) -> Iterator[pa.Table]:
        """Yield all rows, a range of buckets at a time: those with smaller query_ids first.

        In a range they are sorted by the columns of `order`; equal ones stay as they were written.
        """
        held, starts = _in_buckets(pa.concat_tables([self._schema.empty_table(), *self._held]))
        for buckets in bucket_ranges(self.rows):
            parts = [
                part
                for bucket in buckets
                for part in (
                    *map(self._file.table, self._parts[bucket]),
                    held.slice(starts[bucket], starts[bucket + 1] - starts[bucket]),
                )
            ]
            if (table := pa.concat_tables(parts)).num_rows:
                yield table.take(pc.sort_indices(table, [(name, "ascending") for name in order])) if order else table

    def _spill(self) -> None:
        table, starts = _in_buckets(pa.concat_tables(self._held))
        self._held, self._held_bytes = [], 0
        for bucket in np.flatnonzero(np.diff(starts)).tolist():
            rows = table.slice(starts[bucket], starts[bucket + 1] - starts[bucket])
            self._parts[bucket].append(self._file.add(rows))


@contextmanager
def stepped(
    root: Root,
    record: type[Record],
    records: Iterable[Record],
    steps: Iterable[Callable[[Records[Record]], Iterator[Record]]],
) -> Iterator[Records[Record]]:
    """Give what the last of some steps makes of records, each of what the one before made; a few are in memory."""
    schema = Table(record.__name__, members_of(record)).schema

    @contextmanager
    def held(each: Iterator[Record]) -> Iterator[Records[Record]]:
        with BatchFile(root, schema) as file:
            parts = [file.add(table_of(schema, few)) for few in iter(lambda: list(islice(each, _RECORDS)), [])]
            yield lambda: (one for part in parts for one in records_of(record, file.table(part)))

    with ExitStack() as files:
        made = files.enter_context(held(iter(records)))
        for step in steps:
            with files.pop_all():  # the file before goes when the new one is whole
                made = files.enter_context(held(step(made)))
        yield made


def _in_buckets(table: pa.Table) -> tuple[pa.Table, np.ndarray]:
    """Return the rows in one piece, bucket by bucket, and where each bucket begins among them, and the end of all."""
    names = pc.utf8_slice_codeunits(table.column("query_id"), 0, 2)
    buckets = pc.index_in(names, value_set=_NAMES).to_numpy()
    starts = np.concatenate([[0], np.cumsum(np.bincount(buckets, minlength=BUCKETS))])
    return table.take(pa.array(np.argsort(buckets, kind="stable"))).combine_chunks(), starts
