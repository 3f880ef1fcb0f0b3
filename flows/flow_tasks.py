"""What flows and their tasks have in common: how they end, what they are told of, and a run that shows itself."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from prefect import State
from prefect.logging import get_run_logger
from prefect.states import Cancelled

from flows.interruption import SIGNALS, Ended
from flows.progress import Lines
from flows.progress_artifact import ProgressArtifact
from flows.watching import Display, RunWatcher, watched_run
from pipelines import build
from pipelines.engines.answering import Run
from pipelines.engines.early_stop import BUILD
from pipelines.engines.shares import WHOLE, Share
from pipelines.reporting.visible import visible
from schemas.errors import Interrupted, StoppedEarly, StorageError
from schemas.recipe import Recipe, read_recipe
from storage.root import Root
from storage.stages import Stage, find_stage

Order = tuple[str, str, str | None, int | None]
"""What a flow run is to build: recipe, sets, root, limit."""
_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def cancellable(flow: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result | State[str]]:
    """Return the flow as one that ends as Cancelled, and in order, on SIGTERM and SIGHUP.

    A worker that cancels a run sends SIGTERM, and kills it 30 seconds later; `docker stop` sends one too. Prefect's own
    handler raises wherever it is, and calls a run Crashed that no worker cancelled.
    """

    @wraps(flow)
    def ended_in_order(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result | State[str]:
        try:
            with SIGNALS.handled(signal.SIGTERM, signal.SIGHUP):
                return flow(*args, **kwargs)
        except (Interrupted, Ended) as end:
            return Cancelled(message=str(end.error if isinstance(end, Ended) else end))

    return ended_in_order


def settings_of(recipe: str, sets: str, root: str | None, limit: int | None) -> Recipe:
    """Return the recipe of an order."""
    return build.changed(read_recipe(Path(recipe)), sets=sets, root=root, limit=limit)


def root_of(settings: Recipe) -> Root:
    return Root.open(settings.build.root)


@contextlib.contextmanager
def watched_task(
    settings: Recipe, root: Root, what: str, share: Share = WHOLE, run_id: str | None = None, keep_going: bool = False
) -> Iterator[Run]:
    """Give a run that shows in the task's log, as a progress artifact, and in the event log under the root.

    Where it ends early, since a model's answers are of no use, the task's log shows one of them whole.
    """
    looks = () if keep_going else BUILD
    which = f" {share.name}" if share.of > 1 else ""
    displays: list[Display] = [Lines(get_run_logger().info), ProgressArtifact(f"{settings.build.name}{which}")]
    what = f"flow {settings.build.name} {what}{which}"
    try:
        with watched_run(settings, root, os.environ, displays, what=what, run_id=run_id, looks=looks) as (run, _):
            yield run
    except StoppedEarly as stop:
        get_run_logger().error("%s", visible(stop.example))
        raise


def quiet_run(settings: Recipe) -> Run:
    """Return a run that asks for nothing."""
    return build.new_run(settings, os.environ, RunWatcher([Lines(get_run_logger().info)]))


def stage_at(root: Root, key: str) -> Stage:
    """Return a finished stage. Raises StorageError where it is not there any more."""
    found = find_stage(root, key)
    if found is None:
        raise StorageError(f"{root.where(key)}: the stage has gone; run the flow again")
    return found
