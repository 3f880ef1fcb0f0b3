"""The Prefect flows: `build-rft-set`, `build-rl-set`, `build-meta-rm-set`, `build-rubric-index`, `evaluate` and
`refresh-datasets`.

The nightly deployment of the last one does what `grmforge refresh` does without Prefect. The flow's own process holds
the lease, and shows it before anything is published and before LATEST moves. A run that finds another one at work ends
as Completed, by the name of Skipped.
"""

from collections.abc import Callable
from typing import Any

from prefect import Flow, State, flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.states import Completed

from flows.deployed.distribution import Distribution, TaskRunnerName, Workers
from flows.deployed.shares import is_asked_in_shares, made_in_shares
from flows.deployed.tasks import Place, cancellable, make_step, opened, quiet_run, watched_task
from pipelines.engines.budget import Spent
from pipelines.evaluation.evaluate import evaluate, evaluating
from pipelines.evaluation.summary import lines_of
from pipelines.orders import Order
from pipelines.reporting.acceptance import closing_lines
from pipelines.reporting.publication import Published, make_latest
from pipelines.steps import build_rubrics, publish, steps_of
from pipelines.upkeep.judge_guard import judge_reasons
from pipelines.upkeep.refresh import read_newest, settle, skipped, take_lease
from pipelines.walk import Step, walk
from schemas.errors import ForgeError
from schemas.recipe import Recipe
from storage.journal import new_run_id
from storage.leases import Holder, Lease
from storage.root import Root

DEMO = "recipes/demo.toml"
RUBRICS = "recipes/rubrics.toml"
EVALUATION = "recipes/evaluate.toml"
NOTHING = Spent()


def _build_flow(sets: str, title: str) -> Flow[..., Any]:
    """Return the flow that builds one of the sets.

    Models are asked in `workers` shares at once, in threads of this process or on Ray; unless given, in one, or in as
    many as Ray has machines. All else is done in the flow's own process.
    """

    @cancellable
    def build_set(
        recipe: str = DEMO,
        root: str | None = None,
        limit: int | None = None,
        task_runner: TaskRunnerName = "threads",
        workers: Workers | None = None,
        keep_going: bool = False,
    ) -> str:
        order = Order(recipe, sets, root, limit, keep_going)
        with Distribution(task_runner, workers) as over:
            return publish_sets(order, made_ready(order, over)[0])

    build_set.__doc__ = f"Build and publish the {title} set of a recipe; returns the snapshot's directory."
    return flow(name=f"build-{sets.replace('_', '-')}-set", log_prints=False, validate_parameters=True)(build_set)


build_rft_set = _build_flow("rft", "RFT")
build_rl_set = _build_flow("rl", "RL")
build_meta_rm_set = _build_flow("meta_rm", "Meta RM")


@flow(name="build-rubric-index", log_prints=False, validate_parameters=True)
@cancellable
def build_rubric_index(
    recipe: str = RUBRICS, root: str | None = None, limit: int | None = None, keep_going: bool = False
) -> str:
    """Make the rubrics of a recipe and put them into the pools; returns what came of it, in a few lines."""
    words, _ = make_rubrics(Order(recipe, None, root, limit, keep_going))
    create_markdown_artifact(f"```\n{words}\n```", key="rubrics")
    return words


@flow(name="evaluate", log_prints=False, validate_parameters=True)
@cancellable
def evaluate_judge(
    recipe: str = EVALUATION, root: str | None = None, limit: int | None = None, keep_going: bool = False
) -> str:
    """Evaluate the judge of a recipe on its benchmarks; returns the evaluation's directory."""
    return publish_evaluation(Order(recipe, None, root, None, keep_going), limit)


@flow(name="refresh-datasets", log_prints=False, validate_parameters=True)
@cancellable
def refresh_datasets(
    recipe: str = DEMO,
    root: str | None = None,
    limit: int | None = None,
    task_runner: TaskRunnerName = "threads",
    workers: Workers | None = None,
    keep_going: bool = False,
) -> State[str] | str:
    """Build anew what is new, publish it, compare it with LATEST, and move LATEST unless a guard trips.

    Returns the version's directory. Fails where a guard holds LATEST back, with the reasons as its message.
    """
    order = Order(recipe, None, root, limit, keep_going)
    settings, place = opened(order)
    lease = take_lease(settings, place, new_run_id(), get_run_logger().info)
    if isinstance(lease, Holder):
        return Completed(name="Skipped", message=skipped(settings, lease))
    with lease, Distribution(task_runner, workers) as over:
        revisions = look_for_revisions(order)
        get_run_logger().info("%s", ", ".join(f"{source} at {revision}" for source, revision in revisions.items()))
        spent = make_rubrics(order)[1] if settings.models.rubric is not None else NOTHING
        lease.check()
        return publish_and_compare(order, *made_ready(order, over, spent), lease)


def made_ready(order: Order, over: Distribution, spent: Spent = NOTHING) -> tuple[dict[str, Place], Spent]:
    """Make all that a snapshot is published from, a task a step; `spent` is what was spent before.

    Returns what was made, and what is spent by then.

    The steps that need no other begin at once, side by side.
    """
    recipe = order.read()
    steps = steps_of(recipe)
    begun = {step.name: make_step.submit(order, step.name, [], NOTHING) for step in steps if not step.needs}

    def make(step: Step, needed: list[Place]) -> Place:
        nonlocal spent
        if not step.needs:
            return begun[step.name].result()[0]
        keys = [place.stage for place in needed]
        place, spent = (
            made_in_shares(order, recipe, step, keys[0], spent, over)
            if is_asked_in_shares(step, over)
            else make_step(order, step.name, keys, spent)
        )
        return place

    return walk(steps, make), spent


@task
def look_for_revisions(order: Order) -> dict[str, str]:
    """Read every source as it is now, and sign benchmarks anew where they changed; returns the sources' revisions."""
    return read_newest(*opened(order), get_run_logger().info)


@task
def make_rubrics(order: Order) -> tuple[str, Spent]:
    """Make the rubrics that the recipe wants and the root lacks; returns what came of it, and what is spent.

    They are made in one stream of requests. The answers are kept, so that a retry pays for none twice.
    """
    recipe, root = opened(order)
    with watched_task(order, recipe, root, "rubrics") as run:
        words = build_rubrics(recipe, root, run).as_text()
    get_run_logger().info("%s", words)
    return words, run.budget.spent


@task
def publish_evaluation(order: Order, limit: int | None) -> str:
    """Ask the judge, compute the figures and publish them; returns the evaluation's directory."""
    recipe, root = opened(order)
    recipe = evaluating(recipe, limit=limit)
    with watched_task(order, recipe, root, "evaluation") as run:
        evaluation = evaluate(recipe, root, run).evaluation
    lines = "\n".join(lines_of(evaluation))
    get_run_logger().info("%s\n%s", evaluation.location, lines)
    create_markdown_artifact(f"```\n{lines}\n```", key=f"{evaluation.manifest.name.replace('_', '-')}-evaluation")
    return evaluation.location


@task(name="publish")
def publish_sets(order: Order, made: dict[str, Place]) -> str:
    """Publish; returns the snapshot's directory."""
    published = published_of(*opened(order), made)
    make_latest(published.snapshot.root, published)
    if published.missing:
        raise ForgeError(f"{published.no_row}: LATEST was not moved to {published.snapshot.manifest.version}")
    return published.snapshot.location


@task(cache_policy=NO_CACHE)
def publish_and_compare(order: Order, made: dict[str, Place], spent: Spent, lease: Lease) -> str:
    """Publish, evaluate where the recipe wants it, compare, and move LATEST or hold it back; old versions go.

    Returns the version's directory. `spent` was spent before.
    """
    recipe, root = opened(order)
    published = published_of(recipe, root, made, lease.check)
    of_judge: tuple[str, ...] = ()
    if recipe.refresh.evaluate:
        with watched_task(order, recipe, root, "evaluation") as run:
            run.budget.carry(spent)
            of_judge = judge_reasons(recipe, root, run, published)
    done = settle(recipe, root, published, lease.check, of_judge)
    get_run_logger().info("%s", done.verdict())
    create_markdown_artifact(done.page(), key=f"{recipe.build.name.replace('_', '-')}-comparison")
    done.check()
    return published.snapshot.location


def published_of(
    recipe: Recipe, root: Root, made: dict[str, Place], check: Callable[[], None] = lambda: None
) -> Published:
    """Publish, and show the funnel as an artifact, from inside a task; LATEST stays where it is.

    `check` is called before anything is published, and raises what should stop it.
    """
    with quiet_run(recipe) as run:
        published = publish(recipe, root, run, {name: place.product(root) for name, place in made.items()}, check)
    lines = "\n".join(closing_lines(published.snapshot.manifest, published.snapshot))
    get_run_logger().info("%s\n%s", published.snapshot.location, lines)
    create_markdown_artifact(f"```\n{lines}\n```", key=f"{recipe.build.name.replace('_', '-')}-funnel")
    return published
