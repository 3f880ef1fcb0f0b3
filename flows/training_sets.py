"""The stages of a build as Prefect flows: `build-rft-set`, `build-rl-set`, `build-meta-rm-set`.

A thin shell: tasks take and return places, never rows, and each stage finds its finished table by itself, so Prefect
neither caches nor stores results. Keys are read from the environment inside the task.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from flows.progress import Lines
from flows.progress_artifact import ProgressArtifact
from flows.watching import Display, RunWatcher, watched_run
from pipelines import build
from pipelines.curation import curation
from pipelines.curation.licensing import license_warnings
from pipelines.engines.answering import Run
from pipelines.grm.judging import Judged
from pipelines.grm.samples import sampling_job
from pipelines.reporting.acceptance import closing_lines
from pipelines.rubrics.giving import with_criteria
from pipelines.sources.ingestion import ingest, ingest_general
from pipelines.sources.registry import SOURCES
from pipelines.synthesis.retagging import retag_job
from pipelines.synthesis.synthesis import SourceSets
from schemas.errors import ForgeError, StorageError, Waiting
from schemas.recipe import Recipe, read_recipe
from schemas.trajectory import Purpose
from storage.root import Root
from storage.stages import Stage, find_stage

DEMO = "recipes/demo.toml"


@flow(name="build-rft-set", log_prints=False, validate_parameters=True)
def build_rft_set(recipe: str = DEMO, root: str | None = None, limit: int | None = None) -> str:
    """Build and publish the RFT set of a recipe; returns the snapshot's directory."""
    return _build_set(recipe, "rft", root, limit)


@flow(name="build-rl-set", log_prints=False, validate_parameters=True)
def build_rl_set(recipe: str = DEMO, root: str | None = None, limit: int | None = None) -> str:
    """Build and publish the RL set of a recipe; returns the snapshot's directory."""
    return _build_set(recipe, "rl", root, limit)


@flow(name="build-meta-rm-set", log_prints=False, validate_parameters=True)
def build_meta_rm_set(recipe: str = DEMO, root: str | None = None, limit: int | None = None) -> str:
    """Build and publish the Meta RM set of a recipe; returns the snapshot's directory."""
    return _build_set(recipe, "meta_rm", root, limit)


def _build_set(recipe: str, sets: str, root: str | None, limit: int | None) -> str:
    order = (recipe, sets, root, limit)
    settings = _settings(*order)
    sources = [read_source.submit(*order, index) for index in range(len(settings.sources))]
    general = read_general.submit(*order) if settings.general else None
    spent = (0, 0, 0.0)
    source_sets: list[tuple[str, dict[str, int]]] = []
    for index, source in enumerate(sources):
        key = source.result()
        bought: dict[str, int] = {}
        section = settings.sources[index]
        if SOURCES[section.kind].gives == "questions" or retag_job(settings, section):
            key, bought, spent = make_sets(*order, index, spent)
        source_sets.append((key, bought))
    curated = curate(*order, [key for key, _ in source_sets], general.result() if general else None)
    judged: dict[str, tuple[str, int]] = {}
    waiting: list[str] = []
    for purpose in build.purposes_of(settings):
        try:
            key, cached, spent = sample_and_judge(*order, purpose.value, curated, spent)
        except Waiting as error:  # the others submit their batches all the same
            waiting.append(str(error))
        else:
            judged[purpose.value] = key, cached
    if waiting:
        raise Waiting("; ".join(waiting))
    return publish(*order, source_sets, curated, judged)


@task(task_run_name="read source {index}")
def read_source(recipe: str, sets: str, root: str | None, limit: int | None, index: int) -> str:
    """Return the stage of one source."""
    settings = _settings(recipe, sets, root, limit)
    return ingest(settings, _root(settings), settings.sources[index]).key


@task(task_run_name="make sets of source {index}")
def make_sets(
    recipe: str, sets: str, root: str | None, limit: int | None, index: int, spent: tuple[int, int, float]
) -> tuple[str, dict[str, int], tuple[int, int, float]]:
    """Return the stage of the sets of one source, what was bought of each role to make them, and what is spent."""
    settings = _settings(recipe, sets, root, limit)
    place = _root(settings)
    section = settings.sources[index]
    with _watched_run(settings, place, f"flow {settings.build.name} {section.source}") as run:
        run.budget.carry(spent)
        made = build.source_sets(settings, place, run, section)
    return made.stage.key, dict(made.bought), run.budget.spent


@task
def read_general(recipe: str, sets: str, root: str | None, limit: int | None) -> str:
    """Return the stage of the general rows."""
    settings = _settings(recipe, sets, root, limit)
    assert settings.general is not None
    return ingest_general(settings, _root(settings), settings.general).key


@task
def curate(recipe: str, sets: str, root: str | None, limit: int | None, sources: list[str], general: str | None) -> str:
    """Return the stage of the curated sets."""
    settings = _settings(recipe, sets, root, limit)
    place = _root(settings)
    stages = [_stage(place, key) for key in sources]
    curated = curation.curate(settings, place, stages, _stage(place, general) if general else None)
    for line in license_warnings(settings, curated):
        get_run_logger().warning(line)
    curated = with_criteria(settings, place, _quiet_run(settings), curated)
    build.check_keys(settings, place, _quiet_run(settings), curated)
    return curated.key


@task(task_run_name="sample and judge {purpose}")
def sample_and_judge(
    recipe: str,
    sets: str,
    root: str | None,
    limit: int | None,
    purpose: str,
    curated: str,
    spent: tuple[int, int, float],
) -> tuple[str, int, tuple[int, int, float]]:
    """Return the stage of a purpose's trajectories, how many of its answers were there before, and what is spent.

    `spent` is what earlier purposes took: the recipe's budget holds for all of them together.
    """
    settings = _settings(recipe, sets, root, limit)
    place = _root(settings)
    with _watched_run(settings, place, f"flow {settings.build.name} {purpose}") as run:
        run.budget.carry(spent)
        judged = build.sample_and_judge(settings, place, run, Purpose(purpose), _stage(place, curated))
    return judged.stage.key, judged.cached, run.budget.spent


@task
def publish(
    recipe: str,
    sets: str,
    root: str | None,
    limit: int | None,
    sources: list[tuple[str, dict[str, int]]],
    curated: str,
    judged: dict[str, tuple[str, int]],
) -> str:
    """Assemble and publish; returns the snapshot's directory."""
    settings = _settings(recipe, sets, root, limit)
    place = _root(settings)
    stages = {}
    for name, (key, cached) in judged.items():
        job = sampling_job(settings, Purpose(name))
        assert job is not None
        stages[Purpose(name)] = Judged(job, _stage(place, key), cached)
    published = build.finish(
        settings,
        place,
        _quiet_run(settings),
        [SourceSets(_stage(place, key), bought) for key, bought in sources],
        _stage(place, curated),
        stages,
    )
    manifest = published.snapshot.manifest
    lines = "\n".join(closing_lines(manifest, published.snapshot))
    get_run_logger().info("%s\n%s", published.snapshot.location, lines)
    create_markdown_artifact(f"```\n{lines}\n```", key=f"{manifest.name.replace('_', '-')}-funnel")
    if published.missing:
        raise ForgeError(f"no row for {', '.join(published.missing)}: LATEST was not moved to {manifest.version}")
    return published.snapshot.location


def _settings(recipe: str, sets: str, root: str | None, limit: int | None) -> Recipe:
    read = read_recipe(Path(recipe))
    return build.changed(read, sets=sets, root=root, limit=limit)


def _root(settings: Recipe) -> Root:
    return Root.open(settings.build.root)


@contextlib.contextmanager
def _watched_run(settings: Recipe, root: Root, what: str) -> Iterator[Run]:
    """Give a run that shows in the task's log, as a progress artifact, and in the event log under the root."""
    displays: list[Display] = [Lines(get_run_logger().info), ProgressArtifact(settings.build.name)]
    with watched_run(settings, root, os.environ, displays, what=what) as (run, _):
        yield run


def _quiet_run(settings: Recipe) -> Run:
    """Return a run that asks for nothing."""
    return build.new_run(settings, os.environ, RunWatcher([Lines(get_run_logger().info)]))


def _stage(root: Root, key: str) -> Stage:
    found = find_stage(root, key)
    if found is None:
        raise StorageError(f"{root.where(key)}: the stage has gone; run the flow again")
    return found
