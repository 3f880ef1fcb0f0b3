"""The plan: rows, requests, tokens, hours and cost of a build before anything is spent.

No model is called and nothing large is downloaded unless the caller asks for it: a probe, a download.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.ahead.planning.inputs import InputPlan, Inputs, plan_inputs
from pipelines.ahead.planning.rates import AnswerRate, probed_rate
from pipelines.ahead.planning.roles import AskedRole, RolePlan, answering_role, plan_role, sampling_role
from pipelines.ahead.planning.rubrics import RubricsPlan, plan_rubrics
from pipelines.ahead.planning.wanted import Wanted, wanted_of_responder, wanted_of_teacher, wanted_samples, wanted_votes
from pipelines.ahead.probing.sampling import SomeSets, Timing, few_of, sample_some, some_sets
from pipelines.engines.answering import Run
from pipelines.rubrics.giving import with_criteria
from pipelines.sources.registry import SOURCES
from pipelines.steps import check_keys, jobs_of
from pipelines.synthesis.answers import answer_job
from pipelines.synthesis.retagging import retag_job
from pipelines.synthesis.synthesis import ROLES
from schemas.errors import RecipeError
from schemas.recipe import Recipe
from storage.root import Root


@dataclass(frozen=True)
class Plan:
    """What a build would read and ask."""

    name: str
    is_exact: bool
    """Whether every source is here with its sets, so that rows and requests are counted, not bounded."""
    is_here: bool
    """Whether every source is here; sets of questions may still be to be made."""
    inputs: tuple[InputPlan, ...]
    roles: tuple[RolePlan, ...]
    rubrics: RubricsPlan | None = None
    """What making rubrics would ask, which is no part of a build."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        """Return the plan as a table for a terminal."""
        lines = [f"plan of {self.name}; {self._certainty()}", "", *(one.line() for one in self.inputs)]
        if not self.is_here:
            lines += ["", "  grmforge plan --download fetches what is not here, and counts it"]
        parts: list[RolePlan | RubricsPlan] = [*self.roles, *([self.rubrics] if self.rubrics else [])]
        for part in parts:
            lines += ["", *part.lines()]
        return "\n".join(lines)

    def _certainty(self) -> str:
        if self.is_exact:
            return "rows and requests are exact, save that unreadable answers are asked for again"
        if self.is_here:
            return "not all sets are made yet: what judges will be asked is an upper bound"
        return "not all rows are here: requests are upper bounds"


def plan_of(recipe: Recipe, root: Root, run: Run, *, probe: int | None = None, download: bool = False) -> Plan:
    """Return the plan of a build.

    `probe` asks each model for the samples of so many sets, to measure its rate and its tokens; the build uses these
    answers. `download` fetches sources that are not on this machine yet.
    """
    inputs = plan_inputs(recipe, root, run, download=download)
    rates = _probed(recipe, root, run, inputs, probe) if probe else {}
    directory = Path(recipe.directory)
    roles = [
        plan_role(root, asked, wanted, directory, rates.get(asked.purpose))
        for asked, wanted in [*_answering(recipe, root, inputs), *_sampling(recipe, root, run, inputs)]
    ]
    rubrics = plan_rubrics(recipe, root, inputs)
    return Plan(recipe.build.name, inputs.is_exact, inputs.is_here, inputs.plans, tuple(roles), rubrics)


def _answering(recipe: Recipe, root: Root, inputs: Inputs) -> Iterator[tuple[AskedRole, Wanted]]:
    """Yield the roles that make sets of questions, as far as the recipe has questions and models for them."""
    sources = [section.source for section in recipe.sources if SOURCES[section.kind].gives == "questions"]
    responder, teacher = (answer_job(recipe, role) for role in ROLES)
    if sources and responder is not None:
        yield (
            answering_role(responder, sources),
            wanted_of_responder(root, responder, recipe.synthesis, inputs),
        )
    if sources and teacher is not None:
        yield answering_role(teacher, sources), wanted_of_teacher(root, teacher, recipe.synthesis, inputs)


def _sampling(recipe: Recipe, root: Root, run: Run, inputs: Inputs) -> Iterator[tuple[AskedRole, Wanted]]:
    """Yield the roles that judge sets: those that are judged again first."""
    for section in recipe.sources:
        if (job := retag_job(recipe, section)) is not None:
            yield sampling_role(job), wanted_votes(root, job, section.source, inputs)
    if inputs.curated is not None:
        inputs = replace(inputs, curated=with_criteria(recipe, root, run, inputs.curated, search=False))
    for job in jobs_of(recipe):
        yield sampling_role(job), wanted_samples(root, job, inputs)


def _probed(recipe: Recipe, root: Root, run: Run, inputs: Inputs, n: int) -> Mapping[str, AnswerRate]:
    """Return the rates of all models that a probe of so many sets asks."""
    if inputs.curated is None and not any(one.checked or one.uncertain for one in inputs.open):
        raise RecipeError("--probe: no source is here to sample from; add --download")
    present = [plan.source for plan in inputs.plans if plan.kept is not None or plan.questions is not None]
    sections = tuple(section for section in recipe.sources if section.source in present)
    some = SomeSets(inputs.curated) if inputs.curated is not None else None
    if some is None or any(one.checked or one.uncertain for one in inputs.open):
        judges = [job.model for job in jobs_of(recipe)]
        some = some_sets(recipe.model_copy(update={"sources": sections}), root, run, judges, n)
    jobs = jobs_of(recipe)
    check_keys(jobs, root, run, few_of(recipe, root, run, some.curated, n))
    timings: dict[str, Timing] = dict(some.timings)
    for job in jobs:
        timings[job.purpose] = sample_some(recipe, root, run, job, some.curated, n).timing
    return {name: rate for name, timing in timings.items() if (rate := probed_rate(timing))}
