"""Asking in shares: one task a share, on threads or on Ray, and what they spent added up.

A share whose process is killed is asked again by Ray, and goes on from its journal. One that reaches its part of the
budget stops; what is left of the budget then goes to what is left of the questions, in one stream.
"""

import contextlib
import signal
import socket
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prefect import flow, task
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger

from flows.distribution import Distribution
from flows.flow_tasks import Order, root_of, settings_of, stage_at, watched_task
from flows.interruption import SIGNALS
from pipelines import build
from pipelines.engines.answering import Run
from pipelines.engines.asking import Answers
from pipelines.engines.budget import Spent
from pipelines.engines.shares import Share, can_be_shared, cut, rest_of, share_count
from pipelines.synthesis.ahead import ask_ahead, role_asked
from schemas.errors import BudgetReached, RecipeError, StorageError
from schemas.recipe import ModelSection, Recipe
from schemas.trajectory import Purpose
from storage.generations import Generations
from storage.journal import new_run_id
from storage.root import Root
from storage.stages import Stage

LOOK_EVERY_S = 0.2
BEGUN = "runs/begun"
"""An empty object a share, for as long as it is asked: who finds its own there is not the first to ask."""


@dataclass(frozen=True)
class Work:
    """What is asked for: the samples of a purpose, or what making the sets of one source asks most of."""

    purpose: Purpose | None = None
    source: int | None = None
    keep_going: bool = False
    """Whatever the first answers are."""

    @property
    def name(self) -> str:
        return f"source {self.source}" if self.purpose is None else self.purpose.value

    def model(self, recipe: Recipe) -> ModelSection | None:
        """Return the model that is asked; None where none is."""
        if self.purpose is not None:
            return build.job_of(recipe, self.purpose).model
        role = role_asked(recipe, recipe.sources[self.source or 0])
        model: ModelSection | None = getattr(recipe.models, role) if role else None
        return model

    def ask(self, recipe: Recipe, root: Root, run: Run, stage: Stage, buckets: Collection[int]) -> Answers:
        """Ask about some buckets of a stage; return what was bought of samples, and what was given up."""
        if self.purpose is not None:
            return build.sample(recipe, root, run, self.purpose, stage, buckets)
        ask_ahead(recipe, root, build.buying_for(recipe, run), recipe.sources[self.source or 0], stage, buckets)
        return Answers()  # the sets are made in one stream, which asks for it once more


@dataclass(frozen=True)
class ShareEnd:
    """How a share ended."""

    spent: Spent
    answers: Answers = field(default_factory=Answers)
    stopped: str | None = None
    """What the budget said, where it stopped the share."""


def is_asked_in_shares(recipe: Recipe, work: Work, over: Distribution) -> bool:
    """Say whether shares ask for this, rather than one stream in the flow's own process."""
    model = work.model(recipe)
    return not over.is_one_stream and model is not None and can_be_shared(model)


def sampled_and_judged(
    order: Order, work: Work, curated: str, spent: Spent, over: Distribution
) -> tuple[str, int, Spent]:
    """Ask for a purpose's samples in shares, then read them all in one place.

    Returns the stage of its trajectories, how many of its answers were there before, and what is spent by then.
    """
    settings, purpose = settings_of(*order), work.purpose
    assert purpose is not None
    place = root_of(settings)
    if found := build.find_sampled(settings, place, purpose, stage_at(place, curated)):
        return found.stage.key, found.cached, spent
    answers, after = asked_in_shares(order, work, curated, spent, over)
    key, cached = judge_samples(*order, purpose.value, curated, answers)
    return key, cached, after


def asked_in_shares(order: Order, work: Work, stage: str, spent: Spent, over: Distribution) -> tuple[Answers, Spent]:
    """Return what was bought and given up, and what is spent in the end. Raises what asking raises."""
    settings = settings_of(*order)
    model = work.model(settings)
    assert model is not None
    wanted, runner = over.begin()
    count = share_count(model, settings.budget, spent, wanted)
    order = _for_workers(order, settings)
    run_id = new_run_id()
    with over.spread():
        ends = ask_in_shares.with_options(task_runner=runner)(*order, work, stage, spent, run_id, count)
    after = _sum(spent, ends)
    unfinished = [share for share, end in zip(cut(count), ends, strict=True) if end.stopped]
    if unfinished:
        ends.append(ask_share(*order, work, stage, after, f"{run_id}-rest", rest_of(unfinished)))
        after = _sum(spent, ends)
        if ends[-1].stopped:
            raise BudgetReached(ends[-1].stopped)
    answers = Answers()
    for end in ends:
        answers.add(end.answers)
    return answers, after


@flow(name="ask-in-shares", flow_run_name="ask for {work.name}, {count} shares", log_prints=False)
def ask_in_shares(
    recipe: str,
    sets: str,
    root: str | None,
    limit: int | None,
    work: Work,
    stage: str,
    spent: Spent,
    run_id: str,
    count: int,
) -> list[ShareEnd]:
    """Ask in so many shares at once, and return how they ended, in order. Raises what the first to fail raised."""
    order = recipe, sets, root, limit
    shares = cut(count)
    with SIGNALS.handled(signal.SIGTERM, signal.SIGHUP):  # Prefect sets its own handler for every flow inside a flow
        futures = [ask_share.submit(*order, work, stage, spent, f"{run_id}-{share.number}", share) for share in shares]
        for future in futures:  # what is in flight comes in, whatever became of the others
            _wait_for(future)
    ends = [future.result() for future in futures]
    for share, end in zip(shares, ends, strict=True):
        if end.stopped:
            get_run_logger().info("%s stops: %s", share.name, end.stopped.split(";")[0])
    return ends


@task(task_run_name="ask for {work.name}, {share.name}")
def ask_share(
    recipe: str,
    sets: str,
    root: str | None,
    limit: int | None,
    work: Work,
    stage: str,
    spent: Spent,
    run_id: str,
    share: Share,
) -> ShareEnd:
    """Ask for one share. `spent` was spent before all of them; what an earlier try of this share bought counts too."""
    settings = _readable_here(recipe, sets, root, limit)
    place = root_of(settings)
    asked = _there(place, stage)
    own = share.recipe(settings, spent)
    stopped, answers = None, Answers()
    try:
        with watched_task(own, place, work.name, share, run_id, work.keep_going) as run:
            run.budget.is_part = share.of > 1
            run.budget.carry(spent)
            if not place.create(f"{BEGUN}/{run_id}", b""):  # by an earlier try, which was killed
                earlier = Generations(place).bought_by(run_id, share.buckets)
                run.budget.carry(Spent(*earlier, answers=earlier[0]))
            answers = work.ask(own, place, run, asked, share.buckets)
    except BudgetReached as error:
        stopped = str(error)
    finally:
        place.remove(f"{BEGUN}/{run_id}")
    before, after = Spent(*spent), run.budget.spent
    own_part = Spent(
        after.requests - before.requests,
        after.tokens - before.tokens,
        after.cost_usd - before.cost_usd,
        after.answers - before.answers,
    )
    return ShareEnd(own_part, answers, stopped)


@task(task_run_name="judge {purpose}")
def judge_samples(
    recipe: str,
    sets: str,
    root: str | None,
    limit: int | None,
    purpose: str,
    curated: str,
    answers: Answers,
) -> tuple[str, int]:
    """Return the stage of a purpose's trajectories, and how many of its answers were there before."""
    settings = settings_of(recipe, sets, root, limit)
    place = root_of(settings)
    with watched_task(settings, place, f"{purpose} judged") as run:
        stage = stage_at(place, curated)
        judged = build.judge_samples(settings, place, run, Purpose(purpose), stage, answers)
    return judged.stage.key, judged.cached


def _wait_for(future: PrefectFuture[ShareEnd]) -> None:
    """Wait for a share, asleep: inside Ray's own waiting, a signal that is to end the flow comes late, and garbled."""
    while True:
        with contextlib.suppress(TimeoutError):
            future.result(timeout=0, raise_on_failure=False)
            return
        time.sleep(LOOK_EVERY_S)


def _for_workers(order: Order, settings: Recipe) -> Order:
    """Return the order with places that mean the same wherever a worker stands."""
    root = settings.build.root
    place = root if "://" in root else str(Path(root).absolute())
    return str(Path(order[0]).absolute()), order[1], place, order[3]


def _readable_here(recipe: str, sets: str, root: str | None, limit: int | None) -> Recipe:
    """Return the recipe of an order. Raises RecipeError, naming this machine, where it cannot be read here."""
    try:
        return settings_of(recipe, sets, root, limit)
    except RecipeError as error:
        raise RecipeError(
            f"{error}, on {socket.gethostname()}: every worker reads the recipe, and the templates that it names, "
            "at the path that the flow read it from: put them on a shared file system, or a checkout on every machine"
        ) from None


def _there(root: Root, key: str) -> Stage:
    """Return a stage that the flow has just made. Raises StorageError, naming this machine, where it is not seen."""
    try:
        return stage_at(root, key)
    except StorageError as error:
        raise StorageError(
            f"{error}; or {socket.gethostname()} does not see the root: workers on several machines need an s3:// "
            "root, or one on a shared file system"
        ) from None


def _sum(spent: Spent, ends: Sequence[ShareEnd]) -> Spent:
    return Spent(*map(sum, zip(Spent(*spent), *(Spent(*end.spent) for end in ends), strict=True)))
