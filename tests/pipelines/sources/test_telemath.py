"""TeleMath: each trap, on rows written for these tests."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.question import AnswerForm, Gold
from tests.pipelines.sources.readings import one_question, read_questions, reason_of


def problem(answer: Any = -61.5, **changes: Any) -> dict[str, Any]:
    """Return a row as TeleMath writes it."""
    return {
        "question": "What is the received power in dBm?",
        "answer": answer,
        "category": "Telecom. Engineering",
        "tags": ["link budget"],
        "difficulty": "basic",
        **changes,
    }


def test_the_gold_answer_is_a_number_with_the_recipes_tolerance(tmp_path: Path) -> None:
    found = one_question(tmp_path, "telemath", problem())
    assert found.gold == Gold(AnswerForm.NUMBER, "-61.5", tolerance=0.01)
    assert (found.reference, found.benchmark, found.domain, found.license) == ("-61.5", True, "telecom", "MIT")
    assert one_question(tmp_path, "telemath", problem(), tolerance=0.05).gold.tolerance == 0.05


@pytest.mark.parametrize(
    ("answer", "gold"), [(12, "12"), (1e-09, "1e-09"), (0.1, "0.1"), (" 3.50 ", "3.50"), ("1e6", "1e6"), (0, "0")]
)
def test_a_number_may_be_written_as_one_or_as_text(tmp_path: Path, answer: Any, gold: str) -> None:
    assert one_question(tmp_path, "telemath", problem(answer)).gold.answer == gold


@pytest.mark.parametrize("answer", [None, "", "N/A", "12 dBm", "nan", True, [1], 10**400, float("inf")])
def test_an_answer_that_is_no_number_makes_the_row_unreadable(tmp_path: Path, answer: Any) -> None:
    assert reason_of(tmp_path, "telemath", problem(answer)) == "no_answer"


def test_a_row_without_a_question_is_unreadable(tmp_path: Path) -> None:
    assert reason_of(tmp_path, "telemath", problem(question=None)) == "missing_field"
    assert reason_of(tmp_path, "telemath", problem(question=" ")) == "empty_field"


def test_json_and_parquet_hold_the_same_questions(tmp_path: Path) -> None:
    (tmp_path / "json").mkdir()
    (tmp_path / "parquet" / "data").mkdir(parents=True)
    (tmp_path / "json" / "telemath.json").write_text(json.dumps([problem(), problem(7.0)]))
    table = pa.Table.from_pylist([problem(), problem(7.0)])
    pq.write_table(table, tmp_path / "parquet" / "data" / "test-00000-of-00001.parquet")
    for layout in ("json", "parquet"):
        found = read_questions(tmp_path / layout, "telemath")
        assert [getattr(row, "gold", None) for row in found] == [
            Gold(AnswerForm.NUMBER, "-61.5", tolerance=0.01),
            Gold(AnswerForm.NUMBER, "7.0", tolerance=0.01),
        ]
