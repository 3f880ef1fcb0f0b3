"""The nightly refresh as a Prefect flow: `refresh-datasets`, deployed as `refresh-datasets/nightly`.

`grmforge refresh` does the same without Prefect. The flow's own process holds the lease, and shows it before anything
is published and before LATEST moves. A run that finds another one at work ends as Completed, by the name of Skipped.
"""

from pathlib import Path

from prefect import State, flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.states import Completed

from flows.distribution import Distribution, TaskRunnerName, Workers
from flows.flow_tasks import cancellable, root_of, settings_of, watched_task
from flows.training_sets import DEMO, Ready, made_ready, published_of
from pipelines.build import build_rubrics, changed
from pipelines.engines.budget import Spent
from pipelines.upkeep.refresh import read_newest, settle, skipped, take_lease
from schemas.recipe import read_recipe
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
    settings = changed(read_recipe(Path(recipe)), root=root, limit=limit)
    order = recipe, ",".join(settings.build.sets), root, limit
    lease = take_lease(settings, root_of(settings), new_run_id(), get_run_logger().info)
    if isinstance(lease, Holder):
        return Completed(name="Skipped", message=skipped(settings, lease))
    with lease, Distribution(task_runner, workers) as over:
        revisions = look_for_revisions(*order)
        get_run_logger().info("%s", ", ".join(f"{source} at {revision}" for source, revision in revisions.items()))
        spent: Spent = make_rubrics(*order, keep_going) if settings.models.rubric is not None else Spent()
        lease.check()
        return publish_and_compare(*order, made_ready(order, over, spent, keep_going), lease)


@task
def look_for_revisions(recipe: str, sets: str, root: str | None, limit: int | None) -> dict[str, str]:
    """Read every source as it is now; returns the revisions."""
    settings = settings_of(recipe, sets, root, limit)
    return read_newest(settings, root_of(settings))


@task
def make_rubrics(recipe: str, sets: str, root: str | None, limit: int | None, keep_going: bool = False) -> Spent:
    """Make the rubrics that the recipe wants and the root lacks; returns what is spent."""
    settings = settings_of(recipe, sets, root, limit)
    place = root_of(settings)
    with watched_task(settings, place, "rubrics", keep_going=keep_going) as run:
        made = build_rubrics(settings, place, run)
    get_run_logger().info("%s", made.as_text())
    return run.budget.spent


@task(cache_policy=NO_CACHE)
def publish_and_compare(recipe: str, sets: str, root: str | None, limit: int | None, ready: Ready, lease: Lease) -> str:
    """Publish, compare, move LATEST or hold it back, and remove old versions; returns the version's directory."""
    settings = settings_of(recipe, sets, root, limit)
    published = published_of(settings, ready, lease.check)
    done = settle(settings, root_of(settings), published, lease.check)
    get_run_logger().info("%s", done.verdict())
    create_markdown_artifact(done.page(), key=f"{settings.build.name.replace('_', '-')}-comparison")
    done.check()
    return published.snapshot.location
