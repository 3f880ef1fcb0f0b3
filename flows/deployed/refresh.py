"""The nightly refresh as a Prefect flow: `refresh-datasets`, deployed as `refresh-datasets/nightly`.

`grmforge refresh` does the same without Prefect. The flow's own process holds the lease, and shows it before anything
is published and before LATEST moves. A run that finds another one at work ends as Completed, by the name of Skipped.
"""

from prefect import State, flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.states import Completed

from flows.deployed.distribution import Distribution, TaskRunnerName, Workers
from flows.deployed.rubric_index import made_rubrics
from flows.deployed.tasks import Place, cancellable, root_of
from flows.deployed.training_sets import DEMO, made_ready, published_of
from pipelines.engines.budget import Spent
from pipelines.orders import Order
from pipelines.upkeep.page import page_of
from pipelines.upkeep.refresh import settle, skipped, take_lease
from pipelines.upkeep.revisions import read_newest
from storage.journal import new_run_id
from storage.leases import Holder, Lease


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
    settings = order.read()
    lease = take_lease(settings, root_of(settings), new_run_id(), get_run_logger().info)
    if isinstance(lease, Holder):
        return Completed(name="Skipped", message=skipped(settings, lease))
    with lease, Distribution(task_runner, workers) as over:
        revisions = look_for_revisions(order)
        get_run_logger().info("%s", ", ".join(f"{source} at {revision}" for source, revision in revisions.items()))
        spent: Spent = make_rubrics(order) if settings.models.rubric is not None else Spent()
        lease.check()
        return publish_and_compare(order, made_ready(order, over, spent), lease)


@task
def look_for_revisions(order: Order) -> dict[str, str]:
    """Read every source as it is now; returns the revisions."""
    recipe = order.read()
    return read_newest(recipe, root_of(recipe))


@task
def make_rubrics(order: Order) -> Spent:
    """Make the rubrics that the recipe wants and the root lacks; returns what is spent."""
    return made_rubrics(order)[1]


@task(cache_policy=NO_CACHE)
def publish_and_compare(order: Order, made: dict[str, Place], lease: Lease) -> str:
    """Publish, compare, move LATEST or hold it back, and remove old versions; returns the version's directory."""
    recipe = order.read()
    published = published_of(recipe, made, lease.check)
    done = settle(recipe, root_of(recipe), published, lease.check)
    get_run_logger().info("%s", done.verdict())
    create_markdown_artifact(page_of(done), key=f"{recipe.build.name.replace('_', '-')}-comparison")
    done.check()
    return published.snapshot.location
