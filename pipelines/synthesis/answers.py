"""What responders and teachers are asked about questions, and what their answers amount to before they are graded."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.engines.identity import identity
from pipelines.engines.request_body import request_body
from pipelines.synthesis.prompts import (
    TEMPLATES,
    answer_prompt,
    comparison_prompt,
    rephrase_prompt,
    rewrite_prompt,
    template,
    verdict_text,
)
from schemas.candidate import Candidate, Origin
from schemas.generation import AnswerTruth, Completion, RephrasingTruth, Request, request
from schemas.query import Messages
from schemas.question import AnswerForm, Gold, Question, Verdict
from schemas.recipe import ModelSection, Recipe
from schemas.record import content_id

CUT_SHORT = frozenset({"length"})
REFUSALS = frozenset({"refusal", "content_filter"})


@dataclass(frozen=True)
class AnswerJob:
    """All that decides what one role is asked."""

    role: str
    model: ModelSection
    identity: dict[str, Any]
    temperature: float
    max_tokens: int
    section: str = "synthesis"
    """Of the recipe: where temperature and max_tokens stand; `given` are the keys that the recipe sets there."""
    given: frozenset[str] = frozenset()

    def settings(self) -> dict[str, Any]:
        """Return everything that a stage made by this job depends on."""
        return {
            "role": self.role,
            "identity": self.identity,
            "body": request_body(self.model, (), temperature=self.temperature, max_tokens=self.max_tokens),
            "system_role": self.model.system_role,
            "templates": [content_id("template", template(name)) for name in TEMPLATES],
        }


def answer_job(recipe: Recipe, role: str) -> AnswerJob | None:
    """Return what a role is asked with; None where the recipe has no model for it."""
    model: ModelSection | None = getattr(recipe.models, role)
    if model is None:
        return None
    settings = recipe.synthesis
    return AnswerJob(
        role,
        model,
        identity(model, Path(recipe.directory)),
        settings.temperature,
        settings.max_tokens,
        given=frozenset(settings.model_fields_set),
    )


def answer_request(job: AnswerJob, question: Question, index: int) -> Request:
    """Return the request for one answer to a question."""
    return _request(job, question, answer_prompt(question), index, AnswerTruth(question.query_id, question.gold))


def rewrite_request(job: AnswerJob, question: Question, wrong: Candidate, attempt: int) -> Request:
    """Return the request to put a wrong response into other words."""
    truth = AnswerTruth(question.query_id, question.gold, kept=wrong.answer)
    return _request(job, question, rewrite_prompt(question, wrong.text or ""), attempt, truth)


def comparison_request(job: AnswerJob, question: Question, given: Candidate) -> Request:
    """Return the request to compare a short answer with the reference."""
    verdict = verdict_text(Verdict.WRONG)  # the simulated engine's answers are right in the words of the gold, or wrong
    truth = AnswerTruth(question.query_id, Gold(AnswerForm.TEXT, verdict), kept=verdict)
    return _request(job, question, comparison_prompt(question, given.text or ""), 0, truth)


def rephrase_request(job: AnswerJob, question: Question, attempt: int) -> Request:
    """Return the request to ask a question that leans on its options in other words."""
    truth = RephrasingTruth(question.query[-1].content, question.gold.answer)
    return _request(job, question, rephrase_prompt(question), attempt, truth)


def _request(
    job: AnswerJob, question: Question, messages: Messages, index: int, truth: AnswerTruth | RephrasingTruth
) -> Request:
    asked = request(
        role=job.role,
        identity=job.identity,
        query_id=question.query_id,
        body=request_body(job.model, messages, temperature=job.temperature, max_tokens=job.max_tokens),
        sample_index=index,
        truth=truth,
    )
    return replace(asked, repeat=index)  # the samples share one prompt: each takes an imported answer of its own


def candidate_of(asked: Request, origin: Origin, model: str, answers: Mapping[str, Completion]) -> Candidate:
    """Return what came back for a request; its verdict is `undecided` where a verifier has the next word."""
    completion = answers.get(asked.request_id)
    return Candidate(
        query_id=asked.query_id,
        origin=origin,
        sample_index=asked.sample_index,
        model=model,
        verdict=before_grading(completion),
        text=completion.text if completion else None,
        reasoning=completion.reasoning if completion else None,
        request_id=asked.request_id,
        tokens=completion.completion_tokens if completion else None,
    )


def is_answer(completion: Completion) -> bool:
    """Say whether a completion is an answer and whole: neither an error nor broken off nor a refusal."""
    return completion.fault is None and completion.finish_reason not in CUT_SHORT | REFUSALS


def given_candidates(question: Question) -> list[Candidate]:
    """Return the answers that came with a question, ungraded."""
    return [
        Candidate(
            query_id=question.query_id,
            origin=Origin.GIVEN,
            sample_index=index,
            model=given.model,
            verdict=Verdict.UNDECIDED if given.text.strip() else Verdict.EMPTY,
            text=given.text,
            reasoning=given.reasoning,
            tokens=given.tokens,
        )
        for index, given in enumerate(question.given)
    ]


def before_grading(completion: Completion | None) -> Verdict:
    """Return what an answer is whatever it says."""
    if completion is None or completion.fault is not None:
        return Verdict.FAILED
    if completion.finish_reason in CUT_SHORT:
        return Verdict.TRUNCATED
    if completion.finish_reason in REFUSALS:
        return Verdict.REFUSED
    return Verdict.UNDECIDED if (completion.text or "").strip() else Verdict.EMPTY
