"""Signals that end a run: Ctrl-C, SIGTERM and SIGHUP. What is on disk is whole in each case.

The first one stops cleanly: what is in flight is paid for, so it is waited for. The second one ends the process at
once, and a third kills it. Ctrl-C waits as long as it takes, since someone is there to press it again. Whoever sends
SIGTERM kills soon after (`docker stop` after 10 s), so the other two wait for `WAIT_S` unless GRMFORGE_STOP_WAIT_S says
otherwise.
"""

import contextlib
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import TYPE_CHECKING

from schemas.errors import HungUp, Interrupted, RecipeError, Terminated

if TYPE_CHECKING:
    from flows.watching.watcher import RunWatcher
    from pipelines.engines.answering import Run

WAIT_S = 8.0
WAIT_VARIABLE = "GRMFORGE_STOP_WAIT_S"
AGAIN_S = 0.01
"""After how long a signal that came inside polars is tried again."""
KEPT = "every answer so far is kept: the same command goes on from here"
_ENDS = {
    signal.SIGINT: (Interrupted, "interrupted"),
    signal.SIGTERM: (Terminated, "ended by SIGTERM"),
    signal.SIGHUP: (HungUp, "ended by SIGHUP"),
}


class Ended(SystemExit):
    """What SIGTERM and SIGHUP raise outside of dispatches. It is no Exception: what guards a row lets it through."""

    def __init__(self, error: Interrupted) -> None:
        super().__init__(error.exit_code)
        self.error = error


class Signals:
    """What this process does when it is told to end, and the runs that are at work in it. Signals are one a process."""

    def __init__(self) -> None:
        self._runs: list[tuple[Run, RunWatcher, float]] = []
        self._ending: Interrupted | None = None
        """Why all of them end, once they do."""

    @contextlib.contextmanager
    def handled(self, *numbers: signal.Signals) -> Iterator[None]:
        """End runs in order when one of these signals comes while the block runs.

        A SIGTERM or SIGHUP that is ignored stays ignored, as `nohup` wants it. Only the main thread may handle signals:
        in any other one this does nothing.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        ignored = {number for number in numbers if signal.getsignal(number) is signal.SIG_IGN} - {signal.SIGINT}
        before = {number: signal.signal(number, self._received) for number in numbers if number not in ignored}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self._ending = None  # an alarm that still comes finds nothing to end

    @contextlib.contextmanager
    def watching(self, run: "Run", watcher: "RunWatcher", wait_s: float) -> Iterator[None]:
        """Count a run as being at work while the block runs; SIGTERM and SIGHUP wait `wait_s` for what is in flight."""
        entry = (run, watcher, wait_s)
        self._runs.append(entry)
        if self._ending is not None:  # a share that starts while the others end
            run.budget.stop(self._ending)
        try:
            yield
        finally:
            self._runs.remove(entry)

    def _received(self, number: int, frame: FrameType | None) -> None:
        kind, words = _ENDS[signal.Signals(number)]
        if number == signal.SIGHUP:
            _leave_the_terminal()
        if self._ending is not None:
            self._leave(kind(f"{words}; {KEPT}"))
        self._ending = kind(f"{words}; {KEPT}")
        for run, watcher, wait_s in self._runs:
            if in_flight := run.budget.in_flight:
                watcher.stop(in_flight)
                reason = kind(f"{words}; what was in flight has come in, and {KEPT}")
                late = kind(f"{words}; not all that was in flight came in within {wait_s:g} s; {KEPT}")
                run.budget.stop(reason, *(() if number == signal.SIGINT else (wait_s, late)))
            else:
                run.budget.stop(self._ending)
        self._end(number, frame)

    def _end(self, number: int, frame: FrameType | None) -> None:
        """Raise what ends the run, as soon as nobody is at work whom an exception would meet half way."""
        if self._ending is None or any(run.budget.is_in_use for run, _, _ in self._runs):
            return  # its dispatch raises the reason: an exception here would meet the event loop
        if _is_inside_polars(frame):
            signal.signal(signal.SIGALRM, lambda _, later: self._end(number, later))
            signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
            return
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Ended(self._ending)

    def _leave(self, error: Interrupted) -> None:
        """End the process without unwinding. The journal's thread has time to bring what has come in to the disk."""
        for number in _ENDS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        for _, watcher, _ in self._runs:
            watcher.close(error)
        print(f"stopped: {error}", file=sys.stderr, flush=True)
        if self._runs:
            from storage.journal import FLUSH_SECONDS

            time.sleep(2 * FLUSH_SECONDS)
        os._exit(error.exit_code)


SIGNALS = Signals()


def stop_wait_s(environment: Mapping[str, str]) -> float:
    """Return how long SIGTERM and SIGHUP wait for what is in flight. Raises RecipeError where that is no number."""
    setting = environment.get(WAIT_VARIABLE, "").strip()
    try:
        seconds = float(setting) if setting else WAIT_S
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= threading.TIMEOUT_MAX:
        raise RecipeError(f"{WAIT_VARIABLE}={setting}: give the seconds that a stopped run may wait, such as 25")
    return seconds


def _is_inside_polars(frame: FrameType | None) -> bool:
    """Return whether polars has called what is at work: where its Rust calls Python, it panics at an exception."""
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] == "polars":
            return True
        frame = frame.f_back
    return False


def _leave_the_terminal() -> None:
    """Send stdout and stderr nowhere where their terminal has gone: writing to it would be an error."""
    for number in (1, 2):
        with contextlib.suppress(OSError):
            if stat.S_ISCHR(os.fstat(number).st_mode) and not os.isatty(number):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, number)
                os.close(nowhere)
