"""A run of the command: shown on stderr, remembered in its event log, ended in order by Ctrl-C and its like."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from flows.watching.interruption import SIGNALS
from flows.watching.progress import display_for
from flows.watching.watcher import RunWatcher, watched_run
from pipelines.engines.answering import Run
from pipelines.engines.early_stop import BUILD, PROBE
from pipelines.orders import Order, new_run
from schemas.recipe import Recipe
from storage.journal import runs_writing
from storage.root import Root, root_to_look_at
from storage.run_events import FOLDER

Started = tuple[Recipe, Root, Run]
"""A run that has begun, of this recipe under this root."""
PROBING = ("probe", "plan")
"""Commands that ask for a few answers, and look at them."""


@contextlib.contextmanager
def looking(recipe: Path, sets: str | None, root: str | None, limit: int | None) -> Iterator[Started]:
    """Give a run that asks for nothing. Its root may be one that cannot be written."""
    settings = Order(str(recipe), sets, root, limit).read()
    with root_to_look_at(settings.build.root) as place:
        yield settings, place, new_run(settings, os.environ, RunWatcher())


@contextlib.contextmanager
def started(
    what: str,
    recipe: Path,
    sets: str | None = None,
    root: str | None = None,
    limit: int | None = None,
    keep_going: bool = False,
    *,
    retry_failed: bool = False,
    wait: bool = False,
) -> Iterator[Started]:
    """Give a run of a recipe with these changes; `what` names the command in the event log, such as `build`.

    Where a model's first answers are of no use it ends early, unless it is to keep going; a probe sooner than others.
    Where another run is at work under the root, it says so and goes on: both may ask for the same.
    """
    settings = Order(str(recipe), sets, root, limit, keep_going).read()
    place = Root.open(settings.build.root)
    displays = [display_for(Console(stderr=True))]
    looks = () if keep_going else PROBE if what in PROBING else BUILD
    watched = watched_run(
        settings, place, os.environ, displays, what=what, retry_failed=retry_failed, wait=wait, looks=looks
    )
    with SIGNALS.handled(signal.SIGINT), watched as (run, watcher):
        for other in runs_writing(place) if what != "plan" else ():
            watcher.warn(
                f"run {other} is at work under this root, see {place.where(f'{FOLDER}/{other}.jsonl')}; what both ask "
                "for is paid for twice"
            )
        yield settings, place, run
