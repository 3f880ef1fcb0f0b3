"""The processes that grade, one a core, and the pairs they are given.

Plain child processes on pipes: started by exec, so that no thread of this process is copied halfway through what it
does, and with nothing imported that they do not need. Nobody watches a clock here: a worker that hangs is ended by its
own timers (`worker`), and the end of its output says that the pair it was at is `timed_out`. A new worker goes on with
the rest of its batch.

A worker takes a second of its core to start. So a few of them rest between two crews, and the next one takes them over.
"""

import atexit
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from pipelines.grading.worker import OUT_OF_MEMORY
from schemas.errors import EngineError
from schemas.question import Gold, Grade, Verdict

BATCH = 32
BATCH_BYTES = 8_000_000
"""A pair that is longer goes alone: if it is too much for a worker, that must not be laid to another."""
AHEAD = 4
"""Batches a worker that may wait for an earlier one to be done: a pair that hangs holds up the order, not the work."""
MOST_RESTING = 4
"""Workers that rest between two crews at most, with a hundred MB each."""
_OF_A_PAIR = (OUT_OF_MEMORY, -signal.SIGPROF, -signal.SIGALRM)
"""The exit codes of a worker whose pair took too long, or too much memory."""
_START = "import sys; sys.path[:] = sys.argv[3:]; from pipelines.grading import worker; " + (
    "worker.work(float(sys.argv[1]), int(sys.argv[2]))"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one pair may take."""

    seconds: float = 5.0
    """Of a processor; ten times as long by the clock."""
    memory: int = 1 << 30
    """Bytes, beyond what the process has mapped at its start. Enforced on Linux."""


@dataclass(slots=True)
class _Batch:
    """Pairs as a worker reads them, a line each, and the grades so far."""

    lines: list[bytes]
    grades: list[Grade] = field(default_factory=list)

    def done(self) -> bool:
        return len(self.grades) == len(self.lines)


class _Worker:
    """One process, and the batch it is at."""

    def __init__(self, limits: Limits) -> None:
        command = [sys.executable, "-c", _START, str(limits.seconds), str(limits.memory), *sys.path]
        # Without a fixed seed the order of a set, and with it what sympy does first, would be another in each process.
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self.limits = limits
        self.has_rested = False
        self.batch: _Batch | None = None
        self._unread = b""

    @property
    def output(self) -> int:
        """The descriptor that its grades come from."""
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def take(self, batch: _Batch) -> None:
        """Hand over what is left of a batch. The worker reads all of it before it grades, so this cannot block it."""
        self.batch = batch
        left = batch.lines[len(batch.grades) :]
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it is gone: its output ends, and `read` says so
            self.process.stdin.write(b"%d\n" % len(left) + b"".join(left))
            self.process.stdin.flush()

    def read(self) -> bool:
        """Take in the grades that have come; False where the worker is gone."""
        received = os.read(self.output, 1 << 16)
        *lines, self._unread = (self._unread + received).split(b"\n")
        for line in lines:
            assert self.batch is not None
            verdict, answer = json.loads(line)
            self.batch.grades.append(Grade(Verdict(verdict), answer))
            if self.batch.done():
                self.batch = None
        return bool(received)

    def end(self) -> int:
        """End the process, if it runs, and return its exit code."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        return self.process.wait()


_resting: list[_Worker] = []
_resting_lock = threading.Lock()


def _rest(worker: _Worker) -> bool:
    """Let a worker without a batch rest until the next crew; say whether there is room for it."""
    with _resting_lock:
        has_room = worker.batch is None and worker.process.poll() is None and len(_resting) < MOST_RESTING
        if has_room:
            worker.has_rested = True
            _resting.append(worker)
    return has_room


def _rested(limits: Limits) -> _Worker | None:
    """Return a worker with these limits that rests, if there is one."""
    with _resting_lock:
        found = next((worker for worker in _resting if worker.limits == limits), None)
        if found:
            _resting.remove(found)
    if found and found.process.poll() is not None:
        found.end()
        return _rested(limits)
    return found


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_resting.clear)  # they are the parent's: two cannot talk to one worker


@atexit.register
def end_resting() -> None:
    """End the workers that rest."""
    with _resting_lock:
        while _resting:
            _resting.pop().end()


class Crew:
    """At most `size` workers, started as there is work for them. Behind the `with` block a few rest, the others end."""

    def __init__(self, size: int | None, limits: Limits) -> None:
        self._size = size or _cores()
        self._limits = limits
        self._workers: list[_Worker] = []
        self._outputs = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._outputs.close()
        for worker in self._workers:
            if not _rest(worker):
                worker.end()

    def grades(self, items: Iterable[tuple[Gold, str]]) -> Iterator[Grade]:
        """Yield the grades of pairs in their order."""
        batches = _batches(items)
        waiting: deque[_Batch] = deque()
        while True:
            while len(waiting) < AHEAD * self._size and self._has_room() and (batch := next(batches, None)):
                waiting.append(batch)
                self._idle().take(batch)
            if not waiting:
                return
            while waiting and waiting[0].done():
                yield from waiting.popleft().grades
            if any(worker.batch for worker in self._workers):
                self._read()

    def _has_room(self) -> bool:
        return len(self._workers) < self._size or any(worker.batch is None for worker in self._workers)

    def _idle(self) -> _Worker:
        """Return a worker without a batch, a new one where all are busy."""
        return next((worker for worker in self._workers if worker.batch is None), None) or self._start()

    def _start(self) -> _Worker:
        worker = _rested(self._limits) or _Worker(self._limits)
        self._workers.append(worker)
        self._outputs.register(worker.output, selectors.EVENT_READ, worker)
        return worker

    def _read(self) -> None:
        """Wait until a worker has something to say, and replace those that are gone."""
        for key, _ in self._outputs.select():
            worker: _Worker = key.data
            if not worker.read():
                self._replace(worker)

    def _replace(self, worker: _Worker) -> None:
        """Grade the pair that a worker died of, and give the rest of its batch to a new one."""
        self._outputs.unregister(worker.output)
        self._workers.remove(worker)
        code = worker.process.wait()
        worker.end()
        if code >= 0 and code != OUT_OF_MEMORY:
            raise EngineError(f"a verifier process ended with code {code}: what it said stands above this line")
        if worker.batch is None:
            return
        # A worker that rested may have been ended from outside: its pair is tried once more.
        if not worker.has_rested or code in _OF_A_PAIR:
            worker.batch.grades.append(Grade(Verdict.TIMED_OUT))
        if not worker.batch.done():
            self._start().take(worker.batch)


def _batches(items: Iterable[tuple[Gold, str]]) -> Iterator[_Batch]:
    """Yield the pairs in batches, as workers read them."""
    lines: list[bytes] = []
    size = 0
    for gold, text in items:
        line = json.dumps([gold.form, gold.answer, gold.options, gold.tolerance, text]).encode() + b"\n"
        if lines and (len(lines) == BATCH or size + len(line) > BATCH_BYTES):
            yield _Batch(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        yield _Batch(lines)


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
