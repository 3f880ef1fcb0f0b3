"""Ctrl-C: once stops cleanly, twice stops now, a third time kills. What is on disk is whole in each case."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType

from flows.watching import RunWatcher
from pipelines.engines.answering import Run
from schemas.errors import Interrupted
from storage.journal import FLUSH_SECONDS

KEPT = "every answer so far is kept: the same command goes on from here"


@contextlib.contextmanager
def stopping_on_ctrl_c(run: Run, watcher: RunWatcher) -> Iterator[None]:
    """While the block runs, the first Ctrl-C lets what is in flight come in, since it is paid for, then ends the run.

    The second one ends the process, and so does the first where requests only wait for their next try. Outside of
    dispatches it is a KeyboardInterrupt as ever. For the main thread.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        budget = run.budget
        if not budget.is_in_use:
            raise KeyboardInterrupt
        if budget.in_flight and not budget.is_stopped:
            budget.stop(Interrupted(f"interrupted; what was in flight has come in, and {KEPT}"))
            watcher.stop(budget.in_flight)
            return
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _leave(watcher)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave(watcher: RunWatcher) -> None:
    """End the process in order, and without unwinding: an exception would meet the event loop half way in its work."""
    watcher.close(KeyboardInterrupt())
    print(f"stopped: interrupted; {KEPT}", file=sys.stderr, flush=True)
    time.sleep(2 * FLUSH_SECONDS)  # the journal has a thread of its own, which brings what has come in to the disk
    os._exit(Interrupted.exit_code)
