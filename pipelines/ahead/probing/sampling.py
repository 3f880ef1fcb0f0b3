"""The sets that a probe samples, and how quickly they are answered. Whatever it buys, the build uses."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from pipelines.build import curated_sets
from pipelines.engines.answering import Run
from pipelines.engines.asking import Answers
from pipelines.judging.samples import SamplingJob
from pipelines.judging.sampling import SAMPLED_SPLITS, sample_sets
from pipelines.rubrics.giving import with_criteria
from pipelines.sources.ingestion import ingest
from pipelines.sources.registry import SOURCES
from pipelines.synthesis.retagging import find_retagged, retag_job
from pipelines.synthesis.synthesis import ROLES, SourceSets, find_synthesized, synthesis_job
from schemas.errors import ForgeError
from schemas.preference import SETS
from schemas.recipe import Recipe, SourceSection
from storage.root import Root
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tables import read_table

STAGE_VERSION = 1


@dataclass(frozen=True)
class Timing:
    """How quickly requests were answered."""

    bought: int
    seconds: float


@dataclass(frozen=True)
class SomeSets:
    """Sets to probe with."""

    curated: Stage
    """All sets of the recipe; where some are still to be made of questions, those of a few rows of each source."""
    made: tuple[tuple[SourceSection, SourceSets], ...] = ()
    """The sources of questions whose sets are not all made yet, with the few that are."""
    timings: Mapping[str, Timing] = field(default_factory=dict)
    """Of the roles that made them."""
    is_whole: bool = True
    """Whether these are all sets of the recipe."""


@dataclass(frozen=True)
class SampledSome:
    """Some sets of a build, sampled."""

    sets: Stage
    answers: Answers
    timing: Timing


def some_sets(recipe: Recipe, root: Root, run: Run, n: int) -> SomeSets:
    """Return sets for a probe of `n`.

    Where questions are still to be answered, `n` rows of all sources together are read, and only their questions
    answered: as many sets as that make do for a probe, and their answers are those that the build would ask for.
    """
    unmade = [section for section in recipe.sources if _is_unmade(recipe, root, section)]
    if not unmade:
        return SomeSets(curated_sets(recipe, root, run)[1])
    few = math.ceil(n / len(recipe.sources))
    sections = [one.model_copy(update={"limit": min(few, one.limit or few)}) for one in recipe.sources]
    limited = at_once(recipe).model_copy(update={"sources": tuple(sections), "general": None})
    sources, curated = curated_sets(limited, root, run)
    names = {section.source for section in unmade}
    asked = [(one, sets) for one, sets in zip(sections, sources, strict=True) if one.source in names]
    made = [(one, sets) for one, sets in asked if SOURCES[one.kind].gives == "questions"]
    return SomeSets(curated, tuple(made), _timings([sets for _, sets in made]), is_whole=False)


def at_once(recipe: Recipe) -> Recipe:
    """Return the recipe with no model asked by batch.

    A probe wants to know now: it asks at once, at the full price, what the build would put into a batch.
    """
    now = {
        role: model.model_copy(update={"batch": False})
        for role in ROLES
        if (model := getattr(recipe.models, role)) is not None
    }
    return recipe.model_copy(update={"models": recipe.models.model_copy(update=now)})


def sample_some(recipe: Recipe, root: Root, run: Run, job: SamplingJob, curated: Stage, n: int) -> SampledSome:
    """Sample `n` of the sets as the build would; it uses these answers."""
    some = few_of(recipe, root, run, curated, n)
    before, started = run.budget.answers, time.monotonic()
    now = replace(job, model=job.model.model_copy(update={"batch": False}))  # as `at_once` says
    answers = sample_sets(root, run, now, some)
    return SampledSome(some, answers, Timing(run.budget.answers - before, time.monotonic() - started))


def few_of(recipe: Recipe, root: Root, run: Run, curated: Stage, n: int) -> Stage:
    """Return the stage of those `n` sets that a probe samples, with the criteria that judges are to see."""
    return with_criteria(recipe, root, run, _some_of(root, curated, n))


def _is_unmade(recipe: Recipe, root: Root, section: SourceSection) -> bool:
    """Say whether models are still to be asked for sets of a source."""
    if SOURCES[section.kind].gives == "questions":
        return find_synthesized(synthesis_job(recipe), root, ingest(recipe, root, section)) is None
    job = retag_job(recipe, section)
    return job is not None and find_retagged(job, recipe.build, root, ingest(recipe, root, section)) is None


def _timings(made: Sequence[SourceSets]) -> dict[str, Timing]:
    return {
        role: Timing(
            sum(one.bought.get(role, 0) for one in made),
            sum(one.seconds.get(role, 0.0) for one in made),
        )
        for role in ROLES
    }


def _some_of(root: Root, curated: Stage, n: int) -> Stage:
    """Return a stage with the `n` sampled sets of the smallest set_id, so that a larger probe holds a smaller one."""
    key = stage_key("probed", STAGE_VERSION, n, [curated.content])
    if found := find_stage(root, key):
        return found
    sets = read_table(curated.paths("sets"), SETS)
    frame = pl.from_arrow(sets.select(["set_id", "split", "drop_reason"]))
    assert isinstance(frame, pl.DataFrame)
    sampled = frame.with_row_index("row").filter(
        pl.col("drop_reason").is_null() & pl.col("split").is_in(SAMPLED_SPLITS)
    )
    if not sampled.height:
        raise ForgeError("probe: the recipe keeps no train or validation set; grmforge plan shows what was dropped")
    rows = sampled.sort("set_id").head(n)["row"].sort()
    with TableWriter(root, key, "sets", SETS) as writer:
        writer.write(sets.take(rows.to_arrow()))
    return finish_stage(root, key, {"sets": writer.files}, {}, [curated])
