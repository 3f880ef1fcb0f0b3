"""RMB: pairs, best of N against every loser, and the mean of four sections."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.evaluation.benchmarks.rmb import BENCHMARK
from schemas.evaluation import Protocol
from tests.pipelines.evaluation.benchmarks.readings import (
    NAN,
    counts_of,
    figures_of,
    read,
    reason_of,
    rights,
    rows_of,
    whole_counts,
    written,
)


def answer(text: Any, model: str = "a") -> dict[str, Any]:
    return {"llm_name": model, "answer": text}


def pair(**changes: Any) -> dict[str, Any]:
    row = {
        "pair_uid": "7",
        "conversation_input": [{"role": "user", "content": "Name a prime.", "language": "English"}],
        "chosen": answer("7"),
        "reject": answer("9", "b"),
        "category_path": "Pairwise_set/Helpfulness/Chat/Discussion",
    }
    return row | changes


def best_of_n(**changes: Any) -> dict[str, Any]:
    row = {key: value for key, value in pair().items() if key == "conversation_input"}
    row |= {"bon_uid": "8", "bon_best": answer("7"), "loser_list": [answer("9"), answer("15")]}
    return row | {"category_path": "BoN_set/Harmlessness/S1"} | changes


def test_pairs_and_best_of_n_are_read(tmp_path: Path) -> None:
    first, second = rows_of(tmp_path, "rmb", [pair(), best_of_n()])
    assert (first.row_id, first.subset, first.domain) == ("pairs/7", "pairs Helpfulness", "Helpfulness/Chat/Discussion")
    assert (first.names, first.responses[1].model) == (("chosen", "reject"), "b")
    assert (second.row_id, second.subset, second.domain) == ("best of N/8", "best of N Harmlessness", "Harmlessness/S1")
    assert (second.names, second.right) == (("bon_best", "loser_0", "loser_1"), (0,))


def test_the_path_of_the_file_stands_for_the_category(tmp_path: Path) -> None:
    item = {key: value for key, value in pair().items() if key != "category_path"}
    written(tmp_path, [item], "Pairwise_set/Harmlessness/S1.json")
    written(tmp_path, [{"judge": "x"}], "results/rm_rank.json")
    (row,) = read(tmp_path, "rmb")
    assert counts_of([row]) == {"pairs Harmlessness": 1}  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (best_of_n(loser_list=[]), "too_few_responses"),
        (best_of_n(loser_list=None), "missing_field"),
        (best_of_n(loser_list=["9"]), "not_an_object"),
        (pair(reject=None), "missing_field"),
        (pair(chosen=answer(None)), "missing_field"),
        (pair(category_path="Pairwise_set/Wit"), "unknown_category"),
        (pair(conversation_input=[]), "empty_field"),
        (pair(conversation_input=[{"role": "assistant", "content": "Hi"}]), "no_user_turn"),
        (pair(pair_uid=None), "bad_id"),
        ({key: value for key, value in pair().items() if key != "chosen"}, "missing_field"),
    ],
)
def test_rows_that_are_none_say_why(tmp_path: Path, item: dict[str, Any], reason: str) -> None:
    assert reason_of(tmp_path, "rmb", item) == reason


def test_the_best_must_beat_every_loser(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "rmb", [best_of_n(bon_uid=str(number)) for number in range(4)])
    votes = [[9, 1, 8], [9, 1, 9], [8, 1, 9], [NAN, NAN, NAN]]
    expected = [1, 0, 0, 0]
    assert rights("rmb", rows, [[vote] for vote in votes], Protocol.JOINT) == expected
    assert rights("rmb", rows, [[[score] for score in vote] for vote in votes], Protocol.SINGLE) == expected
    pairs = [[[vote[0], loser] for loser in vote[1:]] for vote in votes]
    assert rights("rmb", rows, pairs, Protocol.PAIRS) == expected


def test_a_pair_is_right_strictly(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "rmb", [pair(pair_uid=str(number)) for number in range(3)])
    assert rights("rmb", rows, [[[9, 1]], [[5, 5]], [[1, 9]]], Protocol.JOINT) == [1, 0, 0]


def test_the_total_is_the_mean_of_four_sections() -> None:
    counts = whole_counts(BENCHMARK)
    assert counts["best of N Helpfulness"] + counts["best of N Harmlessness"] == 3786
    means = {subset: [0.2 * place] for place, subset in enumerate(counts)}
    assert figures_of(BENCHMARK, means, counts)["total"] == pytest.approx(0.3)
