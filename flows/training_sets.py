"""The stages of a build as Prefect flows: `build-rft-set`, `build-rl-set`, `build-meta-rm-set`.

A thin shell: tasks take and return places, never rows, and each stage finds its finished table by itself, so Prefect
neither caches nor stores results. Keys are read from the environment inside the task.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from flows.distribution import Distribution, TaskRunnerName, Workers
from flows.flow_tasks import Order, cancellable, quiet_run, root_of, settings_of, stage_at, watched_task
from flows.shares import Work, asked_in_shares, is_asked_in_shares, sampled_and_judged
from pipelines import build
from pipelines.curation import curation
from pipelines.curation.curation import license_warnings
from pipelines.engines.budget import Spent
from pipelines.judging.judging import Judged
from pipelines.judging.samples import sampling_job
from pipelines.reporting.acceptance import closing_lines
from pipelines.reporting.publication import Published, make_latest
from pipelines.rubrics.giving import with_criteria
from pipelines.sources.ingestion import ingest, ingest_general
from pipelines.synthesis.ahead import role_asked
from pipelines.synthesis.synthesis import SourceSets
from schemas.errors import ForgeError, Waiting
from schemas.recipe import Recipe
from schemas.trajectory import Purpose

DEMO = "recipes/demo.toml"
NOTHING = Spent()


class Ready(NamedTuple):
    """What a snapshot is assembled from: the keys of its stages."""

    sources: list[tuple[str, dict[str, int]]]
    """The sets of each source, and what was bought of each role to make them."""
    curated: str
    judged: dict[str, tuple[str, int]]
    """The trajectories of each purpose, and how many of their answers were there before."""


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
    return build_sets(recipe, "rft", root, limit, task_runner, workers, keep_going)


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
    return build_sets(recipe, "rl", root, limit, task_runner, workers, keep_going)


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
    return build_sets(recipe, "meta_rm", root, limit, task_runner, workers, keep_going)


def build_sets(
    recipe: str,
    sets: str,
    root: str | None,
    limit: int | None,
    task_runner: TaskRunnerName = "threads",
    workers: int | None = None,
    keep_going: bool = False,
) -> str:
    """Build and publish some sets of a recipe, from inside a flow; returns the snapshot's directory.

    Judges are asked in `workers` shares at once, in threads of this process or on Ray; unless given, in one, or in as
    many as Ray has machines. All else is done here. Fails where a model's first answers are of no use, unless it is to
    `keep_going`.
    """
    with Distribution(task_runner, workers) as over:
        return _built((recipe, sets, root, limit), over, keep_going)


def _built(order: Order, over: Distribution, keep_going: bool) -> str:
    return publish(*order, made_ready(order, over, keep_going=keep_going))


def made_ready(order: Order, over: Distribution, spent: Spent = NOTHING, keep_going: bool = False) -> Ready:
    """Return all that a snapshot is assembled from, from inside a flow; `spent` is what was spent before."""
    settings = settings_of(*order)
    sources = [read_source.submit(*order, index) for index in range(len(settings.sources))]
    general = read_general.submit(*order) if settings.general else None
    source_sets: list[tuple[str, dict[str, int]]] = []
    for index, source in enumerate(sources):
        key, bought, spent = _sets_of(order, Work(source=index, keep_going=keep_going), source.result(), spent, over)
        source_sets.append((key, bought))
    curated = curate(*order, [key for key, _ in source_sets], general.result() if general else None)
    judged: dict[str, tuple[str, int]] = {}
    waiting: list[str] = []
    for purpose in build.purposes_of(settings):
        try:
            work = Work(purpose, keep_going=keep_going)
            if is_asked_in_shares(settings, work, over):
                key, cached, spent = sampled_and_judged(order, work, curated, spent, over)
            else:
                key, cached, spent = sample_and_judge(*order, purpose.value, curated, spent, keep_going)
        except Waiting as error:  # the others submit their batches all the same
            waiting.append(str(error))
        else:
            judged[purpose.value] = key, cached
    if waiting:
        raise Waiting("; ".join(waiting))
    return Ready(source_sets, curated, judged)


def _sets_of(
    order: Order, work: Work, read: str, spent: Spent, over: Distribution
) -> tuple[str, dict[str, int], Spent]:
    """Return the stage of a source's sets, what was bought of each role to make them, and what is spent."""
    settings, index = settings_of(*order), work.source or 0
    section = settings.sources[index]
    role = role_asked(settings, section)
    if role is None:
        return read, {}, spent
    bought: Counter[str] = Counter()
    if is_asked_in_shares(settings, work, over):
        rows, spent, rephrasing = find_rows(*order, index, spent, work.keep_going)
        bought["teacher"] += rephrasing
        if rows:
            before = spent.answers
            _, spent = asked_in_shares(order, work, rows, spent, over)
            bought[role] += spent.answers - before
    key, further, spent = make_sets(*order, index, spent, work.keep_going)
    return key, dict(bought + Counter(further)), spent


@task(task_run_name="read source {index}")
def read_source(recipe: str, sets: str, root: str | None, limit: int | None, index: int) -> str:
    """Return the stage of one source."""
    settings = settings_of(recipe, sets, root, limit)
    return ingest(settings, root_of(settings), settings.sources[index]).key


@task(task_run_name="find what to ask of source {index}")
def find_rows(
    recipe: str, sets: str, root: str | None, limit: int | None, index: int, spent: Spent, keep_going: bool = False
) -> tuple[str | None, Spent, int]:
    """Return the stage that shares ask about, what is spent, and what the teacher was asked to rephrase.

    There is no such stage where the sets of the source are made already.
    """
    settings = settings_of(recipe, sets, root, limit)
    place = root_of(settings)
    with watched_task(settings, place, settings.sources[index].source, keep_going=keep_going) as run:
        run.budget.carry(spent)
        rows = build.rows_to_ask(settings, place, run, settings.sources[index])
    return rows.key if rows else None, run.budget.spent, run.budget.answers - Spent(*spent).answers


@task(task_run_name="make sets of source {index}")
def make_sets(
    recipe: str, sets: str, root: str | None, limit: int | None, index: int, spent: Spent, keep_going: bool = False
) -> tuple[str, dict[str, int], Spent]:
    """Return the stage of the sets of one source, what was bought of each role to make them, and what is spent."""
    settings = settings_of(recipe, sets, root, limit)
    place = root_of(settings)
    section = settings.sources[index]
    with watched_task(settings, place, section.source, keep_going=keep_going) as run:
        run.budget.carry(spent)
        made = build.source_sets(settings, place, run, section)
    return made.stage.key, dict(made.bought), run.budget.spent


@task
def read_general(recipe: str, sets: str, root: str | None, limit: int | None) -> str:
    """Return the stage of the general rows."""
    settings = settings_of(recipe, sets, root, limit)
    assert settings.general is not None
    return ingest_general(settings, root_of(settings), settings.general).key


@task
def curate(recipe: str, sets: str, root: str | None, limit: int | None, sources: list[str], general: str | None) -> str:
    """Return the stage of the curated sets."""
    settings = settings_of(recipe, sets, root, limit)
    place = root_of(settings)
    stages = [stage_at(place, key) for key in sources]
    curated = curation.curate(settings, place, stages, stage_at(place, general) if general else None)
    for line in license_warnings(settings, curated):
        get_run_logger().warning(line)
    curated = with_criteria(settings, place, quiet_run(settings), curated)
    build.check_keys(settings, place, quiet_run(settings), curated)
    return curated.key


@task(task_run_name="sample and judge {purpose}")
def sample_and_judge(
    recipe: str,
    sets: str,
    root: str | None,
    limit: int | None,
    purpose: str,
    curated: str,
    spent: Spent,
    keep_going: bool = False,
) -> tuple[str, int, Spent]:
    """Return the stage of a purpose's trajectories, how many of its answers were there before, and what is spent.

    `spent` is what earlier purposes took: the recipe's budget holds for all of them together.
    """
    settings = settings_of(recipe, sets, root, limit)
    place = root_of(settings)
    with watched_task(settings, place, purpose, keep_going=keep_going) as run:
        run.budget.carry(spent)
        judged = build.sample_and_judge(settings, place, run, Purpose(purpose), stage_at(place, curated))
    return judged.stage.key, judged.cached, run.budget.spent


@task
def publish(recipe: str, sets: str, root: str | None, limit: int | None, ready: Ready) -> str:
    """Assemble and publish; returns the snapshot's directory."""
    published = published_of(settings_of(recipe, sets, root, limit), ready)
    make_latest(published.snapshot.root, published)
    manifest = published.snapshot.manifest
    if published.missing:
        raise ForgeError(f"{published.no_row}: LATEST was not moved to {manifest.version}")
    return published.snapshot.location


def published_of(settings: Recipe, ready: Ready, check: Callable[[], None] = lambda: None) -> Published:
    """Assemble and publish, and show the funnel as an artifact, from inside a task; LATEST stays where it is.

    `check` is called before anything is published, and raises what should stop it.
    """
    place = root_of(settings)
    stages = {}
    for name, (key, cached) in ready.judged.items():
        job = sampling_job(settings, Purpose(name))
        assert job is not None
        stages[Purpose(name)] = Judged(job, stage_at(place, key), cached)
    sources = [SourceSets(stage_at(place, key), bought) for key, bought in ready.sources]
    curated = stage_at(place, ready.curated)
    published = build.finish(settings, place, quiet_run(settings), sources, curated, stages, check)
    lines = "\n".join(closing_lines(published.snapshot.manifest, published.snapshot))
    get_run_logger().info("%s\n%s", published.snapshot.location, lines)
    create_markdown_artifact(f"```\n{lines}\n```", key=f"{settings.build.name.replace('_', '-')}-funnel")
    return published
