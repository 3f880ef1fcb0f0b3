"""The journal: every answer kept within a second of its arrival, in files that only grow.

One writer has one journal, cut into segments: `generations/journal/<writer>-<seq>.arrows`, Arrow IPC streams of
GENERATIONS. A writer holds a lock on the segment it writes to, from before anyone can see it, so that others know
whether it is still alive. A torn tail, as a kill leaves it, is read up to its last whole batch.

In a bucket of object storage nothing grows and nothing is locked: there each flush is a segment, whole from the start.
"""

import contextlib
import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import pyarrow as pa

from schemas.errors import StorageError
from schemas.generation import GENERATIONS, Completion, Request, body_json
from storage.root import Root, storage_errors
from storage.tables import check_format, filled

FOLDER = "generations/journal"
UNSENT = "unsent"
"""What a bucket would not take lies there, among what is this machine's alone."""
FLUSH_SECONDS = 0.5
FLUSH_ROWS = 4_096
SEGMENT_ROWS = 65_536
_STARTED = "%Y%m%dT%H%M%S"
_IPC_BEGINS = b"\xff\xff\xff\xff"


class JournalWriter:
    """Appends answers; a background thread flushes them twice a second. Use as a context manager."""

    def __init__(self, root: Root, run_id: str) -> None:
        self._root = root
        self._run_id = run_id
        self._writer = new_run_id()  # a run has several writers, one after the other
        self._rows: deque[tuple[Any, ...]] = deque()  # appended to by one thread while another takes from it
        self._lock = threading.Lock()
        self._sequence = 0
        self._file: BinaryIO | None = None
        self._stream: pa.RecordBatchStreamWriter | None = None
        self._segment_rows = 0
        self._stop = threading.Event()
        self._failure: StorageError | None = None
        self._thread = threading.Thread(target=self._flush_now_and_then, name="journal", daemon=True)

    def __enter__(self) -> "JournalWriter":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        try:
            if self._failure is None:
                self.flush()
        finally:
            self._close_segment()
        if self._failure is not None and error is None:
            raise self._failure

    def append(self, request: Request, completion: Completion) -> None:
        """Put down an answer. Raises StorageError once the disk has refused an earlier one."""
        if self._failure is not None:
            raise self._failure
        self._rows.append(
            (
                request.request_id,
                request.query_id,
                request.role,
                body_json(request.body),
                completion.text,
                completion.reasoning,
                completion.finish_reason,
                completion.error,
                completion.served_model,
                completion.prompt_tokens,
                completion.completion_tokens,
                completion.cached_tokens,
                completion.reasoning_tokens,
                completion.cost_usd,
                time.time_ns() // 1_000,
                self._run_id,
            )
        )
        if len(self._rows) >= FLUSH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Bring every appended answer to the disk."""
        with self._lock:
            rows = [self._rows.popleft() for _ in range(len(self._rows))]
            if not rows:
                return
            arrays = [
                pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), GENERATIONS, strict=True)
            ]
            try:
                self._write(pa.record_batch(arrays, schema=GENERATIONS))
            except StorageError as error:
                self._failure = error  # behind half a batch, further ones could not be read
                raise

    def _write(self, batch: pa.RecordBatch) -> None:
        """Write a batch, cut where a segment is full."""
        if not self._root.is_local:
            self._put(batch)
            return
        room = SEGMENT_ROWS - self._segment_rows
        if batch.num_rows > room:
            self._write(batch.slice(0, room))
            self._write(batch.slice(room))
            return
        with storage_errors(self._root.where(FOLDER)):
            if self._stream is None:
                self._open_segment()
            assert self._stream is not None
            assert self._file is not None
            self._stream.write_batch(batch)
            self._file.flush()
            os.fsync(self._file.fileno())
        self._segment_rows += batch.num_rows
        if self._segment_rows >= SEGMENT_ROWS:
            self._close_segment()

    def _put(self, batch: pa.RecordBatch) -> None:
        """Put a batch as a segment of its own: in a bucket no file grows."""
        sink = pa.BufferOutputStream()
        with _stream_to(sink) as stream:
            stream.write_batch(batch)
        name = self._next_name()
        data = sink.getvalue().to_pybytes()
        try:
            self._root.write(f"{FOLDER}/{name}", data)
        except StorageError as error:
            path = self._root.scratch(f"{UNSENT}/{name}")
            with storage_errors(str(path)):
                path.write_bytes(data)
            raise StorageError(
                f"{error}; {batch.num_rows:,} answers are kept in {path.parent}, and the next run on this machine "
                "brings them in"
            ) from error

    def _next_name(self) -> str:
        self._sequence += 1
        return f"{self._writer}-{self._sequence - 1:05}.arrows"

    def _flush_now_and_then(self) -> None:
        while not self._stop.wait(FLUSH_SECONDS):
            with contextlib.suppress(StorageError):  # the next `append` raises it
                self.flush()
            if self._failure is not None:
                return

    def _open_segment(self) -> None:
        path = self._root.place(f"{FOLDER}/{self._next_name()}")
        hidden = path.with_name(f".{path.name}.tmp")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = hidden.open("xb")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        hidden.rename(path)  # only now may another process find it, and find it locked
        self._stream = _stream_to(self._file)

    def _close_segment(self) -> None:
        stream, file = self._stream, self._file
        self._stream = self._file = None
        self._segment_rows = 0
        if file is None:
            return
        with storage_errors(file.name):
            try:
                if stream is not None:
                    stream.close()
            finally:
                file.close()


def _stream_to(sink: Any) -> pa.RecordBatchStreamWriter:
    return pa.ipc.new_stream(sink, GENERATIONS, options=pa.ipc.IpcWriteOptions(compression="zstd"))


def new_run_id() -> str:
    """Return an id that no other run has: UTC time and random digits."""
    return f"{datetime.now(UTC):{_STARTED}}-{os.urandom(4).hex()}"


def segments(root: Root) -> list[str]:
    """Return the keys of all journal segments, oldest first."""
    return [f"{FOLDER}/{name}" for name in root.names(FOLDER, ".arrows")]


def send_unsent(root: Root) -> None:
    """Bring in the segments that a bucket would not take from an earlier run on this machine."""
    if root.is_local:
        return
    for path in sorted(root.scratch(f"{UNSENT}/_").parent.glob("*.arrows")):
        with contextlib.suppress(FileNotFoundError):  # another process is at it, too
            root.write(f"{FOLDER}/{path.name}", path.read_bytes())
            path.unlink()


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Hold a segment as long as the block runs; False where its writer is alive, or another process holds it."""
    with contextlib.ExitStack() as stack:
        claim = False
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            file = stack.enter_context(path.open("rb"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            claim = True
        yield claim


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
    runs: dict[str, None] = {}
    for path in _being_written(root):
        rows = next(read_segment(path), None)  # any will do: a writer is one run's
        if rows is not None:
            runs[rows.column("run_id")[0].as_py()] = None
    return list(runs)


def _being_written(root: Root) -> list[Path]:
    """Return the segments of writers that are alive, oldest first."""
    found = []
    for key in segments(root) if root.is_local else ():
        path = root.place(key)
        with claimed(path) as is_free:
            if not is_free and path.exists():
                found.append(path)
    return found


def is_readable(path: Path) -> bool:
    """Say whether a file begins as a journal does, as far as its writer came before it was killed."""
    with storage_errors(str(path)), path.open("rb") as file:
        return _IPC_BEGINS.startswith(file.read(len(_IPC_BEGINS)))


def read_segment(path: Path) -> Iterator[pa.Table]:
    """Yield a segment's whole batches; what stands behind the last of them is a torn tail, lost with its writer.

    A segment that has gone meanwhile has none: its answers are in the buckets.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(storage_errors(str(path)))
        try:
            stream = pa.ipc.open_stream(stack.enter_context(path.open("rb")))
        except (FileNotFoundError, pa.ArrowInvalid, EOFError):
            return  # gone, or its writer was killed before the first batch
        check_format(stream.schema.metadata, str(path))
        while (batch := _next_batch(stream)) is not None:
            yield filled(pa.Table.from_batches([batch]), GENERATIONS)


def _next_batch(stream: pa.RecordBatchStreamReader) -> pa.RecordBatch | None:
    """Return the next whole batch; None at the end and at a torn tail. Raises OSError where the disk fails."""
    try:
        return stream.read_next_batch()
    except (StopIteration, pa.ArrowInvalid):
        return None
    except OSError as error:
        if error.errno:  # the system's, not Arrow's word for a batch that is too short
            raise
        return None
