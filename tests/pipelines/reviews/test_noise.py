"""The share of wrong labels: weighted by hand, with an interval that holds the truth."""

import numpy as np
import polars as pl
import pytest

from benchmarks.label_noise import JUDGES, coverage
from pipelines.reviews.noise import label_noise
from pipelines.training_sets.proportions import wilson

SCHEMA = {"source": pl.String, "stratum": pl.String, "stratum_size": pl.Int64, "is_wrong": pl.Boolean}


def reviews(*groups: tuple[str, str, int, list[bool | None]]) -> pl.DataFrame:
    rows = [(source, stratum, size, is_wrong) for source, stratum, size, of in groups for is_wrong in of]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def only(frame: pl.DataFrame, source: str | None) -> dict[str, float]:
    (row,) = frame.filter(pl.col("source").eq_missing(source)).to_dicts()
    return row


def test_a_set_counts_for_those_that_it_stands_for() -> None:
    # 900 sets, 1 of 10 wrong, and 100 sets, 6 of 10 wrong: (900 * .1 + 100 * .6) / 1000
    frame = reviews(
        ("a", "calm", 900, [True] + [False] * 9),
        ("a", "suspect", 100, [True] * 6 + [False] * 4),
        ("b", "other", 1000, [False] * 20),
    )
    found = label_noise(frame)
    assert found["source"].to_list() == ["a", "b", None]
    assert only(found, "a")["noise"] == pytest.approx(0.15)
    assert only(found, "b")["noise"] == 0.0
    assert only(found, None)["noise"] == pytest.approx(0.075)
    assert (only(found, "a")["reviewed"], only(found, "a")["wrong"]) == (20, 7)
    for row in found.to_dicts():
        assert 0 <= row["low"] <= row["noise"] < row["high"] <= 1


def test_an_even_sample_of_many_sets_has_wilsons_interval() -> None:
    row = only(label_noise(reviews(("a", "all", 10**9, [True] * 20 + [False] * 380))), "a")
    low, high = wilson(np.array(0.05), np.array(400.0), np.array(1.959964))
    assert row["low"] == pytest.approx(float(low), abs=0.001)
    assert row["high"] == pytest.approx(float(high), abs=0.001)


def test_a_stratum_of_several_sources_is_divided_as_its_reviews_are() -> None:
    frame = pl.concat([reviews(("a", "mixed", 400, [True, False])), reviews(("b", "mixed", 400, [False, False]))])
    found = label_noise(frame)
    assert (only(found, "a")["noise"], only(found, "b")["noise"]) == (0.5, 0.0)
    assert only(found, None)["noise"] == 0.25


def test_draws_count_by_their_reviews() -> None:
    first, second = reviews(("a", "x", 100, [True] * 3 + [False] * 7)), reviews(("a", "x", 500, [False] * 30))
    frame = pl.concat([first.with_columns(draw_id=pl.lit("1")), second.with_columns(draw_id=pl.lit("2"))])
    # .3 of 100 sets with a quarter of the reviews, and none of 500 with three quarters
    assert only(label_noise(frame), "a")["noise"] == pytest.approx(0.3 * 100 * 0.25 / (100 * 0.25 + 500 * 0.75))
    twice = pl.concat([first.with_columns(draw_id=pl.lit("1")), first.with_columns(draw_id=pl.lit("2"))])
    once, both = only(label_noise(first), "a"), only(label_noise(twice), "a")
    assert both["noise"] == once["noise"]
    assert both["high"] - both["low"] < once["high"] - once["low"]


def test_what_nobody_could_tell_says_nothing_and_an_open_stratum_may_be_all_wrong() -> None:
    told = label_noise(reviews(("a", "x", 100, [False] * 20 + [True])))
    untold = label_noise(reviews(("a", "x", 100, [False] * 20 + [True] + [None] * 5)))
    assert told.equals(untold)
    half_open = only(label_noise(reviews(("a", "x", 100, [False] * 20), ("a", "y", 100, [None] * 3))), "a")
    assert half_open["open_share"] == 0.5
    assert half_open["low"] == 0.0
    assert half_open["high"] > 0.5


def test_without_a_review_there_is_no_figure() -> None:
    row = only(label_noise(reviews(("a", "x", 100, [None]))), "a")
    assert row["noise"] is None
    assert (row["low"], row["high"], row["open_share"]) == (0.0, 1.0, 1.0)
    assert label_noise(reviews()).filter(pl.col("source").is_not_null()).is_empty()


def test_where_every_set_was_reviewed_nothing_is_left_to_chance() -> None:
    row = only(label_noise(reviews(("a", "x", 4, [True, False, False, False]), ("a", "y", 2, [False] * 2))), "a")
    assert row["low"] == pytest.approx(row["noise"]) == pytest.approx(row["high"]) == pytest.approx(1 / 6)


@pytest.mark.parametrize("judge", ["good", "useless"])
def test_400_reviews_of_5_in_100_are_within_two_and_a_half_points(judge: str) -> None:
    found = coverage(40, 400, JUDGES[judge])
    assert found["holds_truth"] >= 0.85  # a smoke alarm; the thousand are below
    assert found["half_width"] <= 0.025


@pytest.mark.slow
def test_the_interval_holds_the_truth_in_93_to_97_of_100() -> None:
    """With a fair judge; `python -m benchmarks.label_noise` has the others."""
    found = coverage(1_000, 400, JUDGES["fair"])
    assert 0.93 <= found["holds_truth"] <= 0.97
    assert found["half_width"] <= 0.025
