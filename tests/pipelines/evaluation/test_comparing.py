"""Two evaluations compared: by shared items, question by question, never more than both have."""

import json
from pathlib import Path

import polars as pl
import pytest

from pipelines.evaluation.comparing import compare_evaluations
from pipelines.evaluation.comparison import lines_of
from storage.evaluations import Evaluation
from tests.examples import jsonl_rows
from tests.pipelines.evaluation.evaluations import evaluated


@pytest.fixture(scope="module")
def better(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """A better judge on the 30 last of the same 40 rows, 10 new ones, and half as many samples."""
    return evaluated(
        tmp_path_factory.mktemp("better"), name="better", rows=jsonl_rows(50)[10:], k_max=4, judge={"accuracy": 0.95}
    )


def credits(evaluation: Evaluation, selector: str, k: int) -> pl.DataFrame:
    found = pl.read_parquet(evaluation.files("credits"))
    found = found.filter((pl.col("selector") == selector) & (pl.col("k") == k))
    return found.select("item_id", pl.col("cells").list.first().alias("right"))


def test_differences_are_those_of_the_shared_items(small: Evaluation, better: Evaluation) -> None:
    (found,) = compare_evaluations(small, better).benchmarks
    assert (found.shared, found.only_old, found.only_new, found.changed) == (30, 10, 10, 0)
    assert [(one.selector, one.k) for one in found.differences] == [("voting", 1), ("voting", 2), ("greedy", 1)]
    for one in found.differences:
        both = credits(better, one.selector, one.k).join(
            credits(small, one.selector, one.k), on="item_id", suffix="_before"
        )
        assert both.height == 30
        assert one.before == pytest.approx(both["right_before"].mean())
        assert one.after == pytest.approx(both["right"].mean())
        assert one.difference == pytest.approx(one.after - one.before)
        assert one.low <= one.difference <= one.high
        assert 0 < one.p <= one.p_holm <= 1
    assert found.differences[0].p_holm <= 0.05


def test_an_evaluation_is_no_different_from_itself(small: Evaluation) -> None:
    comparison = compare_evaluations(small, small)
    (found,) = comparison.benchmarks
    assert found.shared == 40 and all(one.difference == 0 and one.p == 1 for one in found.differences)
    assert [one.k for one in found.differences] == [1, 4, 1]
    (words,) = (line for line in lines_of(comparison) if "no difference is shown" in line)
    assert words == "own: no difference is shown over 40 questions. These items could show 9.28 points"


def test_few_questions_show_nothing(tmp_path: Path) -> None:
    few = evaluated(tmp_path, rows=jsonl_rows(3), k_max=2)
    lines = lines_of(compare_evaluations(few, few))
    assert "own: no difference is shown over 3 questions. So few questions can show no difference at all" in lines


def test_what_was_evaluated_otherwise_is_not_compared(small: Evaluation, tmp_path: Path) -> None:
    other = evaluated(tmp_path, benchmark="other", rows=jsonl_rows(4), k_max=1)
    comparison = compare_evaluations(small, other)
    assert comparison.benchmarks == ()
    lines = lines_of(comparison)
    assert "other: not compared: only the new evaluation has it" in lines
    assert "own: not compared: only the old evaluation has it" in lines
    entry = small.manifest.benchmarks[0].model_copy(update={"protocol": "pairs"})
    changed = Evaluation(small.root, small.key, small.manifest.model_copy(update={"benchmarks": [entry]}))
    (why,) = compare_evaluations(small, changed).not_compared
    assert why == "own: not compared: its protocol was joint, and is pairs"


def test_items_with_another_label_under_the_same_id_are_left_out(small: Evaluation, tmp_path: Path) -> None:
    rows = jsonl_rows(40)
    for row in rows[:5]:
        row["best"] = (row["best"] + 1) % 3
    changed = evaluated(tmp_path, name="changed", rows=rows)
    comparison = compare_evaluations(small, changed)
    assert (comparison.benchmarks[0].shared, comparison.benchmarks[0].changed) == (35, 5)
    assert any("5 with another question, subset or label" in line for line in lines_of(comparison))


def test_nothing_shared_is_said(small: Evaluation, tmp_path: Path) -> None:
    rows = [row | {"id": f"other {number}"} for number, row in enumerate(jsonl_rows(6))]
    comparison = compare_evaluations(small, evaluated(tmp_path, rows=rows, k_max=2))
    assert comparison.not_compared == ("own: not compared: the two share no item",)


def test_the_comparison_is_json(small: Evaluation, better: Evaluation) -> None:
    tree = json.loads(json.dumps(compare_evaluations(small, better).as_json()))
    assert tree["benchmarks"][0]["benchmark"] == "own"
    assert tree["benchmarks"][0]["differences"][0]["selector"] == "voting"
    assert {"old", "new", "old_judge", "new_judge", "not_compared"} <= tree.keys()
