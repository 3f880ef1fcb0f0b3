"""A run of the command: shown on stderr, remembered in its event log, ended in order by Ctrl-C and its like."""

import contextlib
import os
import signal
from collections.abc import Iterator

from rich.console import Console

from flows.watching.interruption import SIGNALS
from flows.watching.progress import display_for
from flows.watching.watcher import watched_run
from pipelines.engines.answering import Run
from pipelines.engines.early_stop import BUILD, PROBE
from schemas.recipe import Recipe
from storage.journal import runs_writing
from storage.root import Root
from storage.run_events import FOLDER

PROBING = ("probe", "plan")
"""Commands that ask for a few answers, to see how they are."""


@contextlib.contextmanager
def running(
    recipe: Recipe, root: Root, what: str, retry_failed: bool = False, wait: bool = False, keep_going: bool = False
) -> Iterator[Run]:
    """Give a run for a command; `what` names it in the event log, such as `build`.

    Where a model's first answers are of no use it ends early, unless it is to keep going; a probe sooner than others.
    Where another run is at work under the root, it says so and goes on: both may ask for the same.
    """
    displays = [display_for(Console(stderr=True))]
    looks = () if keep_going else PROBE if what in PROBING else BUILD
    with (
        SIGNALS.handled(signal.SIGINT),
        watched_run(
            recipe, root, os.environ, displays, what=what, retry_failed=retry_failed, wait=wait, looks=looks
        ) as (
            run,
            watcher,
        ),
    ):
        for other in runs_writing(root) if what != "plan" else ():
            watcher.warn(
                f"run {other} is at work under this root, see {root.where(f'{FOLDER}/{other}.jsonl')}; what both ask "
                "for is paid for twice"
            )
        yield run
