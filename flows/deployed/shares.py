"""Asking in shares: one task a share, on threads or on Ray, and what they spent added up.

A share whose process is killed is asked again by Ray, and goes on from its journal. One that reaches its part of the
budget stops; what is left of the budget then goes to what is left of the questions, in one stream.
"""

import contextlib
import signal
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import sub
from pathlib import Path

from prefect import flow, task
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger

from flows.deployed.distribution import Distribution
from flows.deployed.tasks import Place, make_step, opened, stage_at, step_named, watched_name, watched_task
from flows.watching.interruption import SIGNALS
from pipelines.engines.asking import Answers, Product
from pipelines.engines.budget import Spent
from pipelines.engines.shares import Share, can_be_shared, cut, rest_of, share_count
from pipelines.orders import Order
from pipelines.walk import Step
from schemas.errors import BudgetReached, RecipeError, StorageError
from schemas.recipe import Recipe
from storage.generations import Generations
from storage.journal import new_run_id
from storage.root import Root
from storage.stages import Stage

LOOK_EVERY_S = 0.2
BEGUN = "runs/begun"
"""Each share keeps an empty object here while it is asked. A share that finds its own is not the first try."""


@dataclass(frozen=True)
class ShareEnd:
    """How a share ended."""

    spent: Spent
    answers: Answers = field(default_factory=Answers)
    stopped: str | None = None
    """What the budget said, where it stopped the share."""


def is_asked_in_shares(step: Step, over: Distribution) -> bool:
    """Say whether shares ask for this step, rather than one stream in the flow's own process."""
    return step.asking is not None and step.model is not None and not over.is_one_stream and can_be_shared(step.model)


def made_in_shares(
    order: Order, recipe: Recipe, step: Step, needed: str, spent: Spent, over: Distribution
) -> tuple[Place, Spent]:
    """Ask for a step in shares, then make its product in one place; return that, and what is spent by then."""
    root = Root.open(recipe.build.root)
    assert step.asking is not None and step.role is not None
    if found := step.asking.find(root, stage_at(root, needed), False):
        return Place.of(Product(found)), spent
    rows, bought = needed, dict[str, int]()
    if step.asking.prepare is not None:
        (rows, bought), spent = find_rows(order, step.name, step.asking.subject, needed, spent)
    answers, after = _asked_in_shares(order, recipe, step, rows, spent, over)
    bought[step.role] = bought.get(step.role, 0) + after.answers - spent.answers
    name = step.name if step.job is None else f"judge {step.asking.subject}"
    place, spent = make_step.with_options(task_run_name=name)(order, step.name, [needed], after, answers)
    return Place(place.stage, dict(Counter(place.bought) + Counter(bought))), spent


@task(task_run_name="find what to ask of {subject}")
def find_rows(order: Order, name: str, subject: str, needed: str, spent: Spent) -> tuple[Place, Spent]:
    """Make the stage that shares ask about; return its place, and what is spent by then."""
    recipe, root = opened(order)
    step = step_named(recipe, name)
    assert step.asking is not None and step.asking.prepare is not None
    with watched_task(order, recipe, root, watched_name(step)) as run:
        run.budget.carry(spent)
        product = step.asking.prepare(root, run, stage_at(root, needed))
    return Place.of(product), run.budget.spent


def _asked_in_shares(
    order: Order, recipe: Recipe, step: Step, rows: str, spent: Spent, over: Distribution
) -> tuple[Answers, Spent]:
    """Return what was given up, and what is spent once every share is answered. Raises what asking raises."""
    assert step.model is not None and step.asking is not None
    wanted, runner = over.begin()
    count = share_count(step.model, recipe.budget, spent, wanted)
    asked = step.name, step.asking.subject, rows
    order = _for_workers(order, recipe)
    run_id = new_run_id()
    with over.spread():
        ends = ask_in_shares.with_options(task_runner=runner)(order, *asked, spent, run_id, count)
    after = _sum(spent, ends)
    if unfinished := [share for share, end in zip(cut(count), ends, strict=True) if end.stopped]:
        ends.append(ask_share(order, *asked, after, f"{run_id}-rest", rest_of(unfinished)))
        after = _sum(spent, ends)
        if ends[-1].stopped:
            raise BudgetReached(ends[-1].stopped)
    answers = Answers()
    for end in ends:
        answers.add(end.answers)
    return answers, after


@flow(name="ask-in-shares", flow_run_name="ask for {subject}, {count} shares", log_prints=False)
def ask_in_shares(
    order: Order, name: str, subject: str, rows: str, spent: Spent, run_id: str, count: int
) -> list[ShareEnd]:
    """Ask in so many shares at once, and return how they ended, in order. Raises what the first to fail raised."""
    shares = cut(count)
    asked = order, name, subject, rows, spent
    with SIGNALS.handled(signal.SIGTERM, signal.SIGHUP):  # Prefect sets its own handler for every flow inside a flow
        futures = [ask_share.submit(*asked, f"{run_id}-{share.number}", share) for share in shares]
        for future in futures:  # what is in flight comes in, whatever became of the others
            _wait_for(future)
    ends = [future.result() for future in futures]
    for share, end in zip(shares, ends, strict=True):
        if end.stopped:
            get_run_logger().info("%s stops: %s", share.name, end.stopped.split(";")[0])
    return ends


@task(task_run_name="ask for {subject}, {share.name}")
def ask_share(order: Order, name: str, subject: str, rows: str, spent: Spent, run_id: str, share: Share) -> ShareEnd:
    """Ask for one share of a step. `spent` was spent before all of them; what an earlier try bought counts too."""
    recipe, root = _opened_here(order)
    stage = _there(root, rows)
    own = share.recipe(recipe, spent)
    asking = step_named(own, name).asking
    assert asking is not None
    stopped, answers = None, Answers()
    try:
        with watched_task(order, own, root, subject, share, run_id) as run:
            run.budget.is_part = share.of > 1
            run.budget.carry(spent)
            if not root.create(f"{BEGUN}/{run_id}", b""):  # by an earlier try, which was killed
                earlier = Generations(root).bought_by(run_id, share.buckets)
                run.budget.carry(Spent(*earlier, answers=earlier[0]))
            answers = asking.ask(root, run, stage, share.buckets)
    except BudgetReached as error:
        stopped = str(error)
    finally:
        root.remove(f"{BEGUN}/{run_id}")
    return ShareEnd(Spent(*map(sub, run.budget.spent, Spent(*spent))), answers, stopped)


def _wait_for(future: PrefectFuture[ShareEnd]) -> None:
    """Wait for a share, asleep: inside Ray's own waiting, a signal that is to end the flow comes late, and garbled."""
    while True:
        with contextlib.suppress(TimeoutError):
            future.result(timeout=0, raise_on_failure=False)
            return
        time.sleep(LOOK_EVERY_S)


def _for_workers(order: Order, recipe: Recipe) -> Order:
    """Return the order with places that mean the same wherever a worker stands."""
    root = recipe.build.root
    absolute = root if "://" in root else str(Path(root).absolute())
    return replace(order, recipe=str(Path(order.recipe).absolute()), root=absolute)


def _opened_here(order: Order) -> tuple[Recipe, Root]:
    """Return an order's recipe and root. Raises RecipeError, naming this machine, where the recipe is not read here."""
    try:
        recipe = order.read()
    except RecipeError as error:
        raise RecipeError(
            f"{error}, on {socket.gethostname()}: every worker reads the recipe, and the templates that it names, "
            "at the path that the flow read it from: put them on a shared file system, or a checkout on every machine"
        ) from None
    return recipe, Root.open(recipe.build.root)


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
