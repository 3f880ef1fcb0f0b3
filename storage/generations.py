"""Generations: every answer ever bought under a root, looked up by request, a bucket at a time."""

from collections.abc import Iterable, Iterator, Sequence

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.errors import StorageError
from schemas.generation import GENERATIONS, Completion, FaultKind
from schemas.record import bucket_of, content_id
from storage.journal import claimed, is_readable, read_segment, segments
from storage.root import Root
from storage.tables import read_table

FILES_A_BUCKET = 16
"""A bucket with more files than this is rewritten as one, so that look-ups stay quick after many nights."""

FOLD_ROWS = 8_192
"""Rows of a journal that are sorted into buckets at a time."""

_ANSWER = GENERATIONS.names[GENERATIONS.names.index("text") : GENERATIONS.names.index("created_at")]


class Generations:
    """The answers under a root. Opening it folds the journals of earlier runs."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._unfolded: dict[int, list[pa.Table]] = {}
        self.fold()

    def fold(self) -> None:
        """Move finished journals into their buckets.

        A part is named after its segment, so that a fold which was killed half way is simply done again. Segments
        that another process is still writing, or folding, are read, and stay.
        """
        self._unfolded = {}
        touched = set()
        for key in segments(self._root):
            path = self._root.at(key)
            with claimed(path) as finished:
                if finished and not is_readable(path):
                    path.rename(path.with_suffix(".unreadable"))  # kept for whoever put it there
                    continue
                for bucket, parts in sorted(_by_bucket(read_segment(path)).items()):
                    if finished:
                        touched.add(bucket)
                        self._write(f"{folder_of(bucket)}/{path.stem}.parquet", pa.concat_tables(parts))
                    else:
                        self._unfolded.setdefault(bucket, []).extend(parts)
                if finished:
                    self._root.remove(key)
        for bucket in sorted(touched):
            self._compact(bucket)

    def lookup(self, bucket: int) -> dict[str, Completion]:
        """Return every answer of a bucket by request_id; of several to one request, the earliest (an error last)."""
        table = self.answers(bucket)
        rows = zip(*(table.column(name).to_pylist() for name in ("request_id", *_ANSWER)), strict=True)
        return {
            request_id: Completion(
                request_id, text, reasoning, finish_reason, error, None if error is None else FaultKind.REQUEST, *usage
            )
            for request_id, text, reasoning, finish_reason, error, *usage in rows
        }

    def answers(self, bucket: int) -> pa.Table:
        """Return the same as a table: request_id, what a completion holds, created_at."""
        return self._table(bucket, ["request_id", *_ANSWER, "created_at"])

    def table(self, bucket: int) -> pa.Table:
        """Return a bucket's generations, one row a request."""
        return self._table(bucket, GENERATIONS.names)

    def _table(self, bucket: int, columns: Sequence[str]) -> pa.Table:
        _, found = self._folded(bucket, columns)
        if unfolded := self._unfolded.get(bucket):
            found = pa.concat_tables([found, *(part.select(list(columns)) for part in unfolded)])
        return _earliest(found) if found.num_rows else found

    def _folded(self, bucket: int, columns: Sequence[str]) -> tuple[list[str], pa.Table]:
        """Return the names of a bucket's files, and their rows."""
        while True:
            names = self._root.names(folder_of(bucket), ".parquet")
            paths = [self._root.at(f"{folder_of(bucket)}/{name}") for name in names]
            try:
                return names, read_table(paths, GENERATIONS, columns)
            except StorageError:
                if all(path.exists() for path in paths):
                    raise  # otherwise another process has compacted the bucket: look again

    def _compact(self, bucket: int) -> None:
        if len(self._root.names(folder_of(bucket), ".parquet")) <= FILES_A_BUCKET:
            return
        names, found = self._folded(bucket, GENERATIONS.names)
        self._write(f"{folder_of(bucket)}/{content_id('compacted', names)}.parquet", _earliest(found))
        for name in names:
            self._root.remove(f"{folder_of(bucket)}/{name}")

    def _write(self, key: str, rows: pa.Table) -> None:
        with self._root.replacing(key) as temporary:
            # Dictionaries and statistics of texts that occur once cost more than the rows of a small bucket.
            pq.write_table(
                rows, temporary, compression="zstd", compression_level=1, use_dictionary=False, write_statistics=False
            )


def folder_of(bucket: int) -> str:
    return f"generations/bucket={bucket:02x}"


def _by_bucket(batches: Iterable[pa.Table]) -> dict[int, list[pa.Table]]:
    """Return the rows of each bucket; beside them, only some thousands of rows are held twice."""
    parts: dict[int, list[pa.Table]] = {}
    for rows in _joined(batches):
        buckets = pl.Series([bucket_of(one) for one in rows.column("query_id").to_pylist()], dtype=pl.UInt8)
        order = buckets.arg_sort()
        ordered = rows.take(order.to_arrow())
        start = 0
        for bucket, length in buckets.gather(order).rle().struct.unnest().select("value", "len").iter_rows():
            parts.setdefault(bucket, []).append(ordered.slice(start, length))
            start += length
    return parts


def _joined(batches: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the rows of many small batches as tables of some thousands."""
    waiting: list[pa.Table] = []
    waiting_rows = 0
    for batch in batches:
        waiting.append(batch)
        waiting_rows += batch.num_rows
        if waiting_rows >= FOLD_ROWS:
            yield pa.concat_tables(waiting).combine_chunks()
            waiting, waiting_rows = [], 0
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def _earliest(table: pa.Table) -> pa.Table:
    """Keep one row a request: answers before errors, then the earliest."""
    if len(pc.unique(table.column("request_id"))) == table.num_rows:
        return table
    keys = pl.DataFrame(
        {
            "request_id": pl.from_arrow(table.column("request_id")),
            "failed": pl.from_arrow(table.column("error").is_valid()),
            "created_at": pl.from_arrow(table.column("created_at")),
        }
    ).with_row_index()
    kept = keys.sort("failed", "created_at", "index").unique("request_id", keep="first", maintain_order=True)
    return table.take(kept["index"].sort().to_arrow())
