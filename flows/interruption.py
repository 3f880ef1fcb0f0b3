"""Ctrl-C: once stops cleanly, twice stops now, a third time kills. What is on disk is whole in each case."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from flows.watching import RunWatcher
from pipelines.engines.answering import Run
from schemas.errors import Interrupted


@contextlib.contextmanager
def stopping_on_ctrl_c(run: Run, watcher: RunWatcher) -> Iterator[None]:
    """While the block runs, the first Ctrl-C lets what is in flight come in, since it is paid for, then ends the run.

    With nothing in flight, and at the second Ctrl-C, KeyboardInterrupt ends it at once. Main thread only.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        if run.budget.in_flight and not run.budget.is_stopped:
            run.budget.stop(
                Interrupted("interrupted; what was in flight has come in and every answer is kept: run again to go on")
            )
            watcher.stop(run.budget.in_flight)
            return
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
