"""Traces: verified answers with the reasoning that led to them, as prompt and completion for SFT distillation."""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from pipelines.synthesis.prompts import answer_prompt
from schemas.candidate import TRACES, Candidate, Origin
from schemas.query import Message, Messages, messages_array
from schemas.question import AnswerForm, Question, Verdict
from schemas.record import content_id

Trace = tuple[Question, Candidate]


def traces_of(question: Question, candidates: Sequence[Candidate]) -> Iterator[Trace]:
    """Yield the question with each right answer of its own words."""
    seen: set[str | None] = set()
    for candidate in candidates:
        if candidate.verdict is Verdict.RIGHT and candidate.text not in seen:
            seen.add(candidate.text)
            yield question, candidate


def traces_table(traces: Sequence[Trace]) -> pa.Table:
    """Return the traces, in the order given, as a table of TRACES."""
    prompts = [_prompt(question, candidate) for question, candidate in traces]
    completions = [(Message("assistant", _completion(candidate)),) for _, candidate in traces]
    columns = {
        "trace_id": [content_id("trace", question.query_id, one.reasoning, one.text) for question, one in traces],
        "verified": [True] * len(traces),
        "verifier": [_verifier(question, candidate) for question, candidate in traces],
        "model": [candidate.model for _, candidate in traces],
        "origin": [candidate.origin for _, candidate in traces],
        "query_id": [question.query_id for question, _ in traces],
        "source": [question.source for question, _ in traces],
        "source_id": [question.source_id for question, _ in traces],
        "license": [question.license for question, _ in traces],
        "domain": [question.domain for question, _ in traces],
        "completion_tokens": [candidate.tokens for _, candidate in traces],
    }
    arrays = {name: pa.array(values, TRACES.field(name).type) for name, values in columns.items()}
    arrays |= {"prompt": messages_array(prompts), "completion": messages_array(completions)}
    return pa.table([arrays[name] for name in TRACES.names], schema=TRACES)


def _prompt(question: Question, candidate: Candidate) -> Messages:
    """Return what was asked: of answers that came with the source nobody knows more than the question."""
    return question.query if candidate.origin is Origin.GIVEN else answer_prompt(question)


def _completion(candidate: Candidate) -> str:
    text = candidate.text or ""
    return f"<think>\n{candidate.reasoning}\n</think>\n\n{text}" if candidate.reasoning else text


def _verifier(question: Question, candidate: Candidate) -> str:
    """Return what found the answer right: a rule, or, where none could (a short text's is its option), a teacher."""
    if question.gold.form is AnswerForm.TEXT and candidate.answer is None:
        return "teacher"
    return question.gold.form.value
