"""One request of each role, as a build sends it, and how a build reads the answer.

The material is the first row of the recipe's own data that is here, else an example.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from pipelines.ahead.stand_ins import sets_of_questions
from pipelines.engines.asking import use_unless
from pipelines.engines.early_stop import Use
from pipelines.engines.jobs import Job
from pipelines.judging.draws import draws_of
from pipelines.judging.prompt_length import fitted
from pipelines.judging.samples import ROLE, SamplingJob, sampling_job
from pipelines.judging.sampling import use_of_judgement
from pipelines.rubrics.cases import Case
from pipelines.rubrics.panels import Panelist
from pipelines.rubrics.requests import (
    MalformedAnswer,
    generation_request,
    judgement_request,
    read_criteria,
    read_judgement,
    rubric_job,
)
from pipelines.sources.files import is_here, open_files
from pipelines.sources.registry import SOURCES
from pipelines.synthesis.answers import answer_job, answer_request, holds_answer
from schemas.errors import ForgeError
from schemas.generation import Completion, Request
from schemas.preference import PreferenceSet
from schemas.query import user
from schemas.question import AnswerForm, Gold, Question, Verdict, question
from schemas.recipe import SCORERS, ModelSection, Recipe
from schemas.rubric import CriterionKind, InvalidRubric, Origin, criterion, rubric
from schemas.trajectory import Purpose

_ROWS = 200
"""Rows of a source that are looked at for one that can be asked about."""


@dataclass(frozen=True)
class Asking:
    """One request of a role, and what its answer is good for."""

    what: str
    """Such as `grm`, or `rubric, criteria judge`."""
    job: Job
    request: Request
    use_of: Callable[[Request, Completion], Use]


@dataclass(frozen=True)
class Material:
    """What the roles are asked about."""

    preference: PreferenceSet
    question: Question


def is_asked(model: ModelSection, role: str) -> bool:
    """Say whether a role is sent a request: of a scorer the look at its endpoint does, and others are not there yet."""
    return model.engine == "openai" and role not in SCORERS


def askings(recipe: Recipe, roles: Collection[str], material: Material) -> Iterator[Asking]:
    """Yield a request for each of these roles, and two for `rubric`."""
    for purpose in (Purpose.RFT, Purpose.DIFFICULTY, Purpose.ON_POLICY):
        if ROLE[purpose] in roles and (job := sampling_job(recipe, purpose)):
            yield _judgement(job, material.preference)
    for role in ("responder", "teacher"):
        if role not in roles:
            continue
        if role == "teacher" and any(source.teacher_votes for source in recipe.sources):
            votes = sampling_job(recipe, Purpose.RETAG)
            assert votes is not None
            yield _judgement(votes, material.preference)
        elif job_of_role := answer_job(recipe, role):
            yield _answer(job_of_role, material.question)
    if "rubric" in roles:
        yield from _rubric(recipe, material.preference)


def _judgement(job: SamplingJob, preference: PreferenceSet) -> Asking:
    draws = draws_of(replace(job, hinted_sources=frozenset()), preference)[0]
    draw = draws.draw(0)
    return Asking(job.role, job, draws.request(draw), lambda _, completion: use_of_judgement(draws, draw, completion))


def _answer(job: Job, asked: Question) -> Asking:
    def fault_of(request: Request, text: str) -> str | None:
        return None if holds_answer(request, text) else Verdict.NO_ANSWER.value

    return Asking(job.role, job, answer_request(job, asked, 0), use_unless(fault_of))


def _rubric(recipe: Recipe, preference: PreferenceSet) -> Iterator[Asking]:
    """Yield the requests of the model that writes criteria, and that says which of them an answer meets."""
    job = rubric_job(recipe)
    best = preference.best or 0
    better, worse = preference.responses[best], preference.responses[best - 1]
    case = Case(preference, better, worse)
    criteria = [
        criterion("names what was asked for", 3, CriterionKind.RULE, tags=[], origin="doctor"),
        criterion("holds a wrong statement", -2, CriterionKind.PITFALL, tags=[], origin="doctor"),
    ]
    panelist = Panelist(preference.query_id, preference.query, better.text, None, True)
    tried = rubric(
        query_id=preference.query_id,
        case=preference.query[-1].content,
        domain=preference.domain,
        source=preference.source,
        license=preference.license,
        origin=Origin.GENERATED,
        criteria=criteria,
    )

    def read_by(read: Callable[[str], object]) -> Callable[[Request, Completion], Use]:
        def fault_of(_: Request, text: str) -> str | None:
            try:
                read(text)
            except (MalformedAnswer, InvalidRubric) as fault:
                return fault.reason
            return None

        return use_unless(fault_of)

    yield Asking(
        "rubric, writer",
        job,
        generation_request(job, case, "", 0),
        read_by(lambda text: read_criteria(text, job.model.name)),
    )
    yield Asking(
        "rubric, criteria judge",
        job,
        judgement_request(job, tried, panelist, 0),
        read_by(lambda text: read_judgement(text, len(criteria))),
    )


def material_of(recipe: Recipe) -> Material:
    """Return the first set and the first question of the recipe's sources that are here.

    An example stands in for a question, and for a set one that is made of the question.
    """
    found: dict[str, PreferenceSet | Question] = {}
    for section in recipe.sources:
        facts = SOURCES[section.kind]
        if facts.gives in found or not is_here(section, facts.hub, facts.patterns):
            continue
        try:
            files = open_files(section, facts.hub, facts.patterns, recipe.at("."))
            for record in islice(facts.read(section, files), _ROWS):
                if isinstance(record, PreferenceSet):
                    record = fitted(record, recipe.grm)  # as a build shows it, if at all
                if isinstance(record, PreferenceSet | Question) and record.drop_reason is None:
                    found.setdefault("questions" if isinstance(record, Question) else "sets", record)
                    break
        except ForgeError:
            continue  # another finding says what is wrong with it
    preference, asked, example = found.get("sets"), found.get("questions"), _example_question()
    if not isinstance(asked, Question):
        asked = example
    if not isinstance(preference, PreferenceSet):
        preference = sets_of_questions([asked, example])[0]
    return Material(preference, asked)


def _example_question() -> Question:
    return question(
        query=user("What is 7 times 8?"),
        gold=Gold(AnswerForm.MATH, "56"),
        reference="56",
        source="example",
        source_id="example",
        source_revision="example",
        license="CC0-1.0",
        domain="math",
        benchmark=False,
    )
