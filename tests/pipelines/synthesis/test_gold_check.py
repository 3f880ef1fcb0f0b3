"""The gold check: nobody is paid for questions whose right answer is unknown, and none of them is lost."""

import random
from pathlib import Path

import polars as pl
import pytest

from pipelines.synthesis.questions import checked_questions
from schemas.preference import DropReason
from schemas.question import AnswerForm, Gold, Question
from storage.root import Root
from tests.pipelines.synthesis.own_questions import a_question, asked, questions_stage


def checked(root: Root, *questions: Question) -> dict[str, str | None]:
    """Return why each question is dropped, by source_id."""
    frame = pl.read_parquet(checked_questions(root, questions_stage(root, questions)).paths("questions"))
    assert frame["query_id"].is_sorted() and frame.height == len(questions)
    return dict(frame.select("source_id", "drop_reason").iter_rows())


@pytest.mark.parametrize("form", AnswerForm)
def test_a_gold_answer_that_grades_itself_is_kept(tmp_path: Path, form: AnswerForm) -> None:
    assert checked(Root(tmp_path), a_question(1, form)) == {"row 0001": None}


@pytest.mark.parametrize(
    "gold",
    [
        Gold(AnswerForm.MATH, "\\frac{1}{"),
        Gold(AnswerForm.NUMBER, "fairly large"),
        Gold(AnswerForm.OPTION, "5", ("a", "b")),
        Gold(AnswerForm.TEXT, "..."),
    ],
)
def test_a_gold_answer_that_its_verifier_cannot_grade_is_dropped_by_name(tmp_path: Path, gold: Gold) -> None:
    assert checked(Root(tmp_path), asked("What is it?", gold)) == {"1": DropReason.GOLD_NOT_GRADABLE}


@pytest.mark.parametrize(
    "text", ["A channel where many send", "Since it is so; because of that", "$\\log_2 n$ bpcu", "(1) This. (2) That."]
)
def test_a_gold_answer_in_words_is_all_of_them(tmp_path: Path, text: str) -> None:
    assert checked(Root(tmp_path), asked("What is it?", Gold(AnswerForm.TEXT, text))) == {"1": None}


def test_a_repeated_question_is_asked_once_and_counted_as_a_duplicate(tmp_path: Path) -> None:
    gold = Gold(AnswerForm.MATH, "2")
    found = checked(Root(tmp_path), asked("1 + 1?", gold, "b"), asked("1 + 1?", gold, "a"), asked("1 + 1?", gold, "c"))
    assert found == {"a": None, "b": DropReason.DUPLICATE, "c": DropReason.DUPLICATE}


def test_a_question_with_two_gold_answers_is_dropped_wherever_it_stands(tmp_path: Path) -> None:
    two, three = Gold(AnswerForm.MATH, "2"), Gold(AnswerForm.MATH, "3")
    found = checked(Root(tmp_path), asked("1 + 1?", two, "a"), asked("1 + 1?", three, "b"), asked("1 + 2?", three, "c"))
    assert found == {"a": DropReason.CONFLICTING_GOLD, "b": DropReason.CONFLICTING_GOLD, "c": None}


def test_the_first_reason_for_dropping_stays_and_its_gold_conflicts_with_nobody(tmp_path: Path) -> None:
    dropped = asked("1 + 1?", Gold(AnswerForm.MATH, "\\frac{"), "a", drop_reason=DropReason.SEVERAL_GOLDS)
    found = checked(Root(tmp_path), dropped, asked("1 + 1?", Gold(AnswerForm.MATH, "2"), "b"))
    assert found == {"a": DropReason.SEVERAL_GOLDS, "b": None}


def test_nothing_depends_on_the_order_of_the_rows(tmp_path: Path) -> None:
    questions = [a_question(number) for number in range(40)]
    questions += [asked("1 + 1?", Gold(AnswerForm.MATH, "2"), f"again {number}") for number in range(5)]
    contents = set()
    for seed in range(3):
        random.Random(seed).shuffle(questions)
        root = Root(tmp_path / str(seed))
        contents.add(checked_questions(root, questions_stage(root, questions)).content)
    assert len(contents) == 1
