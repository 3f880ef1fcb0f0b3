"""Rubrics as a Prefect flow: `build-rubric-index` makes what a recipe wants and the root lacks, and indexes it."""

import os
from pathlib import Path

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from flows.flow_tasks import cancellable
from flows.progress import Lines
from flows.progress_artifact import ProgressArtifact
from flows.watching import Display, watched_run
from pipelines.build import build_rubrics, changed
from schemas.recipe import read_recipe
from storage.root import Root

RUBRICS = "recipes/rubrics.toml"


@flow(name="build-rubric-index", log_prints=False, validate_parameters=True)
@cancellable
def build_rubric_index(recipe: str = RUBRICS, root: str | None = None, limit: int | None = None) -> str:
    """Make the rubrics of a recipe and put them into the pools; returns what came of it, in a few lines."""
    said = make_and_index(recipe, root, limit)
    create_markdown_artifact(f"```\n{said}\n```", key="rubrics")
    return said


@task
def make_and_index(recipe: str, root: str | None, limit: int | None) -> str:
    """Make rubrics in one stream of requests; the answers are kept, so that a retry pays for none twice."""
    settings = changed(read_recipe(Path(recipe)), root=root, limit=limit)
    place = Root.open(settings.build.root)
    logger = get_run_logger()
    displays: list[Display] = [Lines(logger.info), ProgressArtifact(settings.build.name)]
    with watched_run(settings, place, os.environ, displays, what=f"flow {settings.build.name} rubrics") as (run, _):
        made = build_rubrics(settings, place, run)
    logger.info("%s", made.as_text())
    return made.as_text()
