"""RewardBench 2: best of four, and Ties by the authors' formula, computed by hand."""

from math import tanh
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.evaluation.benchmarks.rewardbench2 import BENCHMARK, CELLS
from schemas.evaluation import Protocol, Row
from tests.pipelines.evaluation.benchmarks.readings import (
    NAN,
    figures_of,
    reason_of,
    rights,
    rows_of,
    votes_of,
    whole_counts,
)


def question(**changes: Any) -> dict[str, Any]:
    row = {"id": "1", "prompt": "Name a prime.", "chosen": ["7"], "rejected": ["9", "15", "21"], "subset": "Factuality"}
    return row | {"num_correct": len(changes.get("chosen", ["7"]))} | changes


def tie(row_id: str, chosen: list[str]) -> dict[str, Any]:
    return question(id=row_id, chosen=chosen, rejected=["9", "15"], subset="Ties")


def test_rows_and_pairs_are_read(tmp_path: Path) -> None:
    plain, ref, tied = rows_of(tmp_path, "rewardbench2", [question(), tie("ref:4", ["7"]), tie("tied:4", ["7", "11"])])
    assert (plain.row_id, plain.pair, plain.right) == ("Factuality/1", None, (0,))
    assert (ref.row_id, ref.pair, ref.right) == ("ref:4", "4", (0,))
    assert (tied.row_id, tied.pair, tied.right) == ("tied:4", "4", (0, 1))
    assert tied.names == ("chosen_0", "chosen_1", "rejected_0", "rejected_1")


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (question(num_correct=2), "counts_differ"),
        (question(rejected=[]), "too_few_responses"),
        (question(chosen=[], num_correct=0), "too_few_responses"),
        (question(chosen="7", num_correct=1), "not_a_list"),
        (question(rejected=["9", None]), "missing_field"),
        (question(subset="Chat"), "unknown_subset"),
        (tie("ref:4", ["7", "11"]), "bad_id"),
        (tie("tied:4", ["7"]), "bad_id"),
        (tie("4", ["7"]), "bad_id"),
        (tie("tied:", ["7", "11"]), "bad_id"),
    ],
)
def test_rows_that_are_no_question_say_why(tmp_path: Path, item: dict[str, Any], reason: str) -> None:
    assert reason_of(tmp_path, "rewardbench2", item) == reason


def test_best_of_four_shares_the_credit_of_a_tie(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "rewardbench2", [question(id=str(number)) for number in range(5)])
    joint = [[[9, 1, 1, 1]], [[9, 9, 1, 1]], [[9, 9, 9, 9]], [[1, 9, 1, 1]], [[NAN] * 4]]
    assert rights("rewardbench2", rows, joint, Protocol.JOINT) == [1, 1 / 2, 1 / 4, 0, 0]


def test_one_by_one_what_cannot_be_read_never_wins(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "rewardbench2", [question(id=str(number)) for number in range(3)])
    alone = [[[9], [NAN], [1], [1]], [[NAN], [1], [1], [1]], [[NAN]] * 4]
    assert rights("rewardbench2", rows, alone, Protocol.SINGLE) == [1, 0, 0.25]


def linked(
    rows: list[Row], by_row: list[list[list[float]]], protocol: Protocol = Protocol.JOINT
) -> list[dict[str, float]]:
    """Return the cells of rows of Ties of any shape, once those of a pair have met."""
    alone = [BENCHMARK.score([row], votes_of([votes]), protocol) for row, votes in zip(rows, by_row, strict=True)]
    cells = BENCHMARK.linked(rows, np.concatenate(alone))
    return [dict(zip(CELLS, map(float, row[0]), strict=True)) for row in cells]


@pytest.mark.parametrize(
    ("ref", "tied", "expected"),
    [
        # ref: 9 - 2 = 7. tied: worst right 7, best wrong 3: gap 4, spread 8 - 7 = 1.
        ([9, 2, 1], [8, 7, 3, 1], (1, 1, 1, 1, tanh(4 / 1 - 1))),
        # The smaller gap is that of ref: 1, no more than the spread of 1.
        ([3, 2, 1], [8, 7, 3, 1], (1, 1, 1, 0, tanh(1 / 1 - 1))),
        # A spread of 2 exceeds the gap of 1.
        ([9, 2, 1], [8, 6, 5, 1], (1, 1, 0, 0, tanh(1 / 2 - 1))),
        # One right response is below a wrong one.
        ([9, 2, 1], [8, 4, 5, 1], (0, 1, 0, 0, tanh(-1 / 4 - 1))),
        # A gap of 0 is not above.
        ([2, 2, 1], [8, 8, 5, 1], (1, 0, 1, 0, 0)),
        # Without a spread the tanh is the sign of the gap.
        ([9, 2, 1], [8, 8, 5, 1], (1, 1, 1, 1, 1)),
        ([1, 2, 1], [8, 8, 5, 1], (1, 0, 1, 0, -1)),
        # What cannot be read gives nothing.
        ([NAN, NAN, NAN], [8, 7, 3, 1], (1, 0, 1, 0, 0)),
        ([9, 2, 1], [NAN, NAN, NAN, NAN], (0, 1, 0, 0, 0)),
    ],
)
def test_ties_are_scored_by_pairs(
    tmp_path: Path, ref: list[float], tied: list[float], expected: tuple[float, ...]
) -> None:
    rows = rows_of(tmp_path, "rewardbench2", [tie("ref:4", ["7"]), tie("tied:4", ["7", "11"])])
    for first, second in (linked(rows, [[ref], [tied]]), linked(rows[::-1], [[tied], [ref]])[::-1]):
        pair = tuple(first[name] for name in CELLS[1:])
        assert pair == pytest.approx(expected)
        assert tuple(second[name] for name in CELLS[1:]) == pytest.approx(expected)
        assert (second["right"], first["right"]) == expected[:2]


def test_one_by_one_ties_are_scored_in_the_same_way(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "rewardbench2", [tie("ref:4", ["7"]), tie("tied:4", ["7", "11"])])
    votes = [[[9], [2], [1]], [[8], [7], [3], [1]]]
    assert linked(rows, votes, Protocol.SINGLE) == linked(rows, [[[9, 2, 1]], [[8, 7, 3, 1]]])


def test_a_row_without_its_other_one_gives_ties_nothing(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "rewardbench2", [tie("tied:4", ["7", "11"])])
    (cells,) = linked(rows, [[[8, 7, 3, 1]]])
    assert cells == dict.fromkeys(CELLS, 0.0) | {"right": 1.0}


def test_the_total_is_the_mean_of_six_subsets_with_ties_by_its_formula() -> None:
    counts = whole_counts(BENCHMARK)
    assert sum(counts.values()) == 1865
    means = {subset: [0.5, 0, 0, 0, 0, 0] for subset in counts} | {"Ties": [0.9, 0.8, 0.6, 0.5, 0.4, -0.3]}
    figures = figures_of(BENCHMARK, means, counts)
    ties = 0.3 * 0.8 + 0.3 * 0.6 + 0.2 * 0.5 + 0.2 * 0.4 + 0.01 * -0.3
    assert figures["Ties"] == pytest.approx(ties)
    assert figures["total"] == pytest.approx((5 * 0.5 + ties) / 6, abs=1e-6)
    assert figures_of(BENCHMARK, {"Ties": means["Ties"]}, {"Ties": 102}) == {"Ties": pytest.approx(ties)}
