"""GSM8K-style solutions: each trap, on rows written for these tests; the real file where it is at hand."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from schemas.preference import UnreadableRow
from schemas.question import AnswerForm, Gold, Question
from tests.pipelines.sources.readings import one_question, read_questions, reason_of


def problem(**changes: Any) -> dict[str, Any]:
    """Return a row as openai/grade-school-math writes it."""
    return {
        "question": "Ann has 1,000 pens and buys 125 more. How many has she?",
        "ground_truth": "She has 1000 + 125 = <<1000+125=1125>>1,125 pens.\nA: 1,125",
        "6b": {"is_correct": False, "solution": "1000 - 125 = <<1000-125=875>>875\nA: 875"},
        "175b": {"is_correct": True, "solution": "1000 + 125 = 1125\nA: 1125"},
        **changes,
    }


def sampled(**changes: Any) -> dict[str, Any]:
    """Return a row as Qwen2.5-Math's evaluation writes it."""
    return {
        "question": "What is $1+1$?",
        "gt": "2",
        "answer": "\\text{2}",
        "solution": "It is $\\boxed{2}$.",
        "code": ["So $\\boxed{2}$.", "So $\\boxed{3}$."],
        "score": [True, False],
        **changes,
    }


def test_each_models_solution_is_a_given_response_with_its_label(tmp_path: Path) -> None:
    found = one_question(tmp_path, "gsm8k_solutions", problem())
    assert found.gold == Gold(AnswerForm.MATH, "1125")
    assert [(response.model, response.reward, response.origin) for response in found.given] == [
        ("6b", 0.0, "given"),
        ("175b", 1.0, "given"),
    ]
    assert (found.source, found.license, found.domain, found.benchmark) == ("gsm8k_solutions", "MIT", "math", True)


def test_annotations_of_the_calculator_are_taken_out_everywhere(tmp_path: Path) -> None:
    broken = {"is_correct": False, "solution": "1000 / 3 = <<1000/3=333.333"}
    found = one_question(tmp_path, "gsm8k_solutions", problem(broken=broken))
    assert found.reference == "1125\n\nShe has 1000 + 125 = 1,125 pens."
    assert [response.text for response in found.given] == [
        "1000 - 125 = 875\nA: 875",
        "1000 + 125 = 1125\nA: 1125",
        "1000 / 3 = 1000/3=333.333",
    ]


@pytest.mark.parametrize(
    ("truth", "gold"),
    [
        ("A: 18", "18"),
        ("So.\n#### 2,125,000", "2125000"),
        ("A: 1\nNo.\nA: -2.5", "-2.5"),
        ("A: 1,2", "1,2"),
    ],
)
def test_the_last_marked_answer_is_the_gold_one(tmp_path: Path, truth: str, gold: str) -> None:
    assert one_question(tmp_path, "gsm8k_solutions", problem(ground_truth=truth)).gold.answer == gold


def test_a_missing_label_is_none_and_other_keys_are_no_models(tmp_path: Path) -> None:
    row = problem(**{"6b": {"is_correct": None, "solution": "A: 1"}, "175b": {"solution": ""}}, meta={"level": 3}, n=2)
    found = one_question(tmp_path, "gsm8k_solutions", row, name="a.jsonl")
    assert [(response.text, response.reward) for response in found.given] == [("A: 1", None), ("", None)]


def test_samples_of_one_model_are_read_with_their_scores(tmp_path: Path) -> None:
    found = one_question(tmp_path, "gsm8k_solutions", sampled(), **{"name": "qwen.jsonl"})
    assert (found.gold.answer, found.reference) == ("2", "2\n\nIt is $\\boxed{2}$.")
    assert [(response.text, response.reward, response.model) for response in found.given] == [
        ("So $\\boxed{2}$.", 1.0, None),
        ("So $\\boxed{3}$.", 0.0, None),
    ]
    unscored = one_question(tmp_path, "gsm8k_solutions", sampled(score=None, gt=None))
    assert unscored.gold.answer == "\\text{2}"
    assert [response.reward for response in unscored.given] == [None, None]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (problem(ground_truth="She has 1125."), "no_answer"),
        (problem(ground_truth="A: \nA:"), "no_answer"),
        (problem(ground_truth=None), "missing_field"),
        (problem(question=" "), "empty_field"),
        (problem(x={"solution": None}), "missing_field"),
        (problem(x={"solution": 3}), "not_text"),
        (problem(x={"solution": "A: 1", "is_correct": "yes"}), "bad_label"),
        (problem(x={"solution": "A: 1", "is_correct": 1}), "bad_label"),
        (sampled(score=[True]), "lengths_differ"),
        (sampled(score=[True, "no"]), "bad_label"),
        (sampled(code="x"), "not_a_list"),
        (sampled(code=["x", None]), "missing_field"),
        (sampled(gt=None, answer=""), "no_answer"),
        (problem(x={"solution": "<<" * 100_000 + "\n" + "9" * 200_000}), None),
    ],
)
def test_rows_that_cannot_be_read_are_counted_by_reason(
    tmp_path: Path, row: dict[str, Any], reason: str | None
) -> None:
    assert reason_of(tmp_path, "gsm8k_solutions", row) == reason


# The real files are not part of the repository.
REAL = os.environ.get("GRMFORGE_GSM8K", "")
REAL_MATH = os.environ.get("GRMFORGE_MATH", "")


@pytest.mark.skipif(not REAL, reason="set GRMFORGE_GSM8K to the path of example_model_solutions.jsonl to count it")
def test_the_four_models_of_the_real_file_are_right_as_often_as_published() -> None:
    found = read_questions(Path(REAL).resolve(), "gsm8k_solutions")
    assert len(found) == 1_319
    assert not any(isinstance(row, UnreadableRow) for row in found)
    right = Counter(given.model for row in found if isinstance(row, Question) for given in row.given if given.reward)
    assert right == {"6b_finetuning": 286, "175b_finetuning": 458, "6b_verification": 515, "175b_verification": 742}


@pytest.mark.skipif(not REAL_MATH, reason="set GRMFORGE_MATH to the folder with qwen_math_cot_100x8.jsonl to count it")
def test_728_of_the_800_real_samples_are_right() -> None:
    found = read_questions(Path(REAL_MATH).resolve() / "qwen_math_cot_100x8.jsonl", "gsm8k_solutions")
    rights = [sum(given.reward or 0 for given in row.given) for row in found if isinstance(row, Question)]
    assert (len(rights), sum(rights)) == (100, 728)
    assert (rights.count(8), rights.count(0)) == (86, 4)
