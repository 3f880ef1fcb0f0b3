"""What responders and teachers are asked about questions, and what their answers amount to before they are graded."""

import re
from functools import partial
from typing import Any

from pipelines.engines.asking import CUT_SHORT, REFUSALS, before_grading
from pipelines.engines.jobs import Job, job_of
from pipelines.grading.verification import answer_in
from pipelines.judging.prompts import filled, prompt_text
from pipelines.judging.shown_text import conversation_text, shown_text
from schemas.candidate import Candidate, Origin
from schemas.generation import AnswerTruth, Completion, RephrasingTruth, Request
from schemas.query import Message, Messages, user
from schemas.question import AnswerForm, Gold, Question, Verdict
from schemas.recipe import Recipe
from schemas.record import content_id

_TEXTS = "pipelines.synthesis.templates"
_QUESTION = re.compile(r"[\s*_#]*Question:[\s*_]*(?P<asked>[^\s*_].*?)[\s*_]*", re.I)
_VERDICT = re.compile(r"Verdict:[\s*_$]*\\boxed\{\s*(right|wrong)\s*\}", re.I)
_filled = partial(filled, _TEXTS)
TEMPLATES = ("answer_math", "answer_number", "answer_option", "answer_text", "comparison", "rephrase", "rewrite")


def answer_job(recipe: Recipe, role: str) -> Job | None:
    """Return what a responder or teacher is asked with; None where the recipe has no model for it."""
    return job_of(recipe, role, "synthesis")


def settings_of(job: Job) -> dict[str, Any]:
    """Return everything that a stage made of a job's answers depends on."""
    return {
        "role": job.role,
        "identity": job.identity,
        "body": job.body(()),
        "system_role": job.model.system_role,
        "templates": [content_id("template", prompt_text(_TEXTS, name)) for name in TEMPLATES],
    }


def answer_request(job: Job, question: Question, index: int) -> Request:
    """Return the request for one answer to a question."""
    return _request(job, question, answer_prompt(question), index, AnswerTruth(question.query_id, question.gold))


def rewrite_request(job: Job, question: Question, wrong: Candidate, attempt: int) -> Request:
    """Return the request to put a wrong response into other words."""
    truth = AnswerTruth(question.query_id, question.gold, kept=wrong.answer)
    return _request(job, question, rewrite_prompt(question, wrong.text or ""), attempt, truth)


def comparison_request(job: Job, question: Question, given: Candidate) -> Request:
    """Return the request to compare a short answer with the reference."""
    # The simulated engine's answers are right in the words of the gold, or wrong.
    verdict = f"Verdict: \\boxed{{{Verdict.WRONG}}}"
    truth = AnswerTruth(question.query_id, Gold(AnswerForm.TEXT, verdict), kept=verdict)
    return _request(job, question, comparison_prompt(question, given.text or ""), 0, truth)


def rephrase_request(job: Job, question: Question, attempt: int) -> Request:
    """Return the request to ask a question that leans on its options in other words."""
    others = [f"- {shown_text(text)}" for text in question.gold.options if text != question.gold.answer]
    answer = shown_text(question.gold.answer)
    text = _filled("rephrase", question=_plain(question), answer=answer, others="\n".join(others) or "(none)")
    truth = RephrasingTruth(question.query[-1].content, question.gold.answer)
    return _request(job, question, user(text), attempt, truth)


def _request(
    job: Job, question: Question, messages: Messages, index: int, truth: AnswerTruth | RephrasingTruth
) -> Request:
    # The samples share one prompt: each takes an imported answer of its own.
    return job.request(question.query_id, job.body(messages), index, truth, repeat=index)


def answer_prompt(question: Question) -> Messages:
    """Return the question as a responder is asked it: its last turn says in which form the answer must end."""
    *earlier, last = question.query
    return (*earlier, Message(last.role, _filled(f"answer_{question.gold.form}", question=shown_text(last.content))))


def rewrite_prompt(question: Question, text: str) -> Messages:
    """Return the request to put an answer into other words, its final answer unchanged."""
    return user(_filled("rewrite", question=_plain(question), answer=shown_text(text)))


def comparison_prompt(question: Question, text: str) -> Messages:
    """Return the request to compare a short answer with the reference."""
    reference = question.reference or question.gold.answer
    return user(
        _filled("comparison", question=_plain(question), reference=shown_text(reference), answer=shown_text(text))
    )


def read_rephrased(text: str) -> str | None:
    """Return the question that a text's last line holds; None where that is another line."""
    lines = text.rstrip().splitlines()
    found = _QUESTION.fullmatch(lines[-1]) if lines else None
    return found["asked"] if found else None


def read_comparison(text: str) -> Verdict:
    """Return what a comparison came to, by its last line; `undecided` where that gives no one verdict."""
    lines = text.rstrip().splitlines()
    found = _VERDICT.findall(lines[-1]) if lines else []
    return Verdict(found[0].lower()) if len(found) == 1 else Verdict.UNDECIDED


def _plain(question: Question) -> str:
    """Return the conversation as one text."""
    return shown_text(question.query[0].content if len(question.query) == 1 else conversation_text(question.query))


def candidate_of(request: Request, origin: Origin, model: str, completion: Completion | None) -> Candidate:
    """Return what came back for a request; its verdict is `undecided` where a verifier has the next word."""
    return Candidate(
        query_id=request.query_id,
        origin=origin,
        sample_index=request.sample_index,
        model=model,
        verdict=before_grading(completion),
        text=completion.text if completion else None,
        reasoning=completion.reasoning if completion else None,
        request_id=request.request_id,
        tokens=completion.completion_tokens if completion else None,
    )


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


def whole_text(completion: Completion | None) -> str | None:
    """Return an answer's text where it is whole; None for an error, and for what was broken off or refused."""
    if completion is None or completion.fault is not None or completion.finish_reason in CUT_SHORT | REFUSALS:
        return None
    return completion.text or ""


def holds_answer(request: Request, text: str) -> bool:
    """Say whether an answer to a question gives a final answer."""
    return not isinstance(request.truth, AnswerTruth) or answer_in(request.truth.gold, text) is not None
