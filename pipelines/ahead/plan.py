"""The plan: rows, requests, tokens, hours and cost of a build before anything is spent.

No model is called and nothing large is downloaded unless the caller asks for it: a probe, a download.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.ahead.estimates import Rate, rate_of_probe
from pipelines.ahead.evaluation import BenchmarkPlan, plan_evaluation
from pipelines.ahead.few import FewSets, at_once, few_of, few_sets
from pipelines.ahead.inputs import InputPlan, Inputs, plan_inputs
from pipelines.ahead.requests import Wanted, wanted_of_responder, wanted_of_teacher, wanted_samples, wanted_votes
from pipelines.ahead.roles import AskedRole, RolePlan, answering_role, plan_role, sampling_role
from pipelines.ahead.suspects import NOT_JUDGED, RulesPlan, plan_rules
from pipelines.engines.answering import Run
from pipelines.judging.sampling import sample_sets
from pipelines.rubrics.cases import chosen_cases, labelled_sets
from pipelines.rubrics.giving import rubric_settings, with_criteria
from pipelines.rubrics.trials import ATTEMPTS
from pipelines.sources.registry import SOURCES
from pipelines.steps import check_keys, jobs_of
from pipelines.synthesis.answers import answer_job
from pipelines.synthesis.retagging import retag_job
from pipelines.synthesis.synthesis import ROLES
from schemas.errors import RecipeError
from schemas.recipe import Recipe
from schemas.rubric import Origin
from storage.root import Root
from storage.rubric_tables import read_rubrics
from storage.stages import Stage


@dataclass(frozen=True)
class RubricsPlan:
    """What `grmforge rubrics build` would ask to make the recipe's rubrics; a build asks nothing of models.rubric."""

    model: str
    questions: int
    """Questions that are to have a rubric, of the sources whose sets are here."""
    made: int
    """Of these, those that have one."""
    panel: int
    requests: int
    """For the others: one that writes the rubric and one for each answer of its panel, which holds whole sets and so
    may be a few larger; answers that are there already among them."""

    def lines(self) -> list[str]:
        """Return it for a terminal."""
        bound = f"about: 1 + {self.panel} a question; at most {ATTEMPTS * self.requests:,} with malformed answers again"
        return [
            f"  rubrics with {self.model}: asked by grmforge rubrics build, never by a build",
            f"    questions       {self.questions:>14,}   {self.made:,} have their rubric",
            f"    requests        {self.requests:>14,}   {bound if self.requests else ''}".rstrip(),
        ]


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
    evaluation: tuple[BenchmarkPlan, ...] = ()
    rules: RulesPlan | None = None
    """None where no set is judged yet."""

    def as_text(self) -> str:
        """Return the plan as a table for a terminal."""
        return "\n".join([*(self._of_build() if self.inputs else []), *self._of_evaluation()])

    def _of_evaluation(self) -> list[str]:
        lines = [f"evaluation of {self.name}: what grmforge evaluate asks"] if self.evaluation else []
        for benchmark in self.evaluation:
            lines += ["", *benchmark.lines()]
        return ["", *lines] if lines and self.inputs else lines

    def _of_build(self) -> list[str]:
        certainty = "not all rows are here: requests are upper bounds"
        if self.is_exact:
            certainty = "rows and requests are exact, save that unreadable answers are asked for again"
        elif self.is_here:
            certainty = "not all sets are made yet: what judges will be asked is an upper bound"
        lines = [f"plan of {self.name}; {certainty}", "", *(source.line() for source in self.inputs)]
        if not self.is_here:
            lines += ["", "  grmforge plan --download fetches what is not here, and counts it"]
        for role in self.roles:
            lines += ["", *role.lines()]
        if self.rubrics:
            lines += ["", *self.rubrics.lines()]
        if self.roles:
            lines += ["", *(self.rules.lines() if self.rules else [NOT_JUDGED])]
        return lines


def plan_of(recipe: Recipe, root: Root, run: Run, *, probe: int | None = None, download: bool = False) -> Plan:
    """Return the plan of a build.

    `probe` asks each model for the samples of so many sets, to measure its rate and its tokens; the build uses these
    answers. `download` fetches sources that are not on this machine yet.
    """
    if probe and not recipe.sources:
        raise RecipeError(
            "--probe samples sets of [[sources]], and the recipe has none: grmforge evaluate --limit 20 asks the judge "
            "about so many items, and the next plan knows its rate"
        )
    evaluation = plan_evaluation(recipe, root, run, download=download)
    if not recipe.sources:
        return Plan(recipe.build.name, True, True, (), (), evaluation=evaluation)
    inputs = plan_inputs(recipe, root, run, download=download)
    given = _given(recipe, root, run, inputs)
    rates = _probed(at_once(recipe), root, run, inputs, probe) if probe else {}
    directory = Path(recipe.directory)
    roles = [
        plan_role(root, asked, wanted, directory, rates.get(asked.purpose))
        for asked, wanted in [
            *_answering(recipe, root, inputs),
            *_sampling(recipe, root, replace(inputs, curated=given)),
        ]
    ]
    return Plan(
        recipe.build.name,
        inputs.is_exact,
        inputs.is_here,
        inputs.plans,
        tuple(roles),
        _plan_rubrics(recipe, root, inputs),
        evaluation,
        plan_rules(recipe, root, given) if given else None,
    )


def _answering(recipe: Recipe, root: Root, inputs: Inputs) -> Iterator[tuple[AskedRole, Wanted]]:
    """Yield the roles that make sets of questions, as far as the recipe has questions and models for them."""
    sources = [section.source for section in recipe.sources if SOURCES[section.kind].gives == "questions"]
    for role, wanted_of in zip(ROLES, (wanted_of_responder, wanted_of_teacher), strict=True):
        if sources and (job := answer_job(recipe, role)):
            yield answering_role(job, sources), wanted_of(root, job, recipe.synthesis, inputs)


def _given(recipe: Recipe, root: Root, run: Run, inputs: Inputs) -> Stage | None:
    """Return the curated sets with the criteria that judges are shown; None where there are none."""
    if inputs.curated is None:
        return None
    return with_criteria(rubric_settings(recipe), root, run, inputs.curated, search=False)


def _sampling(recipe: Recipe, root: Root, inputs: Inputs) -> Iterator[tuple[AskedRole, Wanted]]:
    """Yield the roles that judge sets: those that are judged again first."""
    for section in recipe.sources:
        if (job := retag_job(recipe, section)) is not None:
            yield sampling_role(job), wanted_votes(root, job, section.source, inputs)
    for job in jobs_of(recipe):
        yield sampling_role(job), wanted_samples(root, job, inputs)


def _probed(recipe: Recipe, root: Root, run: Run, inputs: Inputs, n: int) -> Mapping[str, Rate]:
    """Return the rates of all models that a probe of so many sets asks."""
    is_open = any(source.rows for source in inputs.open)
    if inputs.curated is None and not is_open:
        raise RecipeError("--probe: no source is here to sample from; add --download")
    present = {plan.source for plan in inputs.plans if plan.kept is not None or plan.questions is not None}
    here = tuple(section for section in recipe.sources if section.source in present)
    jobs = jobs_of(recipe)
    few = (
        few_sets(recipe.model_copy(update={"sources": here}), root, run, [job.model for job in jobs], n)
        if inputs.curated is None or is_open
        else FewSets(inputs.curated)
    )
    sampled = few_of(recipe, root, run, few.curated, n)
    check_keys(jobs, root, run, sampled)
    asked = {job.purpose: sample_sets(root, run, job, sampled) for job in jobs}
    timings = few.timings | {purpose: (answers.bought, answers.seconds) for purpose, answers in asked.items()}
    return {name: rate for name, timing in timings.items() if (rate := rate_of_probe(*timing))}


def _plan_rubrics(recipe: Recipe, root: Root, inputs: Inputs) -> RubricsPlan | None:
    """Return what making rubrics would ask; None where the recipe has no model for it, or no set is here."""
    model, settings = recipe.models.rubric, recipe.rubrics
    if model is None or inputs.curated is None:
        return None
    wanted = {case.query_id for case in chosen_cases(labelled_sets(inputs.curated), settings.queries)}
    made = wanted & {rubric.query_id for rubric in read_rubrics(root) if rubric.origin == Origin.GENERATED}
    return RubricsPlan(model.name, len(wanted), len(made), settings.panel, len(wanted - made) * (1 + settings.panel))
