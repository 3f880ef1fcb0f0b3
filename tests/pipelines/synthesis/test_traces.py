"""Traces: right answers alone, their thoughts in front, and who found them right."""

from dataclasses import replace

import pyarrow as pa
import pytest

from pipelines.synthesis.traces import traces_of, traces_table
from schemas.candidate import TRACES, Candidate, Origin
from schemas.question import AnswerForm, Verdict
from tests.pipelines.synthesis.own_questions import a_question

MATH, TEXT = a_question(1), a_question(1, AnswerForm.TEXT)


def candidate(text: str, verdict: Verdict = Verdict.RIGHT, **given: object) -> Candidate:
    return replace(Candidate(MATH.query_id, Origin.RESPONDER, 0, "m", verdict, text), **given)  # type: ignore[arg-type]


def table(*candidates: Candidate, question: object = MATH) -> pa.Table:
    return traces_table(list(traces_of(question, candidates)))  # type: ignore[arg-type]


def completion(one: Candidate) -> str:
    return str(table(one)["completion"].to_pylist()[0][0]["content"])


def test_only_right_answers_become_traces() -> None:
    found = table(*(candidate(f"It is so: {verdict}", verdict) for verdict in Verdict))
    assert found.schema == TRACES
    assert [row[0]["content"] for row in found["completion"].to_pylist()] == ["It is so: right"]
    assert found["verified"].to_pylist() == [True]
    assert table().num_rows == 0


def test_thoughts_stand_in_front_in_their_own_part() -> None:
    assert completion(candidate("\\boxed{101}", reasoning="100 and 1.")) == (
        "<think>\n100 and 1.\n</think>\n\n\\boxed{101}"
    )
    assert completion(candidate("\\boxed{101}")) == "\\boxed{101}"


def test_the_same_words_twice_are_one_trace() -> None:
    assert table(candidate("a"), candidate("a", model="n"), candidate("b")).num_rows == 2


def test_a_trace_says_how_often_its_question_was_got_right() -> None:
    verdicts = (Verdict.RIGHT, Verdict.RIGHT, Verdict.WRONG, Verdict.TRUNCATED, Verdict.UNDECIDED)
    answers = [candidate(f"answer {number}", verdict) for number, verdict in enumerate(verdicts)]
    taught = [
        candidate("taught", origin=Origin.TEACHER),
        candidate("in its words", Verdict.WRONG, origin=Origin.REWRITE),
    ]
    found = table(*answers, candidate("answer 0"), candidate("given", Verdict.WRONG, origin=Origin.GIVEN), *taught)
    assert found["origin"].to_pylist() == ["responder", "responder", "teacher"]
    assert found["pass_count"].to_pylist() == [3] * 3, "a repeated answer counts, a teacher's does not"
    assert found["pass_samples"].to_pylist() == [5] * 3, "what is neither right nor wrong does not"
    assert str(found.schema.field("pass_count").type) == "int32"


def test_the_prompt_is_what_was_asked_and_of_given_answers_the_question() -> None:
    asked, bare = (
        table(one)["prompt"].to_pylist()[0][0]["content"]
        for one in (candidate("a"), candidate("a", origin=Origin.GIVEN))
    )
    assert asked.startswith(MATH.query[0].content) and "\\boxed{}" in asked
    assert bare == MATH.query[0].content


@pytest.mark.parametrize(
    ("answer", "verifier"), [("a paging message", "text"), ("The paging of a UE", "teacher"), (None, "teacher")]
)
def test_a_teacher_verifies_what_no_rule_finds_right(answer: str | None, verifier: str) -> None:
    (found,) = table(candidate("As I see it.", answer=answer), question=TEXT)["verifier"].to_pylist()
    assert found == verifier
    assert table(candidate("As I see it.", answer=answer))["verifier"].to_pylist() == ["math"]
