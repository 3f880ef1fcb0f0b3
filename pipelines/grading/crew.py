"""The processes that grade, one a core, and the pairs they are given.

They are child processes on pipes, started by exec, so that no thread of this process is copied halfway through what it
does. Nobody watches a clock here: a worker that hangs is ended by its own timers (`worker`), and the end of its output
says that the pair it was at is `timed_out`. A new worker goes on with the rest of its batch. A worker takes a second to
start, so a few of them rest between two crews.
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
from contextlib import closing, suppress
from dataclasses import dataclass, field

from pipelines.grading.worker import OUT_OF_MEMORY
from schemas.errors import EngineError
from schemas.question import Gold, Grade, Verdict

BATCH = 32
BATCH_BYTES = 8_000_000
"""A pair that is longer goes alone: if it is too much for a worker, that must not be laid to another."""
AHEAD = 4
"""Batches a worker that may wait for an earlier one to be done: a pair that hangs holds up the order, not the work."""
MOST_RESTING = 4  # workers that rest between two crews at most, with a hundred MB each
# The exit codes of a worker whose pair took too long, or too much memory.
_OF_A_PAIR = (OUT_OF_MEMORY, -signal.SIGPROF, -signal.SIGALRM)
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


def grade_all(
    items: Iterable[tuple[Gold, str]], *, workers: int | None = None, limits: Limits | None = None
) -> Iterator[Grade]:
    """Yield a grade for each pair of gold answer and text, in order, by `workers` processes (one a core).

    A pair that exceeds the limits is `timed_out`, and no other pair suffers from it. The pairs are drawn as they are
    needed. Raises EngineError where the processes do not start.
    """
    with closing(_Crew(workers or _cores(), limits or Limits())) as crew:
        yield from crew.grades(items)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(slots=True)
class _Batch:
    """Pairs as a worker reads them, a line each, and the grades so far."""

    lines: list[bytes]
    grades: list[Grade] = field(default_factory=list)

    @property
    def left(self) -> list[bytes]:
        return self.lines[len(self.grades) :]


def _batches(items: Iterable[tuple[Gold, str]]) -> Iterator[_Batch]:
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


class _Worker:
    """One process, and the batch it is at."""

    def __init__(self, limits: Limits) -> None:
        command = [sys.executable, "-c", _START, str(limits.seconds), str(limits.memory), *sys.path]
        # Without a fixed seed the order of a set, and with it what sympy does first, would be another in each process.
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        assert self.process.stdin is not None and self.process.stdout is not None
        self.pipes = self.process.stdin, self.process.stdout
        self.limits = limits
        self.has_rested = False
        self.batch: _Batch | None = None
        self._unread = b""

    def take(self, batch: _Batch) -> None:
        """Hand over what is left of a batch. The worker reads all of it before it grades, so this cannot block it."""
        self.batch = batch
        with suppress(BrokenPipeError):  # it is gone: its output ends, and `read` says so
            self.pipes[0].write(b"%d\n" % len(batch.left) + b"".join(batch.left))
            self.pipes[0].flush()

    def read(self) -> bool:
        """Take in the grades that have come; False where the worker is gone."""
        received = os.read(self.pipes[1].fileno(), 1 << 16)
        *lines, self._unread = (self._unread + received).split(b"\n")
        for line in lines:
            assert self.batch is not None
            verdict, answer = json.loads(line)
            self.batch.grades.append(Grade(Verdict(verdict), answer))
            if not self.batch.left:
                self.batch = None
        return bool(received)

    def end(self) -> None:
        """End the process, if it runs."""
        self.process.kill()
        for pipe in self.pipes:
            with suppress(BrokenPipeError):
                pipe.close()
        self.process.wait()


_resting: list[_Worker] = []
_resting_lock = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_resting.clear)  # they are the parent's: two cannot talk to one worker


def _rest(worker: _Worker) -> None:
    """Let a worker without a batch rest until the next crew. It ends where there is no room for it."""
    with _resting_lock:
        worker.has_rested = worker.batch is None and worker.process.poll() is None and len(_resting) < MOST_RESTING
        if worker.has_rested:
            _resting.append(worker)
    if not worker.has_rested:
        worker.end()


def _rested(limits: Limits) -> _Worker | None:
    """Return a worker with these limits that rests, if there is one."""
    with _resting_lock:
        for worker in [worker for worker in _resting if worker.limits == limits]:
            _resting.remove(worker)
            if worker.process.poll() is None:
                return worker
            worker.end()
    return None


@atexit.register
def end_resting() -> None:
    """End the workers that rest."""
    with _resting_lock:
        while _resting:
            _resting.pop().end()


class _Crew:
    """At most `size` workers, started as there is work for them. When it closes a few rest, the others end."""

    def __init__(self, size: int, limits: Limits) -> None:
        self._size = size
        self._limits = limits
        self._workers: list[_Worker] = []
        self._outputs = selectors.DefaultSelector()

    def close(self) -> None:
        self._outputs.close()
        for worker in self._workers:
            _rest(worker)

    def grades(self, items: Iterable[tuple[Gold, str]]) -> Iterator[Grade]:
        """Yield the grades of pairs in their order."""
        batches = _batches(items)
        waiting: deque[_Batch] = deque()
        while True:
            while len(waiting) < AHEAD * self._size and (self._idle() or len(self._workers) < self._size):
                batch = next(batches, None)
                if batch is None:
                    break
                waiting.append(batch)
                (self._idle() or self._start()).take(batch)
            if not waiting:
                return
            while waiting and not waiting[0].left:
                yield from waiting.popleft().grades
            if any(worker.batch for worker in self._workers):
                for key, _ in self._outputs.select():
                    if not key.data.read():
                        self._replace(key.data)

    def _idle(self) -> _Worker | None:
        return next((worker for worker in self._workers if worker.batch is None), None)

    def _start(self) -> _Worker:
        worker = _rested(self._limits) or _Worker(self._limits)
        self._workers.append(worker)
        self._outputs.register(worker.pipes[1], selectors.EVENT_READ, worker)
        return worker

    def _replace(self, worker: _Worker) -> None:
        """Grade the pair that a worker died of, and give the rest of its batch to a new one."""
        self._outputs.unregister(worker.pipes[1])
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
        if worker.batch.left:
            self._start().take(worker.batch)
