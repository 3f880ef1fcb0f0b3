"""PPE: votes of people, pairs of verified answers, and curves of the best of k."""

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.evaluation.benchmarks.ppe import BENCHMARK, PARTS, best_of_sizes
from schemas.errors import SourceError
from schemas.evaluation import Protocol, Row
from schemas.preference import UnreadableRow
from tests.pipelines.evaluation.benchmarks.readings import (
    NAN,
    cells_of,
    figures_of,
    read,
    reason_of,
    rights,
    rows_of,
    written,
)

MATH = "math_best_of_k.json"


def vote(**changes: Any) -> dict[str, Any]:
    row = {
        "question_id": "a1",
        "prompt": "Name a prime.",
        "response_1": "7",
        "response_2": "9",
        "winner": "model_a",
        "model_a": "m",
        "model_b": "n",
        "language": "English",
    }
    return row | changes


def question(**changes: Any) -> dict[str, Any]:
    answers = {f"response_{number}": f"answer {number}" for number in range(1, 5)}
    row = {"question_id": "3", "prompt": "2 + 2 = ?", "scores": [True, False, True, False], "model_name": "m"}
    return row | answers | {"sampled_conflict_pairs": [[0, 1], [3, 2], [0, 1]]} | changes


def test_a_vote_names_the_better_response(tmp_path: Path) -> None:
    first, second = rows_of(tmp_path, "ppe", [vote(), vote(winner="model_b")])
    assert (first.row_id, first.subset, first.domain, first.right) == ("human/1", "human", "English", (0,))
    assert second.right == (1,)
    assert [response.model for response in second.responses] == ["m", "n"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"winner": "tie"}, "tie"),
        ({"winner": "tie (bothbad)"}, "tie"),
        ({"winner": "model_c"}, "unknown_winner"),
        ({"winner": None}, "missing_field"),
        ({"response_2": None}, "missing_field"),
    ],
)
def test_votes_without_a_winner_are_left_out_and_counted(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    assert reason_of(tmp_path, "ppe", vote(**changes)) == reason


def test_each_sampled_pair_is_a_row_also_where_it_is_repeated(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "ppe", [question()], MATH)
    assert [(row.row_id, row.names, row.right) for row in rows] == [
        ("MATH/1/0", ("response_1", "response_2"), (0,)),
        ("MATH/1/1", ("response_3", "response_4"), (0,)),
        ("MATH/1/2", ("response_1", "response_2"), (0,)),
    ]
    assert {row.subset for row in rows} == {"MATH"}


def test_the_right_one_of_a_pair_is_the_one_with_the_higher_score(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "ppe", [question(scores=[0.25, 0.5, 1, 0], sampled_conflict_pairs=[[0, 1]])], MATH)
    assert rows[0].right == (1,)


@pytest.mark.parametrize(
    ("pair", "reason"),
    [([0, 2], "equal_scores"), ([0, 4], "bad_pair"), ([0], "bad_pair"), ("0, 1", "bad_pair"), ([0, -1], "bad_pair")],
)
def test_a_bad_pair_leaves_the_others(tmp_path: Path, pair: Any, reason: str) -> None:
    found = read(written(tmp_path, [question(sampled_conflict_pairs=[pair, [0, 1]])], MATH), "ppe")
    bad, good = found
    assert isinstance(bad, UnreadableRow)
    assert (bad.source_id, bad.reason) == (f"{MATH}:1 pair 0", reason)
    assert isinstance(good, Row)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"scores": None}, "missing_field"), ({"scores": ["yes", 0, 0, 0]}, "bad_score"), ({"prompt": ""}, "empty_field")],
)
def test_a_question_that_is_none_says_why(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    assert reason_of(tmp_path, "ppe", question(**changes), MATH) == reason


def test_the_part_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^mine\.json:1: the name says none of MMLU-Pro"):
        read(written(tmp_path, [question()], "mine.json"), "ppe")


def test_a_pair_is_right_where_the_right_answer_scores_higher(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "ppe", [vote(), vote(), vote(), vote()])
    votes = [[9, 1], [1, 9], [5, 5], [NAN, NAN]]
    assert rights("ppe", rows, [[one] for one in votes], Protocol.JOINT) == [1, 0, 0.5, 0]
    assert rights("ppe", rows, [[[score] for score in one] for one in votes], Protocol.SINGLE) == [1, 0, 0.5, 0]


def test_all_answers_are_a_row_only_where_asked_for(tmp_path: Path) -> None:
    assert len(rows_of(tmp_path, "ppe", [question()], MATH)) == 3
    *_, whole = rows_of(tmp_path, "ppe", [question()], MATH, best_of_k=True)
    assert (whole.row_id, whole.subset, whole.right) == ("MATH/1/all", "MATH best of k", (0, 2))
    *_, none_right = rows_of(
        tmp_path, "ppe", [question(scores=[0, 0, 0, 0], sampled_conflict_pairs=[])], MATH, best_of_k=True
    )
    assert none_right.right == ()
    # Scores 9 wrong, 5 right, 5 wrong, 1 right. Two of four: the 9 is in three pairs of six, the fives meet in one.
    votes = [[[5], [9], [1], [5]]]
    cells = cells_of("ppe", [whole], votes, Protocol.SINGLE)[0]
    assert cells[:3] == pytest.approx([0, 2 / 4, (1 / 2 + 1) / 6], abs=1e-6)
    assert cells[3:] == [0, 0, 0, 0]


@pytest.mark.parametrize("seed", range(5))
def test_the_best_of_k_is_that_of_all_subsets(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores, right = random.integers(1, 5, 6).astype(float), random.random(6) < 0.5
    found = best_of_sizes(scores[None, None], right[None])[0, 0]
    for place, size in enumerate((1, 2, 4)):
        values = []
        for subset in combinations(range(6), size):
            top = [index for index in subset if scores[index] == max(scores[list(subset)])]
            values.append(sum(right[index] for index in top) / len(top))
        assert found[place] == pytest.approx(np.mean(values))


def test_correctness_is_the_mean_of_five_parts_and_there_is_no_total() -> None:
    names = ["human", *PARTS, "GPQA best of k"]
    means = {name: [0.1 * place, *[0.5] * 6] for place, name in enumerate(names)}
    figures = figures_of(BENCHMARK, means, dict.fromkeys(names, 5))
    assert figures["human"] == 0
    assert figures["correctness"] == pytest.approx(0.3)
    assert figures["GPQA best of 32"] == 0.5
    assert "correctness best of 32" not in figures
    assert "total" not in figures
