"""The steps of a build as Prefect flows: `build-rft-set`, `build-rl-set`, `build-meta-rm-set`."""

from collections.abc import Callable

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from flows.deployed.distribution import Distribution, TaskRunnerName, Workers
from flows.deployed.shares import is_asked_in_shares, made_in_shares
from flows.deployed.tasks import Place, cancellable, make_step, quiet_run, root_of
from pipelines.engines.budget import Spent
from pipelines.orders import Order
from pipelines.reporting.acceptance import closing_lines
from pipelines.reporting.publication import Published, make_latest
from pipelines.steps import publish, steps_of
from pipelines.walk import Step, walk
from schemas.errors import ForgeError
from schemas.recipe import Recipe

DEMO = "recipes/demo.toml"
NOTHING = Spent()


@flow(name="build-rft-set", log_prints=False, validate_parameters=True)
@cancellable
def build_rft_set(
    recipe: str = DEMO,
    root: str | None = None,
    limit: int | None = None,
    task_runner: TaskRunnerName = "threads",
    workers: Workers | None = None,
    keep_going: bool = False,
) -> str:
    """Build and publish the RFT set of a recipe; returns the snapshot's directory."""
    return build_sets(Order(recipe, "rft", root, limit, keep_going), task_runner, workers)


@flow(name="build-rl-set", log_prints=False, validate_parameters=True)
@cancellable
def build_rl_set(
    recipe: str = DEMO,
    root: str | None = None,
    limit: int | None = None,
    task_runner: TaskRunnerName = "threads",
    workers: Workers | None = None,
    keep_going: bool = False,
) -> str:
    """Build and publish the RL set of a recipe; returns the snapshot's directory."""
    return build_sets(Order(recipe, "rl", root, limit, keep_going), task_runner, workers)


@flow(name="build-meta-rm-set", log_prints=False, validate_parameters=True)
@cancellable
def build_meta_rm_set(
    recipe: str = DEMO,
    root: str | None = None,
    limit: int | None = None,
    task_runner: TaskRunnerName = "threads",
    workers: Workers | None = None,
    keep_going: bool = False,
) -> str:
    """Build and publish the Meta RM set of a recipe; returns the snapshot's directory."""
    return build_sets(Order(recipe, "meta_rm", root, limit, keep_going), task_runner, workers)


def build_sets(order: Order, task_runner: TaskRunnerName = "threads", workers: int | None = None) -> str:
    """Build and publish an order, from inside a flow; returns the snapshot's directory.

    Models are asked in `workers` shares at once, in threads of this process or on Ray; unless given, in one, or in as
    many as Ray has machines. All else is done here.
    """
    with Distribution(task_runner, workers) as over:
        return publish_sets(order, made_ready(order, over))


def made_ready(order: Order, over: Distribution, spent: Spent = NOTHING) -> dict[str, Place]:
    """Make all that a snapshot is published from, a task a step; `spent` is what was spent before."""
    recipe = order.read()
    steps = steps_of(recipe)
    begun = {step.name: make_step.submit(order, step.name, [], NOTHING) for step in steps if not step.needs}

    def make(step: Step, needed: list[Place]) -> Place:
        nonlocal spent
        if not step.needs:
            return begun[step.name].result()[0]
        keys = [place.stage for place in needed]
        if is_asked_in_shares(step, over):
            place, spent = made_in_shares(order, recipe, step, keys[0], spent, over)
        else:
            place, spent = make_step(order, step.name, keys, spent)
        return place

    return walk(steps, make)


@task(name="publish")
def publish_sets(order: Order, made: dict[str, Place]) -> str:
    """Publish; returns the snapshot's directory."""
    published = published_of(order.read(), made)
    make_latest(published.snapshot.root, published)
    if published.missing:
        raise ForgeError(f"{published.no_row}: LATEST was not moved to {published.snapshot.manifest.version}")
    return published.snapshot.location


def published_of(recipe: Recipe, made: dict[str, Place], check: Callable[[], None] = lambda: None) -> Published:
    """Publish, and show the funnel as an artifact, from inside a task; LATEST stays where it is.

    `check` is called before anything is published, and raises what should stop it.
    """
    root = root_of(recipe)
    with quiet_run(recipe) as run:
        published = publish(recipe, root, run, {name: place.product(root) for name, place in made.items()}, check)
    lines = "\n".join(closing_lines(published.snapshot.manifest, published.snapshot))
    get_run_logger().info("%s\n%s", published.snapshot.location, lines)
    create_markdown_artifact(f"```\n{lines}\n```", key=f"{recipe.build.name.replace('_', '-')}-funnel")
    return published
