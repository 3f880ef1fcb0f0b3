"""RewardBench: ties, the two ways of scoring, and the weights of its sections."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.evaluation.benchmarks.rewardbench import BENCHMARK, SECTIONS
from schemas.evaluation import Protocol
from tests.pipelines.evaluation.benchmarks.readings import NAN, figures_of, reason_of, rights, rows_of, whole_counts


def pair(**changes: Any) -> dict[str, Any]:
    row = {"prompt": "Name a prime.", "chosen": "7", "rejected": "9", "subset": "hep-go", "id": 3}
    return row | changes


def test_a_row_is_known_by_subset_and_id(tmp_path: Path) -> None:
    first, second = rows_of(tmp_path, "rewardbench", [pair(), pair(subset="math-prm")])
    assert (first.row_id, second.row_id) == ("hep-go/3", "math-prm/3")
    assert (first.subset, first.domain, first.right, first.names) == (
        "hep-go",
        "Reasoning",
        (0,),
        ("chosen", "rejected"),
    )
    assert [response.text for response in first.responses] == ["7", "9"]
    assert [tuple(turn) for turn in first.query] == [("user", "Name a prime.")]


def test_a_question_that_looks_like_a_conversation_stays_a_text(tmp_path: Path) -> None:
    text = '[{"role": "user", "content": "What is this?"}]'
    (row,) = rows_of(tmp_path, "rewardbench", [pair(prompt=text)])
    assert [tuple(turn) for turn in row.query] == [("user", text)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"subset": "pref_sets"}, "unknown_subset"),
        ({"prompt": " "}, "empty_field"),
        ({"rejected": None}, "missing_field"),
        ({"chosen": 7}, "not_text"),
        ({"id": None}, "bad_id"),
        ({"id": True}, "bad_id"),
        ({"rejected": ""}, None),
        ({"id": 3.0}, None),
    ],
)
def test_rows_that_are_no_pair_say_why(tmp_path: Path, changes: dict[str, Any], reason: str | None) -> None:
    assert reason_of(tmp_path, "rewardbench", pair(**changes)) == reason


def test_a_tie_is_half_for_a_generative_judge_and_wrong_for_a_scalar_one(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "rewardbench", [pair(id=number) for number in range(4)])
    joint = [[[9, 1]], [[1, 9]], [[5, 5]], [[NAN, NAN]]]
    assert rights("rewardbench", rows, joint, Protocol.JOINT) == [1, 0, 0.5, 0]
    alone = [[[9], [1]], [[1], [9]], [[5], [5]], [[NAN], [1]]]
    assert rights("rewardbench", rows, alone, Protocol.SINGLE) == [1, 0, 0, 0]


def test_sections_are_weighted_by_examples_and_the_total_is_their_plain_mean() -> None:
    counts = whole_counts(BENCHMARK)
    assert sum(counts.values()) == 2985
    assert counts["math-prm"] == 447
    means = {subset: [0.0] for subset in counts} | {"math-prm": [1.0], "alpacaeval-easy": [1.0], "mt-bench-hard": [0.5]}
    figures = figures_of(BENCHMARK, means, counts)
    # math-prm weighs 984 of 984 + 6 x 164; alpacaeval-easy 100 of 358; mt-bench-hard 37 of 456.
    expected = {"Chat": 100 / 358, "Chat Hard": 0.5 * 37 / 456, "Safety": 0, "Reasoning": 0.5}
    assert figures == pytest.approx(expected | {"total": sum(expected.values()) / 4}, abs=1e-6)


def test_a_whole_section_stands_without_the_others() -> None:
    counts = {subset: rows for subset, rows in whole_counts(BENCHMARK).items() if subset in SECTIONS["Safety"]}
    figures = figures_of(BENCHMARK, {subset: [0.25] for subset in counts}, counts)
    assert figures == {"Safety": 0.25}
