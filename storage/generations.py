"""Generations: every answer ever bought under a root, looked up by request, a bucket at a time.

What is damaged is found before it is read: its sound answers are written anew, the file is set aside beside them, as
`<its name>.damaged`, and what is lost is said.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TypeVar

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from schemas.columns import may_hold_thoughts
from schemas.errors import StorageError
from schemas.generation import GENERATIONS, Completion, FaultKind
from schemas.record import BUCKETS, bucket_of, content_id
from schemas.thoughts import split_thoughts, with_thoughts
from storage.answer_files import is_whole, sound_answers, write_answers
from storage.journal import claimed, segments, send_unsent
from storage.root import Root
from storage.segments import is_readable, read_segment
from storage.tables import read_table

FILES_A_BUCKET = 16
"""A bucket with more files than this is rewritten as one, so that look-ups stay quick after many nights."""

FOLD_ROWS = 8_192
"""Rows of a journal that are sorted into buckets at a time."""

SEGMENTS_AT_A_TIME = 512
"""Segments of object storage, one for every flush, that are folded together."""
CALLS_AT_A_TIME = 16

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_ANSWER = GENERATIONS.names[GENERATIONS.names.index("text") : GENERATIONS.names.index("created_at")]


DAMAGED = ".damaged"
_say = logging.getLogger("grmforge").warning


class Generations:
    """The answers under a root. Opening it folds the journals of earlier runs; `say` is told what is damaged."""

    def __init__(self, root: Root, say: Callable[[str], None] = _say) -> None:
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
        if self._root.is_local:
            touched = {bucket for key in segments(self._root) for bucket in self._fold_file(key)}
        else:
            touched = {bucket for keys in _some(segments(self._root)) for bucket in self._fold_objects(keys)}
        self._each(self._compact, sorted(touched))

    def check(self) -> None:
        """Look at every file of answers, so that all that is lost is said before anything is asked."""
        for bucket in range(BUCKETS):
            self._whole_files(bucket)

    def _fold_file(self, key: str) -> list[int]:
        """Fold a segment, unless somebody is at it; return the buckets that it went into."""
        path = self._root.place(key)
        with claimed(path) as finished:
            damage: list[int | None] = []
            parts = {
                bucket: pa.concat_tables(found) for bucket, found in _by_bucket(read_segment(path, damage)).items()
            }
            if finished and not parts and not is_readable(path):
                path.rename(path.with_suffix(".unreadable"))  # kept for whoever put it there
                return []
            if not finished:
                for bucket, rows in parts.items():
                    self._unfolded.setdefault(bucket, []).append(rows)
                return []
            for bucket in sorted(parts):
                self._write(f"{folder_of(bucket)}/{path.stem}.parquet", parts[bucket])
            self._end_segment(key, damage)
            return list(parts)

    def _fold_objects(self, keys: Sequence[str]) -> list[int]:
        """Fold some of the many small segments that lie in a bucket of object storage, all of them whole.

        Several processes may be at the same ones: they write the same answers, and of two to one request one counts.
        """
        damage: dict[str, list[int | None]] = {key: [] for key in keys}
        copies = {key: path for key, path in zip(keys, self._each(self._copy, keys), strict=True) if path is not None}
        batches = chain.from_iterable(read_segment(path, damage[key]) for key, path in copies.items())
        parts = {bucket: pa.concat_tables(found) for bucket, found in _by_bucket(batches).items()}
        name = content_id("folded", list(keys))
        self._each(lambda bucket: self._write(f"{folder_of(bucket)}/{name}.parquet", parts[bucket]), sorted(parts))
        self._each(lambda key: self._end_segment(key, damage[key]), keys)
        return list(parts)

    def _end_segment(self, key: str, damage: Sequence[int | None]) -> None:
        """Remove a segment whose answers are in their buckets; a damaged one is set aside."""
        if damage:
            self._set_aside(key, None if None in damage else sum(one or 0 for one in damage))
        else:
            self._root.remove(key)

    def _set_aside(self, key: str, lost: int | None) -> None:
        """Keep a damaged file, whose sound answers are kept elsewhere by now, where nothing reads it; say so."""
        aside = key.rpartition(".")[0] + DAMAGED
        answers = "an unknown number of answers" if lost is None else f"{lost:,} answers"
        self._say_damage(
            f"{self._root.where(key)} is damaged: {answers} in it cannot be read and are paid for again where they are "
            f"wanted; all others are kept, and the file stays as {aside.rpartition('/')[2]}"
        )
        with suppress(StorageError):  # gone where another process was as quick
            self._root.link(key, aside)
        self._root.remove(key)

    def _copy(self, key: str) -> Path | None:
        """Return a copy of a segment; None where another process has folded it meanwhile, or it is not ours."""
        try:
            path = self._root.at(key)
        except StorageError:
            if self._root.exists(key):
                raise
            return None
        damage: list[int | None] = []
        rows = sum(batch.num_rows for batch in read_segment(path, damage))
        if damage or not is_readable(path):
            self._root.drop_copy(key)  # perhaps it is only the copy
            path = self._root.at(key)
            rows = sum(batch.num_rows for batch in read_segment(path))
        if rows or is_readable(path):
            return path
        self._root.link(key, key.removesuffix(".arrows") + ".unreadable")  # kept for whoever put it there
        return None

    def _each(self, act: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
        """Do something with each, several at a time where each waits for object storage."""
        if self._root.is_local:
            return [act(item) for item in items]
        with ThreadPoolExecutor(CALLS_AT_A_TIME) as pool:
            return list(pool.map(act, items))

    def lookup(self, bucket: int) -> dict[str, Completion]:
        """Return every answer of a bucket by request_id; of several to one request, the earliest (an error last)."""
        table = self.answers([bucket])
        rows = zip(*(table.column(name).to_pylist() for name in ("request_id", *_ANSWER)), strict=True)
        return {
            request_id: Completion(
                request_id, text, reasoning, finish_reason, error, None if error is None else FaultKind.REQUEST, *usage
            )
            for request_id, text, reasoning, finish_reason, error, *usage in rows
        }

    def answers(self, buckets: Iterable[int], columns: Sequence[str] = _ANSWER) -> pa.Table:
        """Return the same of some buckets as a table: request_id, what a completion holds or some of it."""
        both = {"text", "reasoning"} if {"text", "reasoning"} & set(columns) else set()
        wanted = list(dict.fromkeys(["request_id", *columns, *sorted(both)]))
        found = pa.concat_tables([self._table(bucket, wanted) for bucket in buckets])
        return _split(found).select(["request_id", *columns]) if both else found

    def table(self, bucket: int) -> pa.Table:
        """Return a bucket's generations, one row a request."""
        return self._table(bucket, GENERATIONS.names)

    def bought_by(self, run_id: str, buckets: Iterable[int]) -> tuple[int, int, float]:
        """Return (requests, tokens, dollars) of what a run has put down in these buckets."""
        columns = ["request_id", "error", "created_at", "run_id", "prompt_tokens", "completion_tokens", "cost_usd"]
        rows = pa.concat_tables([self._table(bucket, columns) for bucket in buckets])
        rows = rows.filter(pc.equal(rows.column("run_id"), run_id))
        prompt, answer, cost_usd = (pc.sum(rows.column(name)).as_py() or 0 for name in columns[-3:])
        return rows.num_rows, prompt + answer, float(cost_usd)

    def _table(self, bucket: int, columns: Sequence[str]) -> pa.Table:
        found = self._rows(bucket, columns)
        if len(pc.unique(found.column("request_id"))) == found.num_rows:
            return found
        # Several answers to one request, which are rare: these say which one counts.
        found = self._rows(bucket, list(dict.fromkeys([*columns, "error", "created_at"])))
        return _earliest(found).select(list(columns))

    def _rows(self, bucket: int, columns: Sequence[str]) -> pa.Table:
        """Return every row of a bucket."""
        _, found = self._folded(bucket, columns)
        if unfolded := self._unfolded.get(bucket):
            found = pa.concat_tables([found, *(part.select(list(columns)) for part in unfolded)])
        return found

    def _folded(self, bucket: int, columns: Sequence[str]) -> tuple[list[str], pa.Table]:
        """Return the names of a bucket's files, and their rows."""
        while True:
            keys = self._whole_files(bucket)
            try:
                return [key.rpartition("/")[2] for key in keys], read_table(
                    [self._root.at(key) for key in keys], GENERATIONS, columns
                )
            except StorageError:
                if all(self._root.exists(key) for key in keys):
                    raise  # otherwise another process has compacted the bucket: look again

    def _whole_files(self, bucket: int) -> list[str]:
        """Return the keys of a bucket's files, damaged ones mended."""
        while True:
            names = self._root.names(folder_of(bucket), ".parquet")
            keys = [f"{folder_of(bucket)}/{name}" for name in names]
            try:
                damaged = [key for key in keys if not is_whole(self._root.at(key))]
            except StorageError:
                if all(self._root.exists(key) for key in keys):
                    raise  # otherwise another process has compacted the bucket: look again
                continue
            if not damaged:
                return keys
            for key in damaged:
                self._mend(key)

    def _mend(self, key: str) -> None:
        """Write a damaged file's sound answers anew, and set it aside."""
        self._root.drop_copy(key)  # perhaps it is only the copy
        if not self._root.exists(key) or is_whole(self._root.at(key)):
            return
        rows, lost = sound_answers(self._root.at(key))
        folder, _, name = key.rpartition("/")
        if rows.num_rows:
            self._write(f"{folder}/{content_id('sound answers of', name)}.parquet", rows)
        self._set_aside(key, lost)

    def _compact(self, bucket: int) -> None:
        if len(self._root.names(folder_of(bucket), ".parquet")) <= FILES_A_BUCKET:
            return
        names, found = self._folded(bucket, GENERATIONS.names)
        self._write(f"{folder_of(bucket)}/{content_id('compacted', names)}.parquet", _earliest(found))
        for name in names:
            self._root.remove(f"{folder_of(bucket)}/{name}")

    def _write(self, key: str, rows: pa.Table) -> None:
        with self._root.replacing(key) as temporary:
            write_answers(rows, temporary)


def set_aside(root: Root) -> list[str]:
    """Return the keys of damaged files whose sound answers are kept elsewhere."""
    return [key for key in root.every("generations") if key.endswith(DAMAGED)]


def folder_of(bucket: int) -> str:
    return f"generations/bucket={bucket:02x}"


def _some(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), SEGMENTS_AT_A_TIME):
        yield keys[start : start + SEGMENTS_AT_A_TIME]


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


def _split(answers: pa.Table) -> pa.Table:
    """Return answers without the thoughts that stand in their text; those join the reasoning.

    What earlier versions stored may hold them. Only a text that can is looked at one by one.
    """
    frame = pl.from_arrow(answers.select(["text", "reasoning"]))
    assert isinstance(frame, pl.DataFrame)
    places = may_hold_thoughts(frame["text"])
    if places.is_empty():
        return answers
    texts, reasonings = [], []
    for text, reasoning in frame[places].iter_rows():
        answer, thoughts = split_thoughts(text)
        texts.append(answer)
        reasonings.append(with_thoughts(reasoning, thoughts))
    for name, values in (("text", texts), ("reasoning", reasonings)):
        column = frame[name].scatter(places, pl.Series(values, dtype=pl.String)).to_arrow().cast(pa.string())
        answers = answers.set_column(answers.column_names.index(name), answers.schema.field(name), column)
    return answers


def _earliest(table: pa.Table) -> pa.Table:
    """Keep one row a request: answers before errors, then the earliest."""
    keys = pl.DataFrame(
        {
            "request_id": pl.from_arrow(table.column("request_id")),
            "failed": pl.from_arrow(table.column("error").is_valid()),
            "created_at": pl.from_arrow(table.column("created_at")),
        }
    ).with_row_index()
    kept = keys.sort("failed", "created_at", "index").unique("request_id", keep="first", maintain_order=True)
    return table.take(kept["index"].sort().to_arrow())
