"""Graded answers as tables: right ones as traces for SFT, and all that have a verdict, for people to look at."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from pipelines.grading.options import text_verdict
from pipelines.synthesis.answers import answer_prompt
from pipelines.synthesis.grading import Answered
from schemas.candidate import GRADED, GRADED_VERDICTS, TRACES, Candidate, Origin
from schemas.query import Message, Messages
from schemas.question import AnswerForm, Question, Verdict
from schemas.record import content_id
from schemas.tables import table_of
from schemas.thoughts import split_thoughts, with_thoughts

_OF_CANDIDATE = ("request_id", "origin", "model", "sample_index", "text", "reasoning", "answer", "verdict")
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
    verdicts = [candidate.verdict for candidate in candidates if candidate.origin in _UNAIDED]
    right, wrong = verdicts.count(Verdict.RIGHT), verdicts.count(Verdict.WRONG)
    seen: set[str | None] = set()
    for candidate in candidates:
        if candidate.verdict is Verdict.RIGHT and candidate.text not in seen:
            seen.add(candidate.text)
            yield Trace(question, candidate, right, right + wrong)


def traces_table(traces: Sequence[Trace]) -> pa.Table:
    """Return the traces, in the order given, as a table of TRACES: reasoning and answer as prompt and completion."""
    rows = [(trace.question, trace.candidate) for trace in traces]
    own = {
        "trace_id": [content_id("trace", question.query_id, one.reasoning, one.text) for question, one in rows],
        "completion": [(Message("assistant", _completion(one)),) for _, one in rows],
        "verified": [True] * len(rows),
        "verifier": [_verifier(question, one) for question, one in rows],
        "pass_count": [trace.pass_count for trace in traces],
        "pass_samples": [trace.pass_samples for trace in traces],
    }
    return _table(TRACES, rows, own)


def graded_answers_table(answered: Iterable[Answered]) -> pa.Table:
    """Return the answers whose verdict is published, in the order given, as a table of GRADED; splits come later."""
    rows = [
        (question, candidate)
        for question, candidates in answered
        for candidate in candidates
        if candidate.verdict in GRADED_VERDICTS
    ]
    own = {
        "answer_id": [
            content_id(
                "answer", question.source, question.query_id, one.origin, one.request_id, one.sample_index, one.text
            )
            for question, one in rows
        ],
        "form": [question.gold.form for question, _ in rows],
        "gold": [question.gold.answer for question, _ in rows],
        "split": [None] * len(rows),
    }
    return _table(GRADED, rows, own)


def _table(schema: pa.Schema, rows: Sequence[tuple[Question, Candidate]], own: dict[str, Any]) -> pa.Table:
    """Return a table of answers: columns of its own, and those that question and candidate have by the same name."""
    columns = {
        "prompt": [prompt_of(question, candidate) for question, candidate in rows],
        "completion_tokens": [candidate.tokens for _, candidate in rows],
        **{name: [getattr(candidate, name) for _, candidate in rows] for name in _OF_CANDIDATE if name in schema.names},
    }
    return table_of(schema, [question for question, _ in rows], columns | own)


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
