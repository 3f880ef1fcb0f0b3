"""MATH: each trap, on rows written for these tests; the real files where they are at hand."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.preference import DropReason, Split, UnreadableRow
from schemas.question import AnswerForm, Gold
from tests.pipelines.sources.readings import one_question, read_questions, reason_of


def problem(solution: Any = "Half of $4$ is $\\boxed{2}$.", **changes: Any) -> dict[str, Any]:
    """Return a row as MATH writes it."""
    return {"problem": " Halve $4$.", "level": "Level 1", "type": "Prealgebra", "solution": solution, **changes}


def test_the_gold_answer_is_the_last_box_and_the_reference_has_the_solution_too(tmp_path: Path) -> None:
    found = one_question(tmp_path, "math", problem("If $\\boxed{1}$ then\n\n$\\boxed{\\frac{1}{2}}$."))
    assert found.gold == Gold(AnswerForm.MATH, "\\frac{1}{2}")
    assert found.reference == "\\frac{1}{2}\n\nIf $\\boxed{1}$ then\n\n$\\boxed{\\frac{1}{2}}$."
    assert [tuple(message) for message in found.query] == [("user", "Halve $4$.")]
    assert (found.source, found.source_id, found.license, found.domain) == ("math", "train.jsonl:1", "MIT", "math")
    assert (found.given, found.stem, found.drop_reason) == ((), None, None)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.jsonl", None),
        ("hendrycks_math_test.jsonl", Split.TEST),
        ("test.jsonl", Split.TEST),
        ("MATH-Test.jsonl", Split.TEST),
        ("latest.jsonl", None),
        ("contested_train.jsonl", None),
    ],
)
def test_files_of_the_test_split_stay_test_whatever_their_rows_say(
    tmp_path: Path, name: str, split: Split | None
) -> None:
    found = one_question(tmp_path, "math", problem(unique_id="test/prealgebra/1.json"), name)
    assert (found.split, found.benchmark) == (split, split is Split.TEST)


def test_the_hubs_folders_are_read_with_their_splits(tmp_path: Path) -> None:
    for subject in ("algebra", "geometry"):
        for split in ("train", "test"):
            path = tmp_path / "MATH" / subject / f"{split}-00000-of-00001.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_pylist([problem()]), path)
    found = read_questions(tmp_path / "MATH", "math")
    assert {row.source_id: getattr(row, "split", "?") for row in found} == {
        "algebra/test-00000-of-00001.parquet:1": Split.TEST,
        "algebra/train-00000-of-00001.parquet:1": None,
        "geometry/test-00000-of-00001.parquet:1": Split.TEST,
        "geometry/train-00000-of-00001.parquet:1": None,
    }


def test_a_row_without_a_solution_has_its_answer(tmp_path: Path) -> None:
    found = one_question(tmp_path, "math", problem(None, answer="180\\text{ miles}"))
    assert (found.gold.answer, found.reference) == ("180\\text{ miles}", "180\\text{ miles}")
    boxed = one_question(tmp_path, "math", problem(answer="another"))
    assert boxed.gold.answer == "2"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (problem("It is 2."), "no_answer"),
        (problem("It is $\\boxed{}$."), "no_answer"),
        (problem("It is $\\boxed{2$."), "no_answer"),
        (problem("First $\\boxed{1}$, then $\\boxed{2$."), "no_answer"),
        (problem(None), "no_answer"),
        (problem(None, answer=" "), "no_answer"),
        (problem(None, answer=2), "not_text"),
        (problem(["x"]), "not_text"),
        (problem(problem=None), "missing_field"),
        (problem(problem="\n"), "empty_field"),
        (problem("x" * 1_000_001), "text_too_long"),
        (problem("$\\boxed{2}$ and $\\boxed{-2}$"), DropReason.SEVERAL_GOLDS),
        (problem("{" * 100_000 + "\\boxed{2}"), None),
    ],
)
def test_rows_without_one_gold_answer_say_why(tmp_path: Path, row: dict[str, Any], reason: str | None) -> None:
    assert reason_of(tmp_path, "math", row) == reason


def test_a_missing_field_is_named_as_one(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps({"question": "Halve $4$.", "answer": "2"}))
    (found,) = read_questions(tmp_path / "rows.jsonl", "math")
    assert found == UnreadableRow("rows.jsonl:1", "missing_field", "the row has no field 'problem'")


# The real files are not part of the repository.
REAL = os.environ.get("GRMFORGE_MATH", "")


@pytest.mark.skipif(not REAL, reason="set GRMFORGE_MATH to the folder with copies of MATH to count them")
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("hendrycks_math_test.jsonl", {(Split.TEST, None): 4_990, (Split.TEST, "several_golds"): 10}),
        ("math_train_first3682.jsonl", {(None, None): 3_675, (None, "several_golds"): 7}),
        ("math_train_7500_nosolution.jsonl", {(None, None): 7_498, "no_answer": 2}),
    ],
)
def test_every_solution_of_the_real_files_has_a_gold_answer(name: str, counts: dict[Any, int]) -> None:
    found = read_questions(Path(REAL).resolve() / name, "math")
    assert counts == Counter(
        row.reason if isinstance(row, UnreadableRow) else (row.split, row.drop_reason) for row in found
    )
