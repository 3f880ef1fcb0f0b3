"""A run of the command: shown on stderr, remembered in its event log, stopped by Ctrl-C."""

import contextlib
import os
from collections.abc import Iterator

from rich.console import Console

from flows.interruption import stopping_on_ctrl_c
from flows.progress import display_for
from flows.watching import watched_run
from pipelines.engines.answering import Run
from schemas.recipe import Recipe
from storage.root import Root


@contextlib.contextmanager
def running(recipe: Recipe, root: Root, what: str, retry_failed: bool = False, wait: bool = False) -> Iterator[Run]:
    """Give a run for a command; `what` names it in the event log, such as `build`."""
    displays = [display_for(Console(stderr=True))]
    with (
        watched_run(recipe, root, os.environ, displays, what=what, retry_failed=retry_failed, wait=wait) as (
            run,
            watcher,
        ),
        stopping_on_ctrl_c(run, watcher),
    ):
        yield run
