"""Who watches a run: one counter, and displays that look at it now and then from a thread that mostly sleeps."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import copy_context
from types import TracebackType

import pyarrow as pa

from flows.watching.event_log import EventLog
from flows.watching.interruption import SIGNALS, Ended, stop_wait_s
from flows.watching.progress import Display
from flows.watching.tally import SAMPLE_EVERY_S, StageTally
from pipelines.engines.answering import Run
from pipelines.engines.early_stop import BUILD, Look
from pipelines.orders import new_run
from schemas.errors import BudgetReached, Interrupted
from schemas.generation import Completion
from schemas.recipe import Recipe
from storage.root import Root


class RunWatcher:
    """Counts what a run does, and lets its displays show it; use as a context manager."""

    def __init__(self, displays: Sequence[Display] = ()) -> None:
        self.stage_tally: StageTally | None = None
        self._counts = StageTally("before any stage", None)
        self._displays = list(displays)
        self._turn = threading.RLock()
        self._over = threading.Event()
        self._waited_for: int | None = None
        # Prefect finds the task that its calls belong to in the context.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._show_now_and_then,), name="progress", daemon=True
        )

    def add(self, display: Display) -> None:
        """Add a display, before the run begins."""
        self._displays.append(display)

    def __enter__(self) -> "RunWatcher":
        if self._displays:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._displays:
            self._thread.join()
        self.close(error)

    def close(self, error: BaseException | None) -> None:
        """End the stage and every display."""
        self._over.set()
        with self._turn, contextlib.ExitStack() as closing:  # each is closed, whatever becomes of the others
            for display in self._displays:
                closing.callback(display.close, error)
            self._end_stage()

    def stage(self, name: str, total: int | None) -> None:
        with self._turn:
            self._end_stage()
            tally = self.stage_tally = self._counts = StageTally(name, total)
            self._each(lambda display: display.began(tally))

    def answered(self, completion: Completion) -> None:
        self._counts.count(completion)

    def found(self, completion: Completion) -> None:
        self._counts.found += 1

    def judged(self, outcome: str, is_kept: bool = False) -> None:
        self._counts.judged(outcome, is_kept)

    def retried(self, reason: str) -> None:
        self._counts.count_retry(reason)

    def in_flight(self, requests: int, room: int) -> None:
        self._counts.fly(requests, room)

    def warn(self, text: str) -> None:
        self._each(lambda display: display.warn(text))

    def said(self, text: str) -> None:
        """Show a line that is neither progress nor a warning."""
        self._each(lambda display: display.say(text))

    def stop(self, in_flight: int) -> None:
        """Say, at the next look, that what is in flight is waited for. Safe in a signal handler: it takes no lock."""
        self._waited_for = in_flight

    def _each(self, act: Callable[[Display], None]) -> None:
        """Do something with every display, in turn with the thread that shows progress."""
        with self._turn:
            for display in self._displays:
                act(display)

    def _end_stage(self) -> None:
        with self._turn:
            if (tally := self.stage_tally) is None:
                return
            tally.flying = 0
            self._each(lambda display: display.ended(tally))
            self.stage_tally = None

    def _show_now_and_then(self) -> None:
        shown = dict.fromkeys(self._displays, time.monotonic())
        is_told = False
        while not self._over.wait(min(SAMPLE_EVERY_S, *(display.every_s for display in self._displays))):
            now = time.monotonic()
            with self._turn:
                if (stage := self.stage_tally) is None:
                    continue
                stage.sample(now)
                if self._waited_for is not None and not is_told:
                    is_told = True
                    for display in self._displays:
                        display.stopping(self._waited_for)
                for display in self._displays:
                    if now - max(shown[display], stage.started) >= display.every_s:
                        shown[display] = now
                        display.show(stage)


@contextlib.contextmanager
def watched_run(
    recipe: Recipe,
    root: Root,
    environment: Mapping[str, str],
    displays: Sequence[Display] = (),
    *,
    what: str,
    retry_failed: bool = False,
    wait: bool = False,
    run_id: str | None = None,
    looks: tuple[Look, ...] = BUILD,
) -> Iterator[tuple[Run, RunWatcher]]:
    """Give a run that its displays show and its event log remembers; `what` says whose run it is, such as `build`.

    `run_id` is given where one run has several tries, `looks` as `new_run` says.
    """
    # From the C library, which hands the same pages out again: page by page anew, tables cost a fifth more time.
    pa.set_memory_pool(pa.system_memory_pool())
    watcher = RunWatcher(displays)
    run = new_run(recipe, environment, watcher, retry_failed, wait, run_id, looks)
    wait_s = stop_wait_s(environment)
    watcher.add(EventLog(recipe, root, run, what))
    # A server takes its time to end: the log has its own end before that.
    with SIGNALS.watching(run, watcher, wait_s), contextlib.closing(run.servers), watcher:
        try:
            yield run, watcher
        except Ended as ended:
            raise ended.error from None
        except (BudgetReached, Interrupted) as stop:
            if (stage := watcher.stage_tally) is None or not stage.left:
                raise
            raise type(stop)(f"{stop}; left: {stage.left:,} of {stage.total:,} answers of {stage.name}") from None
