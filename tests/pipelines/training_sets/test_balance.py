"""Balance: no position and no label is right more often than another, and nothing wrong is let in for it."""

from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipelines.training_sets.balance import position_counts, uniformity
from pipelines.training_sets.rejection import GROUP, decide
from schemas.recipe import RejectionSection
from tests.pipelines.judging.decisions import a_sample, frame

ROW = st.tuples(
    st.sampled_from(["one", "two"]),
    st.integers(1, 4),
    st.integers(0, 3),
    st.sampled_from(["train", "train", "train", "validation"]),
    st.sampled_from(["non_hinted", "non_hinted", "hinted"]),
    st.sampled_from(["correct", "correct", "correct", "correct", "incorrect", "tied"]),
)


def trajectories(rows: list[Any]) -> pl.DataFrame:
    made = []
    for number, (source, n, where, split, mode, outcome) in enumerate(rows):
        place = {"best_position": None, "label": where % 2} if n == 1 else {"best_position": where % n, "label": None}
        made.append(a_sample(f"set {number}", 0, outcome, mode, source=source, n_responses=n, split=split, **place))
    return frame(made)


def balanced_rows(rows: list[Any], **rules: Any) -> pl.DataFrame:
    # n_rft = 0: every set is decided, so that what is tested is balance alone.
    return decide(trajectories(rows), RejectionSection(drop_too_easy=False, **rules), 0)


@given(st.lists(ROW, max_size=250))
def test_positions_and_labels_are_balanced_in_every_group(rows: list[Any]) -> None:
    decided = balanced_rows(rows, max_hinted_share=1.0)
    for (_, n, _, _), group in decided.filter("accepted").group_by(GROUP):
        classes = Counter(group["label"] if n == 1 else group["best_position"])
        counts = [classes[place] for place in range(max(n, 2))]
        if min(counts) >= 1:
            assert max(counts) <= max(1, (1.5 if n == 1 else 1.1) * min(counts))
        else:
            assert max(counts) <= 1


@given(st.lists(ROW, max_size=120), st.integers(0, 99))
def test_nothing_wrong_gets_in_and_the_order_of_rows_changes_nothing(rows: list[Any], seed: int) -> None:
    decided = balanced_rows(rows)
    assert decided.filter(pl.col("accepted") & (pl.col("outcome") != "correct")).height == 0
    shuffled = trajectories(rows).sample(fraction=1.0, shuffle=True, seed=seed)
    again = decide(shuffled, RejectionSection(drop_too_easy=False), 0)
    assert again.sort("trajectory_id").equals(decided.sort("trajectory_id"))
    assert decide(trajectories(rows), RejectionSection(drop_too_easy=False), 0).equals(decided)


@given(st.lists(ROW, max_size=250), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), st.booleans())
def test_hinted_rows_are_at_most_their_share(rows: list[Any], share: float, balance: bool) -> None:
    decided = balanced_rows(rows, max_hinted_share=share, balance_positions=balance)
    accepted = decided.filter("accepted")
    assert accepted.filter(mode="hinted").height <= share * accepted.height + 1e-9
    assert decided.filter((pl.col("mode") == "non_hinted") & (pl.col("reject_reason") == "hinted_share")).height == 0


def test_labels_of_single_responses_come_out_at_40_to_60_percent() -> None:
    rows = [("one", 1, int(number % 4 == 0), "train", "non_hinted", "correct") for number in range(400)]
    counts = Counter(balanced_rows(rows).filter("accepted")["label"])
    assert counts[1] == 100
    assert counts[0] == 150


def test_large_groups_are_balanced_more_closely_than_ten_percent() -> None:
    """At ten percent, ten thousand rows a position would show the judge's preference to any test."""
    rows = [("one", 2, int(number % 5 < 2), "train", "non_hinted", "correct") for number in range(25_000)]
    decided = balanced_rows(rows)
    [counts] = position_counts(decided, pl.col("accepted")).values()
    assert counts == [10_100, 10_000]
    assert uniformity(counts)[1] > 0.01
    assert uniformity([11_000, 10_000])[1] < 1e-10


def test_a_switch_leaves_positions_alone() -> None:
    rows = [("one", 2, 0, "train", "non_hinted", "correct")] * 30
    assert balanced_rows(rows, balance_positions=False)["accepted"].sum() == 30
    assert balanced_rows(rows)["accepted"].sum() == 1


def test_positions_are_counted_per_source_and_size() -> None:
    rows = [("one", 3, 2, "train", "hinted", "correct"), ("two", 2, 0, "validation", "non_hinted", "correct")]
    counts = position_counts(trajectories([*rows, ("one", 1, 0, "train", "hinted", "correct")]), pl.lit(True))
    assert counts == {"one/3": [0, 0, 1], "two/2": [1, 0]}


@given(st.lists(st.integers(0, 500), min_size=2, max_size=12))
def test_the_chi_square_test_is_scipys(counts: list[int]) -> None:
    if not sum(counts):
        assert uniformity(counts) == (0.0, 1.0)
        return
    expected = stats.chisquare(counts)
    statistic, p = uniformity(counts)
    assert statistic == pytest.approx(expected.statistic)
    assert p == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-300)


def test_one_position_is_always_uniform() -> None:
    assert uniformity([7]) == (0.0, 1.0)
    assert uniformity([]) == (0.0, 1.0)
