"""Votes: readable samples alone, each on its highest score, whatever the label says."""

from typing import Any

import polars as pl

from pipelines.training_sets.votes import teachers_votes, votes_of

SCHEMA = {
    "set_id": pl.String,
    "model": pl.String,
    "mode": pl.String,
    "outcome": pl.String,
    "order": pl.List(pl.Int32),
    "scores": pl.List(pl.Float64),
    "label": pl.Int32,
}


def sample(outcome: str, order: list[int], scores: list[float] | None, **given: Any) -> dict[str, Any]:
    row = {"set_id": "s", "model": "judge", "mode": "non_hinted", "label": None}
    return row | {"outcome": outcome, "order": order, "scores": scores} | given


def votes(*rows: dict[str, Any]) -> list[tuple[Any, ...]]:
    return votes_of(pl.DataFrame(rows, schema=SCHEMA)).rows()


def test_a_vote_goes_to_the_response_and_not_to_the_position() -> None:
    assert votes(
        sample("correct", [2, 0, 1], [9, 4, 3]),
        sample("incorrect", [0, 1, 2], [3, 8, 7]),
        sample("correct", [1, 2, 0], [1, 5, 2]),
    ) == [("s", "judge", 1, 1.0), ("s", "judge", 2, 2.0)]


def test_a_tie_is_shared_and_what_cannot_be_read_or_was_told_the_label_says_nothing() -> None:
    assert votes(
        sample("tied", [0, 1, 2], [7, 7, 2]),
        sample("truncated", [0, 1, 2], None),
        sample("unparsed", [0, 1, 2], None),
        sample("correct", [0, 1, 2], [9, 1, 1], mode="hinted"),
    ) == [("s", "judge", 0, 0.5), ("s", "judge", 1, 0.5)]


def test_a_single_response_has_votes_on_its_two_labels() -> None:
    rows = [sample(outcome, [0], [1], label=0) for outcome in ("correct", "incorrect", "incorrect")]
    assert votes(*rows) == [("s", "judge", 0, 1.0), ("s", "judge", 1, 2.0)]


def test_a_model_is_one_judge_whatever_it_was_asked_for() -> None:
    first, second = sample("correct", [0, 1], [9, 1]), sample("correct", [1, 0], [1, 9])
    other = sample("incorrect", [0, 1], [1, 9], model="other")
    assert votes(first, second, other) == [("s", "judge", 0, 2.0), ("s", "other", 1, 1.0)]


def test_the_teachers_votes_are_those_that_retagging_counted() -> None:
    sets = pl.DataFrame({"row": [0, 1], "votes": [[2, 0, 1], None]}, schema_overrides={"row": pl.UInt32})
    assert teachers_votes(sets).rows() == [(0, "the teacher's votes", 0, 2.0), (0, "the teacher's votes", 2, 1.0)]
