"""Rubrics as a Prefect flow: `build-rubric-index` makes what a recipe wants and the root lacks, and indexes it."""

from pathlib import Path

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from flows.flow_tasks import cancellable, watched_task
from pipelines.build import build_rubrics, changed
from schemas.recipe import read_recipe
from storage.root import Root

RUBRICS = "recipes/rubrics.toml"


@flow(name="build-rubric-index", log_prints=False, validate_parameters=True)
@cancellable
def build_rubric_index(
    recipe: str = RUBRICS, root: str | None = None, limit: int | None = None, keep_going: bool = False
) -> str:
    """Make the rubrics of a recipe and put them into the pools; returns what came of it, in a few lines."""
    said = make_and_index(recipe, root, limit, keep_going)
    create_markdown_artifact(f"```\n{said}\n```", key="rubrics")
    return said


@task
def make_and_index(recipe: str, root: str | None, limit: int | None, keep_going: bool = False) -> str:
    """Make rubrics in one stream of requests; the answers are kept, so that a retry pays for none twice."""
    settings = changed(read_recipe(Path(recipe)), root=root, limit=limit)
    place = Root.open(settings.build.root)
    with watched_task(settings, place, "rubrics", keep_going=keep_going) as run:
        made = build_rubrics(settings, place, run)
    get_run_logger().info("%s", made.as_text())
    return made.as_text()
