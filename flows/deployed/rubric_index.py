"""Rubrics as a Prefect flow: `build-rubric-index` makes what a recipe wants and the root lacks, and indexes it."""

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from flows.deployed.tasks import cancellable, root_of, watched_task
from pipelines.engines.budget import Spent
from pipelines.orders import Order
from pipelines.steps import build_rubrics

RUBRICS = "recipes/rubrics.toml"


@flow(name="build-rubric-index", log_prints=False, validate_parameters=True)
@cancellable
def build_rubric_index(
    recipe: str = RUBRICS, root: str | None = None, limit: int | None = None, keep_going: bool = False
) -> str:
    """Make the rubrics of a recipe and put them into the pools; returns what came of it, in a few lines."""
    words = make_and_index(Order(recipe, None, root, limit, keep_going))
    create_markdown_artifact(f"```\n{words}\n```", key="rubrics")
    return words


@task
def make_and_index(order: Order) -> str:
    """Make rubrics in one stream of requests; the answers are kept, so that a retry pays for none twice."""
    return made_rubrics(order)[0]


def made_rubrics(order: Order) -> tuple[str, Spent]:
    """Make the rubrics of an order, from inside a task; returns what came of it in words, and what is spent."""
    recipe = order.read()
    root = root_of(recipe)
    with watched_task(order, recipe, root, "rubrics") as run:
        words = build_rubrics(recipe, root, run).as_text()
    get_run_logger().info("%s", words)
    return words, run.budget.spent
