"""The few sets that a probe samples, and how quickly they are answered. The build uses whatever a probe buys."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from pipelines.ahead.estimates import Timing
from pipelines.engines.answering import Run
from pipelines.judging.samples import SamplingJob
from pipelines.judging.sampling import SAMPLED_SPLITS, sample_sets
from pipelines.orders import models_of
from pipelines.rubrics.giving import with_criteria
from pipelines.sources.registry import SOURCES
from pipelines.steps import CURATE, steps_to_sets
from pipelines.synthesis.synthesis import ROLES
from pipelines.walk import Product, Step, walked
from schemas.errors import ForgeError
from schemas.preference import SETS
from schemas.recipe import ModelSection, Recipe, SourceSection
from storage.root import Root
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tables import read_table

STAGE_VERSION = 1


@dataclass(frozen=True)
class FewSets:
    """Sets to probe with."""

    curated: Stage
    """All sets of the recipe; where some are still to be made of questions, those of a few rows of each source."""
    made: tuple[tuple[SourceSection, Product], ...] = ()
    """The sources of questions whose sets are not all made yet, with the few that are."""
    is_whole: bool = True
    """Whether these are all sets of the recipe."""

    @property
    def timings(self) -> dict[str, Timing]:
        """How quickly the roles that made them answered."""
        products = [product for _, product in self.made]
        return {
            role: Timing(
                sum(one.bought.get(role, 0) for one in products), sum(one.seconds.get(role, 0.0) for one in products)
            )
            for role in ROLES
        }


@dataclass(frozen=True)
class SampledFew:
    """A few sets of a build, sampled."""

    sets: Stage
    given_up: Mapping[str, str]
    timing: Timing


def at_once(recipe: Recipe) -> Recipe:
    """Return the recipe with no model asked by batch.

    A probe wants to know now: it asks at once, at the full price, what the build would put into a batch.
    """
    models = {role: model.model_copy(update={"batch": False}) for role, model in models_of(recipe).items()}
    return recipe.model_copy(update={"models": recipe.models.model_copy(update=models)})


def few_sets(recipe: Recipe, root: Root, run: Run, judges: Sequence[ModelSection], n: int) -> FewSets:
    """Return sets for a probe of `n`; the `judges` are asked about them later.

    Where questions are still to be answered, `n` rows of all sources together are read, and only their questions
    answered: as many sets as that make do for a probe, and their answers are those that the build would ask for.
    """
    steps = steps_to_sets(recipe, judges)
    unmade = [step.section.source for step in steps if step.section and _is_unmade(steps, step, root, run)]
    if not unmade:
        return FewSets(walked(steps, root, run)[CURATE].stage)
    few = math.ceil(n / len(recipe.sources))
    sections = [one.model_copy(update={"limit": min(few, one.limit or few)}) for one in recipe.sources]
    steps = steps_to_sets(recipe.model_copy(update={"sources": tuple(sections), "general": None}), judges)
    products = walked(steps, root, run)
    made = [
        (step.section, products[step.name])
        for step in steps
        if step.asking and step.section and step.section.source in unmade
    ]
    of_questions = tuple((section, one) for section, one in made if SOURCES[section.kind].gives == "questions")
    return FewSets(products[CURATE].stage, of_questions, is_whole=False)


def sample_few(recipe: Recipe, root: Root, run: Run, job: SamplingJob, curated: Stage, n: int) -> SampledFew:
    """Sample `n` of the sets as the build would."""
    sets = few_of(recipe, root, run, curated, n)
    before, started = run.budget.answers, time.monotonic()
    given_up = sample_sets(root, run, job, sets)
    return SampledFew(sets, given_up, Timing(run.budget.answers - before, time.monotonic() - started))


def few_of(recipe: Recipe, root: Root, run: Run, curated: Stage, n: int) -> Stage:
    """Return the stage of those `n` sets that a probe samples, with the criteria that judges are to see."""
    return with_criteria(recipe, root, run, _smallest(root, curated, n))


def _is_unmade(steps: Sequence[Step], step: Step, root: Root, run: Run) -> bool:
    """Say whether models are still to be asked for sets of a source."""
    if step.asking is None:
        return False
    (reading,) = (one for one in steps if one.name in step.needs)
    return step.asking.find(root, reading.make(root, run, ()).stage, False) is None


def _smallest(root: Root, curated: Stage, n: int) -> Stage:
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
