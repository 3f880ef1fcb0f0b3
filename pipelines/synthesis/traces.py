"""Traces: verified answers with the reasoning that led to them, as prompt and completion for SFT distillation."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa

from pipelines.grading.options import text_verdict
from pipelines.synthesis.prompts import answer_prompt
from schemas.candidate import TRACES, Candidate, Origin
from schemas.query import Message, Messages, messages_array
from schemas.question import AnswerForm, Question, Verdict
from schemas.record import content_id
from schemas.thoughts import split_thoughts, with_thoughts

_UNAIDED = (Origin.RESPONDER, Origin.GIVEN)
"""Whose answers tell how hard a question is: a teacher is only asked where these are wrong."""


class Trace(NamedTuple):
    """A right answer to a question, with how often the question was got right."""

    question: Question
    candidate: Candidate
    pass_count: int
    """Right answers among `pass_samples`."""
    pass_samples: int
    """Answers of the responder, or given, that were graded right or wrong."""


def traces_of(question: Question, candidates: Sequence[Candidate]) -> Iterator[Trace]:
    """Yield the question with each right answer of its own words."""
    verdicts = [one.verdict for one in candidates if one.origin in _UNAIDED]
    right, wrong = verdicts.count(Verdict.RIGHT), verdicts.count(Verdict.WRONG)
    seen: set[str | None] = set()
    for candidate in candidates:
        if candidate.verdict is Verdict.RIGHT and candidate.text not in seen:
            seen.add(candidate.text)
            yield Trace(question, candidate, right, right + wrong)


def traces_table(traces: Sequence[Trace]) -> pa.Table:
    """Return the traces, in the order given, as a table of TRACES."""
    prompts = [prompt_of(one.question, one.candidate) for one in traces]
    completions = [(Message("assistant", _completion(one.candidate)),) for one in traces]
    columns = {
        "trace_id": [
            content_id("trace", one.question.query_id, one.candidate.reasoning, one.candidate.text) for one in traces
        ],
        "verified": [True] * len(traces),
        "verifier": [_verifier(one.question, one.candidate) for one in traces],
        "model": [one.candidate.model for one in traces],
        "origin": [one.candidate.origin for one in traces],
        "query_id": [one.question.query_id for one in traces],
        "source": [one.question.source for one in traces],
        "source_id": [one.question.source_id for one in traces],
        "license": [one.question.license for one in traces],
        "domain": [one.question.domain for one in traces],
        "completion_tokens": [one.candidate.tokens for one in traces],
        "pass_count": [one.pass_count for one in traces],
        "pass_samples": [one.pass_samples for one in traces],
    }
    arrays = {name: pa.array(values, TRACES.field(name).type) for name, values in columns.items()}
    arrays |= {"prompt": messages_array(prompts), "completion": messages_array(completions)}
    return pa.table([arrays[name] for name in TRACES.names], schema=TRACES)


def prompt_of(question: Question, candidate: Candidate) -> Messages:
    """Return what was asked: of answers that came with the source, and of rewritten ones, no more than the question."""
    return answer_prompt(question) if candidate.origin in (Origin.RESPONDER, Origin.TEACHER) else question.query


def _completion(candidate: Candidate) -> str:
    text, thoughts = split_thoughts(candidate.text or "")  # an answer that came with the source may hold them
    reasoning = with_thoughts(candidate.reasoning, thoughts)
    return f"<think>\n{reasoning}\n</think>\n\n{text}" if reasoning else text


def _verifier(question: Question, candidate: Candidate) -> str:
    """Return what found the answer right: a rule, or a teacher where a short text is not the gold one word for word."""
    gold = question.gold
    if gold.form is AnswerForm.TEXT and text_verdict(gold.answer, candidate.answer or "") is not Verdict.RIGHT:
        return "teacher"
    return gold.form.value
