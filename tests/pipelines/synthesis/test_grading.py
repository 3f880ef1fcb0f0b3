"""Grading: each answer gets its own question's verdict, in order, and a label that says otherwise disputes it."""

from collections.abc import Sequence

import pytest

from pipelines.synthesis.answers import given_candidates
from pipelines.synthesis.grading import answer_text, graded, grading_themselves, with_label
from schemas.candidate import Candidate, Origin
from schemas.question import AnswerForm, Question, Verdict
from tests.pipelines.synthesis.own_questions import a_question, given


def candidate(text: str, verdict: Verdict = Verdict.UNDECIDED, origin: Origin = Origin.RESPONDER) -> Candidate:
    return Candidate("q", origin, 0, "m", verdict, text)


def verdicts(question: Question, candidates: Sequence[Candidate]) -> list[Verdict]:
    ((_, found),) = graded([(question, list(candidates))])
    return [one.verdict for one in found]


def test_questions_and_answers_keep_their_order() -> None:
    answered = [
        (a_question(number), [candidate(f"\\boxed{{{100 + number + shift}}}") for shift in range(number % 4)])
        for number in range(120)
    ]
    found = list(graded(iter(answered)))
    assert [question for question, _ in found] == [question for question, _ in answered]
    for number, (_, candidates) in enumerate(found):
        assert [one.verdict for one in candidates] == [Verdict.RIGHT, Verdict.WRONG, Verdict.WRONG][: number % 4]
        assert [one.answer for one in candidates] == [str(100 + number + shift) for shift in range(number % 4)]


def test_only_what_is_open_is_graded() -> None:
    right = "\\boxed{101}"
    closed = [candidate(right, verdict) for verdict in Verdict if verdict is not Verdict.UNDECIDED]
    found = verdicts(a_question(1), [*closed, candidate(right)])
    assert found == [one.verdict for one in closed] + [Verdict.RIGHT]


def test_questions_without_anything_open_are_not_lost() -> None:
    closed = [(a_question(number), [candidate("", Verdict.EMPTY)] * (number % 2)) for number in range(5)]
    assert list(graded(closed)) == closed
    assert list(graded([])) == []


@pytest.mark.parametrize(
    ("text", "label", "verdict"),
    [
        ("\\boxed{101}", 1.0, Verdict.RIGHT),
        ("\\boxed{101}", 0.0, Verdict.DISPUTED),
        ("\\boxed{101}", None, Verdict.RIGHT),
        ("\\boxed{7}", 1.0, Verdict.DISPUTED),
        ("\\boxed{7}", 0.0, Verdict.WRONG),
        ("no answer", 1.0, Verdict.NO_ANSWER),
        (" ", 1.0, Verdict.EMPTY),
    ],
)
def test_verifier_and_label_must_say_the_same(text: str, label: float | None, verdict: Verdict) -> None:
    question = a_question(1, given=given((text, label)))
    assert verdicts(question, given_candidates(question)) == [verdict]


def test_labels_belong_to_the_answer_at_their_place_and_to_no_other_origin() -> None:
    question = a_question(1, given=given(("\\boxed{7}", 0.0), ("\\boxed{101}", 0.0)))
    first, second = given_candidates(question)
    assert with_label(question, first, Verdict.WRONG) is Verdict.WRONG
    assert with_label(question, second, Verdict.RIGHT) is Verdict.DISPUTED
    assert with_label(question, candidate("\\boxed{101}"), Verdict.RIGHT) is Verdict.RIGHT


@pytest.mark.parametrize("form", AnswerForm)
def test_the_gold_answer_in_the_form_that_is_asked_for_is_right(form: AnswerForm) -> None:
    question = a_question(3, form)
    assert verdicts(question, [candidate(answer_text(question.gold.form, question.gold.answer))]) == [Verdict.RIGHT]
    assert list(grading_themselves([question])) == [True]
