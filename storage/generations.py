"""Generations: every answer ever bought under a root, looked up by request, a bucket at a time.

Damage is found before anything is read. The sound answers of a damaged file are written anew, the file is set aside
beside them, as `<its name>.damaged`, and the loss is reported. `storage.journal` tells the whole way of an answer.
"""

import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import StorageError
from schemas.generation import GENERATIONS, Completion, FaultKind
from schemas.record import BUCKETS, content_id
from storage.answer_files import by_bucket, earliest, is_whole, sound_answers, without_thoughts, write_answers
from storage.journal import ANSWER, claimed, segments, send_unsent
from storage.root import Root
from storage.segments import is_readable, read_segment
from storage.tables import open_parquet, parquet_keys, read_table

FILES_A_BUCKET = 16
"""A bucket with more small files than this has them joined, so that look-ups stay quick after many nights."""
JOINED_ROWS = 8_192
"""Rows of files that are joined. A file with half as many is not small any more."""
PASS_BYTES = 64 * 2**20
"""Bytes of answers that are sorted into buckets at a time, prompts included."""
SEGMENTS_AT_A_TIME = 512
"""Segments of object storage, one for every flush, that are folded together."""
CALLS_AT_A_TIME = 16
DAMAGED = ".damaged"

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_warn = logging.getLogger("grmforge").warning


class Generations:
    """The answers under a root. Opening it folds the journals of earlier runs; `say` gets a line for each damage."""

    def __init__(self, root: Root, say: Callable[[str], None] = _warn) -> None:
        self._root = root
        self._say_damage = say
        self._unfolded: dict[int, list[pa.Table]] = {}
        self.fold()

    def fold(self) -> None:
        """Move finished journals into their buckets.

        A part is named after its segments, so that a fold which was killed half way is simply done again. Segments
        that another process is still writing, or folding, are read, and stay.
        """
        self._unfolded = {}
        send_unsent(self._root)
        keys = segments(self._root)
        count = 1 if self._root.is_local else SEGMENTS_AT_A_TIME
        touched = {bucket for start in range(0, len(keys), count) for bucket in self._fold(keys[start : start + count])}
        self._each(self._compact, sorted(touched))

    def check(self) -> None:
        """Look at every file of answers, so that every loss is reported before a request is sent."""
        for bucket in range(BUCKETS):
            self._whole_files(bucket)

    def lookup(self, bucket: int, role: str | None = None) -> dict[str, Completion]:
        """Return the answers of a bucket, all or a role's, by request_id; of several the earliest (an error last)."""
        rows = zip(*(column.to_pylist() for column in self.answers([bucket], role=role).columns), strict=True)
        return {
            request_id: Completion(
                request_id, text, reasoning, finish_reason, error, None if error is None else FaultKind.REQUEST, *usage
            )
            for request_id, text, reasoning, finish_reason, error, *usage in rows
        }

    def answers(self, buckets: Iterable[int], columns: Sequence[str] = ANSWER, role: str | None = None) -> pa.Table:
        """Return the same of some buckets as a table: request_id, what a completion holds or some of it.

        Those of one role, or of all.
        """
        both = {"text", "reasoning"} if {"text", "reasoning"} & set(columns) else set()
        wanted = list(dict.fromkeys(["request_id", *columns, *sorted(both)]))
        answers = pa.concat_tables([self._of_role(bucket, wanted, role) for bucket in buckets])
        return without_thoughts(answers).select(["request_id", *columns]) if both else answers

    def _of_role(self, bucket: int, columns: Sequence[str], role: str | None) -> pa.Table:
        if role is None:
            return self.table(bucket, columns)
        rows = self.table(bucket, [*columns, *({"role"} - set(columns))])
        return rows.filter(pc.equal(rows.column("role"), role)).select(list(columns))

    def bought_by(self, run_id: str, buckets: Iterable[int]) -> tuple[int, int, float]:
        """Return (requests, tokens, dollars) of what a run has put down in these buckets."""
        columns = ["request_id", "error", "created_at", "run_id", "prompt_tokens", "completion_tokens", "cost_usd"]
        rows = pa.concat_tables([self.table(bucket, columns) for bucket in buckets])
        rows = rows.filter(pc.equal(rows.column("run_id"), run_id))
        prompt, answer, cost_usd = (pc.sum(rows.column(name)).as_py() or 0 for name in columns[-3:])
        return rows.num_rows, prompt + answer, float(cost_usd)

    def table(self, bucket: int, columns: Sequence[str] = GENERATIONS.names) -> pa.Table:
        """Return a bucket's generations, or some columns of them, one row a request."""
        rows = self._rows(bucket, columns)
        if len(pc.unique(rows.column("request_id"))) == rows.num_rows:
            return rows
        # Several answers to one request, which are rare: these say which one counts.
        rows = self._rows(bucket, list(dict.fromkeys([*columns, "error", "created_at"])))
        return earliest(rows).select(list(columns))

    def _rows(self, bucket: int, columns: Sequence[str]) -> pa.Table:
        _, folded = self._folded(bucket, columns)
        return pa.concat_tables([folded, *(part.select(list(columns)) for part in self._unfolded.get(bucket, ()))])

    def _folded(self, bucket: int, columns: Sequence[str]) -> tuple[list[str], pa.Table]:
        """Return the keys of a bucket's files, and their rows."""
        while True:  # another process may compact the bucket meanwhile: then look again
            keys = self._whole_files(bucket)
            with self._missing_passed_over(keys):
                return keys, read_table([self._root.at(key) for key in keys], GENERATIONS, columns)

    def _fold(self, keys: Sequence[str]) -> list[int]:
        """Fold some segments, and return the buckets that they went into. A local one comes alone.

        Several processes may be at the same ones in object storage: they write the same answers, and of two to one
        request one counts. A local segment that another process holds is only read.
        """
        is_local = self._root.is_local
        with claimed(self._root.place(keys[0])) if is_local else nullcontext(True) as is_finished:
            paths = [self._root.place(key) for key in keys] if is_local else self._each(self._copy, keys)
            contents = {key: _Segment(path) for key, path in zip(keys, paths, strict=True) if path is not None}
            if not is_finished:
                for bucket, rows in _sorted_in(contents.values(), range(BUCKETS)).items():
                    self._unfolded.setdefault(bucket, []).append(rows)
                return []
            name = Path(keys[0]).stem if is_local else content_id("folded", list(keys))
            touched: dict[int, int] = {}
            for buckets in _passes(contents.values()):
                parts = _sorted_in(contents.values(), buckets)
                self._each(partial(self._write_part, name, parts), sorted(parts))
                touched |= {bucket: rows.num_rows for bucket, rows in parts.items()}
            if sum(touched.values()) != sum(segment.rows for segment in contents.values()):
                raise StorageError(f"{self._root.where(keys[0])}: not all of its answers were sorted into buckets")
            self._each(lambda key: self._end_segment(key, contents[key]), list(contents))
            return list(touched)

    def _copy(self, key: str) -> Path | None:
        """Return a copy of a segment; None where another process has folded it meanwhile."""
        with self._missing_passed_over([key]):
            path = self._root.at(key)
            damage: list[int | None] = []
            deque(read_segment(path, damage), maxlen=0)
            if damage or not is_readable(path):
                self._root.drop_copy(key)  # perhaps only the copy is damaged
                path = self._root.at(key)
            return path
        return None

    def _end_segment(self, key: str, segment: "_Segment") -> None:
        """Remove a segment whose answers are in their buckets. A file of another kind is kept for its owner."""
        if not segment.rows and not is_readable(segment.path):
            self._root.link(key, key.removesuffix(".arrows") + ".unreadable")
            self._root.remove(key)
        elif segment.damage:
            self._set_aside(key, None if None in segment.damage else sum(lost or 0 for lost in segment.damage))
        else:
            self._root.remove(key)

    def _whole_files(self, bucket: int) -> list[str]:
        """Return the keys of a bucket's files, damaged ones mended."""
        keys = parquet_keys(self._root, folder_of(bucket))
        while damaged := [key for key in keys if not self._is_whole(key)]:
            for key in damaged:
                self._mend(key)
            keys = parquet_keys(self._root, folder_of(bucket))
        return keys

    def _is_whole(self, key: str) -> bool:
        """Say whether a file is whole, or missing since another process has compacted its bucket."""
        with self._missing_passed_over([key]):
            return is_whole(self._root.at(key))
        return True

    def _mend(self, key: str) -> None:
        """Write a damaged file's sound answers anew, and set it aside."""
        self._root.drop_copy(key)  # perhaps only the copy is damaged
        if not self._root.exists(key) or is_whole(self._root.at(key)):
            return
        rows, lost = sound_answers(self._root.at(key))
        folder, _, name = key.rpartition("/")
        if rows.num_rows:
            self._write(f"{folder}/{content_id('sound answers of', name)}.parquet", rows)
        self._set_aside(key, lost)

    def _set_aside(self, key: str, lost: int | None) -> None:
        """Keep a damaged file, whose sound answers are kept elsewhere by now, where nothing reads it; say so."""
        aside = key.rpartition(".")[0] + DAMAGED
        answers = "an unknown number of answers" if lost is None else f"{lost:,} answers"
        self._say_damage(
            f"{self._root.where(key)} is damaged: {answers} in it cannot be read and are paid for again where they are "
            f"wanted; all others are kept, and the file stays as {aside.rpartition('/')[2]}"
        )
        with suppress(StorageError):  # another process may have removed it already
            self._root.link(key, aside)
        self._root.remove(key)

    def _compact(self, bucket: int) -> None:
        """Join small files of a bucket, where there are many, a few thousand rows at a time."""
        if len(parquet_keys(self._root, folder_of(bucket))) <= FILES_A_BUCKET:
            return
        keys = self._whole_files(bucket)
        with self._missing_passed_over(keys):  # then another process joins them
            rows_of = {key: open_parquet(self._root.at(key)).metadata.num_rows for key in keys}
            small = [key for key in keys if rows_of[key] < JOINED_ROWS // 2]
            if len(small) <= FILES_A_BUCKET:
                return
            for together in _groups(small, rows_of):
                rows = read_table([self._root.at(key) for key in together], GENERATIONS)
                name = content_id("compacted", [key.rpartition("/")[2] for key in together])
                self._write(f"{folder_of(bucket)}/{name}.parquet", earliest(rows))
                for key in together:
                    self._root.remove(key)

    @contextmanager
    def _missing_passed_over(self, keys: Sequence[str]) -> Iterator[None]:
        """Swallow an error if an object is missing, since another process may have removed it."""
        try:
            yield
        except StorageError:
            if all(self._root.exists(key) for key in keys):
                raise

    def _write_part(self, name: str, parts: Mapping[int, pa.Table], bucket: int) -> None:
        self._write(f"{folder_of(bucket)}/{name}.parquet", parts[bucket])

    def _write(self, key: str, rows: pa.Table) -> None:
        with self._root.replacing(key) as temporary:
            write_answers(rows, temporary)

    def _each(self, act: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
        """Do something with each, several at a time where each waits for object storage."""
        if self._root.is_local:
            return [act(item) for item in items]
        with ThreadPoolExecutor(CALLS_AT_A_TIME) as pool:
            return list(pool.map(act, items))


class _Segment:
    """A segment on its way into the buckets: what it held, once its batches were read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self.damage: list[int | None] = []

    def batches(self) -> Iterator[pa.Table]:
        self.rows = 0
        self.damage.clear()
        for batch in read_segment(self.path, self.damage):
            self.rows += batch.num_rows
            yield batch


def _passes(segments: Collection[_Segment]) -> Iterator[range]:
    """Yield all buckets in ranges whose answers are held in memory at once: prompts may be long."""
    size = sum(batch.nbytes for segment in segments for batch in segment.batches())
    width = max(1, BUCKETS // (1 + size // PASS_BYTES))
    yield from (range(start, min(start + width, BUCKETS)) for start in range(0, BUCKETS, width))


def _sorted_in(segments: Iterable[_Segment], buckets: Collection[int]) -> Mapping[int, pa.Table]:
    return by_bucket((batch for segment in segments for batch in segment.batches()), buckets)


def _groups(keys: Sequence[str], rows_of: Mapping[str, int]) -> Iterator[list[str]]:
    """Yield files that are joined, in order: two or more, of no more than JOINED_ROWS rows together."""
    together: list[str] = []
    for key in keys:
        if together and sum(rows_of[one] for one in (*together, key)) > JOINED_ROWS:
            if len(together) > 1:
                yield together
            together = []
        together.append(key)
    if len(together) > 1:
        yield together


def set_aside(root: Root) -> list[str]:
    """Return the keys of damaged files whose sound answers are kept elsewhere."""
    return [key for key in root.every("generations") if key.endswith(DAMAGED)]


def folder_of(bucket: int) -> str:
    return f"generations/bucket={bucket:02x}"
