"""Your own sets as a benchmark: the rows keep their order, and a set without a best response says why."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.evaluation.benchmarks.preference_sets import BENCHMARK, row_of_set
from schemas.evaluation import Protocol, Row
from schemas.preference import LabelSource, PreferenceSet, Response, UnreadableRow, preference_set
from schemas.query import user
from tests.pipelines.evaluation.benchmarks.readings import NAN, figures_of, read, rights


def found(directory: Path, *items: dict[str, Any], **keys: Any) -> list[Row | UnreadableRow]:
    path = directory / "mine.jsonl"
    path.write_text("".join(json.dumps(item) + "\n" for item in items), "utf-8")
    return read(path, "preference_sets", **keys)


def rows(directory: Path, *items: dict[str, Any], **keys: Any) -> list[Row]:
    made = found(directory, *items, **keys)
    assert not [row for row in made if isinstance(row, UnreadableRow)], made
    return [row for row in made if isinstance(row, Row)]


SET = {"query": "Name a prime.", "responses": ["9", "7", "15"], "best": 1}


def test_rows_keep_the_order_of_the_file(tmp_path: Path) -> None:
    first, second, third = rows(
        tmp_path,
        SET | {"id": "primes", "domain": "math", "reference": "7"},
        {"prompt": "Name a prime.", "chosen": "7", "rejected": "11 x 2"},
        {"query": "Name a prime.", "responses": [{"text": "9"}, {"text": "7"}], "rewards": [0.1, 0.9]},
        name="mine",
    )
    assert [response.text for response in first.responses] == ["9", "7", "15"]
    assert (first.row_id, first.right, first.subset, first.domain) == ("primes", (1,), "mine", "math")
    assert first.reference == "7"
    assert [response.text for response in second.responses] == ["7", "11 x 2"]
    assert (second.row_id, second.right) == ("mine.jsonl:2", (0,))
    assert third.right == (1,)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"query": "Q?", "responses": ["a", "b"], "rewards": [1, 1]}, "tie"),
        ({"query": "Q?", "responses": ["a"], "best": 0}, "too_few_responses"),
        ({"query": "Q?", "responses": ["a", "a"], "best": 0}, "duplicate_responses"),
        ({"query": "Q?", "responses": ["a"], "label": 2}, "bad_label"),
        ({"query": "Q?", "responses": ["a", "b"]}, "no_truth"),
        ({"query": "Q?", "responses": ["a", "b"], "best": 2}, "bad_best"),
        ({"prompt": "Q?", "chosen": "a", "rejected": "b", "score_chosen": 1, "score_rejected": 2}, "scores_contradict"),
        ({"text": "no set"}, "missing_field"),
    ],
)
def test_a_set_without_a_best_response_says_why(tmp_path: Path, item: dict[str, Any], reason: str) -> None:
    bad, good = found(tmp_path, item, SET)
    assert isinstance(bad, UnreadableRow)
    assert (bad.source_id, bad.reason) == ("mine.jsonl:1", reason)
    assert bad.detail
    assert isinstance(good, Row)


def test_a_single_response_is_right_by_its_label(tmp_path: Path) -> None:
    labelled = [{"query": "Q?", "responses": ["a"], "label": label} for label in (1, 0)]
    singles = rows(tmp_path, *labelled)
    assert [row.right for row in singles] == [(0,), ()]
    assert rights("preference_sets", singles, [[[9]], [[9]]], Protocol.JOINT) == [1, 0]


def test_a_set_is_right_where_its_best_response_scores_highest(tmp_path: Path) -> None:
    made = rows(tmp_path, *[SET | {"id": str(number)} for number in range(4)])
    votes = [[1, 9, 1], [9, 9, 1], [9, 1, 1], [NAN, NAN, NAN]]
    expected = [1, 0.5, 0, 0]
    assert rights("preference_sets", made, [[vote] for vote in votes], Protocol.JOINT) == expected
    assert rights("preference_sets", made, [[vote, vote] for vote in votes], Protocol.BOTH_ORDERS) == expected
    alone = [[[score] for score in vote] for vote in votes]
    assert rights("preference_sets", made, alone, Protocol.SINGLE) == expected


def kept(rewards: tuple[float, float]) -> PreferenceSet:
    return preference_set(
        query=user("Q?"),
        responses=[Response("b", reward=rewards[0]), Response("a", reward=rewards[1])],
        label_source=LabelSource.HUMAN,
        source="s",
        source_id="1",
        source_revision="r",
        license="MIT",
        domain="math",
    )


def test_a_set_of_a_snapshot_is_a_row_too() -> None:
    row = row_of_set(kept((1.0, 0.0)), "test")
    assert [response.text for response in row.responses] == ["a", "b"]
    assert (row.row_id, row.right, row.subset, row.domain) == (kept((1.0, 0.0)).set_id, (1,), "test", "math")


def test_the_total_is_the_mean_of_all_rows() -> None:
    assert figures_of(BENCHMARK, {"mine": [0.75]}, {"mine": 4}) == {"total": 0.75}
