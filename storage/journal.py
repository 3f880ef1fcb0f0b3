"""The journal: every answer kept within a second of its arrival, in files that only grow.

This is the way of an answer to disk and back, and what a crash costs on it:

1. `JournalWriter.append` takes it over. A kill now loses it: at most the answers of the last half second.
2. A flush puts it down as a batch of a segment, `generations/journal/<writer>-<seq>.arrows` (`storage.segments` has the
   bytes). A kill in a flush leaves a torn tail, and the segment is read up to its last whole batch.
3. The next run folds segments into files of their buckets, `generations/bucket=<xx>/*.parquet` (`storage.generations`).
   A kill in between leaves both; the fold is done again, into files of the same names.
4. Both kinds of files know whether their bytes are whole (`storage.answer_files`). A damaged one is set aside, and its
   sound answers are written anew.

One writer has one journal, cut into segments. It holds a lock on the segment it writes to, from before anyone can see
it, so that others know whether it is still alive. In a bucket of object storage nothing grows and nothing is locked:
there each flush is a segment, whole from the start, which lies on this machine until the bucket has taken it.
"""

import contextlib
import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from schemas.errors import StorageError
from schemas.generation import GENERATIONS, Completion, Request, body_json
from storage.files import becoming, storage_errors
from storage.root import Root
from storage.segments import END, HEAD, message_of, read_segment

FOLDER = "generations/journal"
UNSENT = "unsent"
"""What a bucket has not taken yet lies there, among what is this machine's alone."""
FLUSH_SECONDS = 0.5
FLUSH_ROWS = 4_096
SEGMENT_ROWS = 65_536
_STARTED = "%Y%m%dT%H%M%S"

ANSWER = GENERATIONS.names[GENERATIONS.names.index("text") : GENERATIONS.names.index("created_at")]
"""The columns that hold what a completion holds, under the same names."""
_of_request = attrgetter("request_id", "query_id", "role")
_of_completion = attrgetter(*ANSWER)


class JournalWriter:
    """Appends answers; a background thread flushes them twice a second. Use as a context manager.

    Whatever happens to a flush, its answers are kept. A refused flush is tried again at the end. Answers for a bucket
    lie on this machine until the bucket has taken them; a second thread sends them.
    """

    def __init__(self, root: Root, run_id: str) -> None:
        self._root = root
        self._run_id = run_id
        writer = new_run_id()  # a run has several writers, one after the other
        self._names = (f"{writer}-{sequence:05}.arrows" for sequence in count())
        self._rows: deque[tuple[Any, ...]] = deque()  # appended to by one thread while another takes from it
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._file_rows = 0
        self._unsent: deque[tuple[Path, int]] = deque()
        """Segments on this machine that are to go into the bucket, and their answers."""
        self._sending = threading.Lock()
        self._stop = threading.Event()
        self._failure: StorageError | None = None
        self._keep = self._write if root.is_local else self._spool
        acts = [self._put_down] if root.is_local else [self._put_down, self._send]
        self._threads = [threading.Thread(target=self._now_and_then, args=(act,), daemon=True) for act in acts]

    def __enter__(self) -> "JournalWriter":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._stop.set()
        self._threads[0].join()
        try:
            with contextlib.suppress(StorageError):
                self._put_down()  # before the wait for a bucket that may not answer
            for thread in self._threads:
                thread.join()
            if self._failure is None:
                with contextlib.suppress(StorageError):
                    self._send()
        finally:
            self._end_segment()
        if self._failure is not None:
            self._failure.args = (f"{self._failure}{self._fate_of_answers()}",)
            if error is None or self._rows:
                raise self._failure

    def append(self, request: Request, completion: Completion) -> None:
        """Take an answer over. Raises StorageError once an earlier one was refused; this one is kept all the same."""
        asked = *_of_request(request), body_json(request.body)
        self._rows.append((*asked, *_of_completion(completion), time.time_ns() // 1_000, self._run_id))
        if self._failure is not None:
            raise self._failure
        if len(self._rows) >= FLUSH_ROWS:
            self._put_down()

    def flush(self) -> None:
        """Bring every appended answer to the disk, or into the bucket. Raises StorageError."""
        self._put_down()
        self._send()

    def _put_down(self) -> None:
        """Bring every appended answer to this machine's disk; what it refuses waits for the next try."""
        with self._lock:
            rows = [self._rows.popleft() for _ in range(len(self._rows))]
            if not rows:
                return
            try:
                columns = zip(zip(*rows, strict=True), GENERATIONS, strict=True)
                batch = pa.record_batch([pa.array(column, field.type) for column, field in columns], schema=GENERATIONS)
                self._keep(batch)
            except BaseException as error:
                self._rows.extendleft(reversed(rows))
                if isinstance(error, StorageError):
                    self._failure = self._failure or error
                raise

    def _write(self, batch: pa.RecordBatch) -> None:
        """Write a batch, cut where a segment is full."""
        room = SEGMENT_ROWS - self._file_rows
        if batch.num_rows > room:
            self._write(batch.slice(0, room))
            self._write(batch.slice(room))
            return
        with storage_errors(self._root.where(FOLDER)):
            file = self._file or self._begin_segment()
        with storage_errors(file.name):
            try:
                file.write(message_of(batch))
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                self._leave_segment()  # behind half a batch, further ones could not be read
                raise
        self._file_rows += batch.num_rows
        if self._file_rows >= SEGMENT_ROWS:
            self._end_segment()

    def _begin_segment(self) -> BinaryIO:
        path = self._root.place(f"{FOLDER}/{next(self._names)}")
        hidden = path.with_name(f".{path.name}.tmp")
        path.parent.mkdir(parents=True, exist_ok=True)
        file = hidden.open("xb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            hidden.rename(path)  # only now may another process find it, and find it locked
        except OSError:
            file.close()
            raise
        file.write(HEAD)
        self._file = file  # only now: nobody would find answers in a file without its name
        return file

    def _end_segment(self) -> None:
        if self._file is not None:
            with storage_errors(self._file.name):
                try:
                    self._file.write(END)
                finally:
                    self._leave_segment()

    def _leave_segment(self) -> None:
        """Close the segment as it is; the next batch begins another."""
        file, self._file, self._file_rows = self._file, None, 0
        if file is not None:
            file.close()

    def _spool(self, batch: pa.RecordBatch) -> None:
        """Put a batch down on this machine as a segment of its own: in a bucket no file grows.

        Where this machine's disk takes no more, it goes into the bucket at once.
        """
        name = next(self._names)
        data = HEAD + message_of(batch) + END
        path = self._root.scratch(f"{UNSENT}/{name}")
        try:
            with storage_errors(str(path)), becoming(path) as hidden:
                hidden.write_bytes(data)
        except StorageError as refused:
            try:
                self._root.write(f"{FOLDER}/{name}", data)
            except StorageError as error:
                raise StorageError(f"{refused}; and {error}") from error
        else:
            self._unsent.append((path, batch.num_rows))

    def _send(self) -> None:
        """Bring what lies on this machine into the bucket, the oldest first."""
        with self._sending:
            while self._unsent:
                try:
                    _send_one(self._root, self._unsent[0][0])
                except StorageError as error:
                    self._failure = self._failure or error
                    raise
                self._unsent.popleft()

    def _fate_of_answers(self) -> str:
        """Return, behind a failure, how many answers are kept on this machine alone, and how many nowhere."""
        fate = ""
        if kept := sum(rows for _, rows in self._unsent):
            fate = f"; {kept:,} answers are kept in {self._unsent[0][0].parent}, and the next run here brings them in"
        return fate + (f"; {len(self._rows):,} answers could be kept nowhere" if self._rows else "")

    def _now_and_then(self, act: Callable[[], None]) -> None:
        while not self._stop.wait(FLUSH_SECONDS):
            with contextlib.suppress(StorageError):  # the next `append` raises it
                act()
            if self._failure is not None:
                return


def new_run_id() -> str:
    """Return an id that no other run has: UTC time and random digits."""
    return f"{datetime.now(UTC):{_STARTED}}-{os.urandom(4).hex()}"


def segments(root: Root) -> list[str]:
    """Return the keys of all journal segments, oldest first."""
    return [f"{FOLDER}/{name}" for name in root.names(FOLDER, ".arrows")]


def send_unsent(root: Root) -> None:
    """Bring in the segments that a bucket has not taken yet from runs on this machine."""
    if root.is_local:
        return
    for path in sorted(root.scratch(f"{UNSENT}/_").parent.glob("*.arrows")):
        _send_one(root, path)


def _send_one(root: Root, path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # another process sends it, too
        root.write(f"{FOLDER}/{path.name}", path.read_bytes())
        path.unlink()


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Hold a segment as long as the block runs; False where its writer is alive, or another process holds it."""
    with contextlib.ExitStack() as stack:
        is_ours = False
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            file = stack.enter_context(path.open("rb"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = path.exists()  # another process may have folded it meanwhile
        yield is_ours


def writing_since(root: Root) -> float | None:
    """Return when the oldest writer that is alive began, in seconds since 1970; None where nobody is writing.

    In a bucket nobody can tell.
    """
    began = []
    for path in _being_written(root):
        with contextlib.suppress(ValueError):
            began.append(datetime.strptime(path.name[:15], _STARTED).replace(tzinfo=UTC).timestamp())
    return min(began, default=None)


def runs_writing(root: Root) -> list[str]:
    """Return the ids of the runs that are putting answers down now, and have put some; in a bucket nobody can tell."""
    first_batches = [next(read_segment(path), None) for path in _being_written(root)]  # a writer is one run's
    return list(dict.fromkeys(rows.column("run_id")[0].as_py() for rows in first_batches if rows is not None))


def _being_written(root: Root) -> Iterator[Path]:
    """Yield the segments of writers that are alive, oldest first."""
    for path in map(root.place, segments(root) if root.is_local else ()):
        with claimed(path) as is_free:
            is_written = not is_free and path.exists()
        if is_written:
            yield path
