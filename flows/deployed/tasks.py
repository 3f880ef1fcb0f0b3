"""What flows share: a step as a task, a run that shows itself, and an end in order.

Tasks take and return places, never rows. Each step finds its finished stage by itself, so Prefect neither caches nor
stores results. Keys are read from the environment inside the task.
"""

import contextlib
import os
import re
import signal
from collections.abc import Callable, Iterator
from functools import wraps
from typing import NamedTuple, ParamSpec, TypeVar
from uuid import UUID

from prefect import State, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger
from prefect.states import Cancelled

from flows.watching.interruption import SIGNALS, Ended
from flows.watching.progress import Display, Lines
from flows.watching.tally import StageTally
from flows.watching.watcher import RunWatcher, watched_run
from pipelines.engines.answering import Run
from pipelines.engines.asking import Answers, Product
from pipelines.engines.budget import Spent
from pipelines.engines.early_stop import BUILD
from pipelines.engines.shares import WHOLE, Share
from pipelines.orders import Order, new_run
from pipelines.reporting.visible import visible
from pipelines.steps import steps_of
from pipelines.walk import Step
from schemas.errors import Interrupted, StoppedEarly, StorageError
from schemas.recipe import Recipe
from storage.root import Root
from storage.stages import Stage, find_stage

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class Place(NamedTuple):
    """Where the product of a step lies, and what it took."""

    stage: str
    bought: dict[str, int]
    """How many requests of each role were bought in this flow run to make it."""

    @classmethod
    def of(cls, product: Product) -> "Place":
        return cls(product.stage.key, dict(product.bought))

    def product(self, root: Root) -> Product:
        return Product(stage_at(root, self.stage), self.bought)


class ProgressArtifact(Display):
    """A display that keeps one artifact for each stage that asks for answers; the log has the rest.

    It lives inside a Prefect task.
    """

    every_s = 5.0

    def __init__(self, name: str) -> None:
        self._name = name
        self._artifact: UUID | None = None
        self._logger = get_run_logger()

    def began(self, stage: StageTally) -> None:
        self._artifact = None
        if stage.total:
            key = re.sub("[^a-z0-9]+", "-", f"{self._name}-{stage.name}".lower()).strip("-")
            try:
                made = create_progress_artifact(0.0, key=key, description=stage.line())
                self._artifact = made if isinstance(made, UUID) else None
            except Exception as error:  # noqa: BLE001 - a server that is away must not end what answers are paid for
                self._logger.warning("no progress artifact: %s", error)

    def show(self, stage: StageTally) -> None:
        self._update(stage, stage.line())

    def ended(self, stage: StageTally) -> None:
        self._update(stage, stage.line(over=True))

    def _update(self, stage: StageTally, description: str) -> None:
        if self._artifact is None or not stage.total:
            return
        try:
            update_progress_artifact(self._artifact, 100 * stage.settled / stage.total, description)
        except Exception as error:  # noqa: BLE001 - as above; the next look tries again
            self._logger.warning("the progress artifact was not updated: %s", error)


def cancellable(flow: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result | State[str]]:
    """Return the flow as one that ends as Cancelled, and in order, on SIGTERM and SIGHUP.

    A worker that cancels a run sends SIGTERM, and kills it 30 seconds later. `docker stop` sends one too. Prefect's own
    handler raises wherever the flow is, and calls a run Crashed that no worker cancelled.
    """

    @wraps(flow)
    def ended_in_order(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result | State[str]:
        try:
            with SIGNALS.handled(signal.SIGTERM, signal.SIGHUP):
                return flow(*args, **kwargs)
        except (Interrupted, Ended) as end:
            return Cancelled(message=str(end.error if isinstance(end, Ended) else end))

    return ended_in_order


@task(task_run_name="{name}")
def make_step(
    order: Order, name: str, needed: list[str], spent: Spent, answers: Answers | None = None
) -> tuple[Place, Spent]:
    """Make a step's product of the stages that it needs; return its place, and what is spent by then.

    `spent` is what earlier tasks took: the recipe's budget holds for all of them together. `answers` are there where
    everything was asked before, in shares.
    """
    recipe, root = opened(order)
    step = step_named(recipe, name)
    stages = [stage_at(root, key) for key in needed]
    what = f"{watched_name(step)} judged" if step.job and answers is not None else watched_name(step)
    with watched_task(order, recipe, root, what) if step.asking else quiet_run(recipe) as run:
        run.budget.carry(spent)
        product = (
            step.make(root, run, stages)
            if step.asking is None or answers is None
            else step.asking.finish(root, run, stages[0], answers)
        )
    return Place.of(product), run.budget.spent


def step_named(recipe: Recipe, name: str) -> Step:
    return next(step for step in steps_of(recipe) if step.name == name)


def watched_name(step: Step) -> str:
    """Return what is made, as progress and event log name it: a source by its name, samples by their purpose."""
    return step.section.source if step.section else step.asking.subject if step.asking else step.name


def opened(order: Order) -> tuple[Recipe, Root]:
    """Return the recipe of an order, and its root."""
    recipe = order.read()
    return recipe, Root.open(recipe.build.root)


@contextlib.contextmanager
def watched_task(
    order: Order, recipe: Recipe, root: Root, what: str, share: Share = WHOLE, run_id: str | None = None
) -> Iterator[Run]:
    """Give a run that shows in the task's log, as a progress artifact, and in the event log under the root.

    Where it ends early, since a model's answers are of no use, the task's log shows one of them whole.
    """
    looks = () if order.keep_going else BUILD
    which = f" {share.name}" if share.of > 1 else ""
    displays: list[Display] = [Lines(get_run_logger().info), ProgressArtifact(f"{recipe.build.name}{which}")]
    what = f"flow {recipe.build.name} {what}{which}"
    try:
        with watched_run(recipe, root, os.environ, displays, what=what, run_id=run_id, looks=looks) as (run, _):
            yield run
    except StoppedEarly as stop:
        get_run_logger().error("%s", visible(stop.example))
        raise


@contextlib.contextmanager
def quiet_run(recipe: Recipe) -> Iterator[Run]:
    """Give a run that asks for nothing; the task's log shows what it says."""
    yield new_run(recipe, os.environ, RunWatcher([Lines(get_run_logger().info)]))


def stage_at(root: Root, key: str) -> Stage:
    """Return a finished stage. Raises StorageError where it is not there any more."""
    if (stage := find_stage(root, key)) is None:
        raise StorageError(f"{root.where(key)}: the stage has gone; run the flow again")
    return stage
