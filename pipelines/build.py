"""A build: the stages in the order that the data travels, as plain functions. The command and the flows both walk it.

    ingest -> curate -> sample -> judge -> assemble -> publish

Each stage finds its finished table by fingerprint and makes it only where it is missing; only `sample` calls models.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.curation.curation import curate
from pipelines.engines.answering import Run
from pipelines.grm.judging import Judged, find_judged, judge
from pipelines.grm.samples import sampling_job
from pipelines.grm.sampling import sample_sets
from pipelines.reporting.publication import Published, publish_snapshot
from pipelines.sources.ingestion import ingest, ingest_general
from pipelines.training_sets.assembly import assemble
from schemas.errors import RecipeError
from schemas.recipe import Recipe, SameAsGrm, recipe_of
from schemas.trajectory import Purpose
from storage.root import Root
from storage.stages import Stage


def build(recipe: Recipe, root: Root, run: Run) -> Published:
    """Build every set of the recipe and publish them. Raises ForgeError; what was bought by then is kept."""
    sources, curated = prepare(recipe, root, run)
    judged = {purpose: sample_and_judge(recipe, root, run, purpose, curated) for purpose in purposes_of(recipe)}
    return finish(recipe, root, run, sources, curated, judged)


def prepare(recipe: Recipe, root: Root, run: Run) -> tuple[list[Stage], Stage]:
    """Read every source and curate their sets; no model is called."""
    sources = []
    for section in recipe.sources:
        run.watcher.stage(f"reading {section.source}", None)
        sources.append(ingest(recipe, root, section))
    general = ingest_general(recipe, root, recipe.general) if recipe.general else None
    run.watcher.stage("curating", None)
    return sources, curate(recipe, root, sources, general)


def sample_and_judge(recipe: Recipe, root: Root, run: Run, purpose: Purpose, curated: Stage) -> Judged:
    """See that a purpose's samples are answered, and read them."""
    job = sampling_job(recipe, purpose)
    if job is None:
        raise RecipeError(f"the recipe names no model that samples {purpose}")
    if found := find_judged(root, job, curated, run.retry_failed):
        return Judged(job, found, found.facts["requests"])
    bought = run.budget.requests
    given_up = sample_sets(root, run, job, curated)
    bought = run.budget.requests - bought
    run.watcher.stage(f"judging {purpose}", None)
    stage = judge(root, job, curated, given_up)
    return Judged(job, stage, max(0, stage.facts["requests"] - bought))


def finish(
    recipe: Recipe,
    root: Root,
    run: Run,
    sources: Sequence[Stage],
    curated: Stage,
    judged: Mapping[Purpose, Judged],
) -> Published:
    """Reject, balance, assemble and publish; no model is called."""
    run.watcher.stage("assembling", None)
    assembled = assemble(recipe, root, curated, {purpose: one.stage for purpose, one in judged.items()})
    run.watcher.stage("publishing", None)
    return publish_snapshot(recipe, root, sources, curated, judged, assembled)


def purposes_of(recipe: Recipe) -> list[Purpose]:
    """Return what must be sampled for the recipe's sets, in order."""
    sets = recipe.build.sets
    purposes = []
    grm_decides_difficulty = isinstance(recipe.models.difficulty, SameAsGrm)
    if "rft" in sets or "meta_rm" in sets or ("rl" in sets and grm_decides_difficulty):
        purposes.append(Purpose.RFT)
    if "rl" in sets and not grm_decides_difficulty:
        purposes.append(Purpose.DIFFICULTY)
    if "meta_rm" in sets and recipe.models.policy is not None:
        purposes.append(Purpose.ON_POLICY)
    return purposes


def with_sets(recipe: Recipe, sets: Sequence[str]) -> Recipe:
    """Return the recipe for some of its sets only, published under a name that says so: `<name>-rft`."""
    if set(sets) == set(recipe.build.sets):
        return recipe
    build_section = {**recipe.build.model_dump(), "sets": list(sets), "name": "-".join([recipe.build.name, *sets])}
    return _changed(recipe, {"build": build_section})


def with_limit(recipe: Recipe, limit: int) -> Recipe:
    """Return the recipe with at most so many rows of every source."""
    sources = [
        {**source.model_dump(), "limit": min(limit, source.limit or limit)} for source in recipe.sources
    ]
    return _changed(recipe, {"sources": sources})


def _changed(recipe: Recipe, changes: Mapping[str, object]) -> Recipe:
    return recipe_of({**recipe.model_dump(exclude_unset=True), **changes}, Path(recipe.directory))
