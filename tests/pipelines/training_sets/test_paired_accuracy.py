"""Paired accuracy, computed by hand."""

from collections.abc import Sequence

import polars as pl
import pytest

from pipelines.training_sets.paired_accuracy import paired_accuracy

Row = tuple[str, str, str, int]
SCHEMA = ["set_id", "outcome", "mode", "n_responses"]
RFT: Sequence[Row] = [
    ("a", "correct", "non_hinted", 2),
    ("a", "incorrect", "non_hinted", 2),
    ("a", "truncated", "non_hinted", 2),
    ("a", "correct", "hinted", 2),
    ("b", "correct", "non_hinted", 3),
    ("c", "tied", "non_hinted", 2),
    ("d", "correct", "non_hinted", 2),
    ("e", "correct", "non_hinted", 1),
    ("f", "unparsed", "non_hinted", 2),
]
PAIRED: Sequence[Row] = [
    ("a", "correct", "non_hinted", 2),
    ("b", "correct", "non_hinted", 3),
    ("b", "incorrect", "non_hinted", 3),
    ("c", "correct", "non_hinted", 2),
    ("d", "refused", "non_hinted", 2),
    ("e", "correct", "non_hinted", 1),
    ("f", "correct", "non_hinted", 2),
]


def frame(rows: Sequence[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, SCHEMA, orient="row")


def test_accuracy_is_over_sets_that_are_readable_both_ways() -> None:
    """RFT: a 1/2, b 1, c 0. Paired: a 1, b 1/2, c 1. d and f are unreadable one way, e has one response."""
    found = paired_accuracy(frame(RFT), frame(PAIRED), "self")
    assert (found["sets"], found["self"], found["rubric"]) == (3, 0.5, 0.8333)
    # differences 1/2, -1/2, 1: mean 1/3, variance ((1/6)^2 + (5/6)^2 + (4/6)^2) / 2 = 7/12, over 3 sets
    assert found["difference"] == pytest.approx(0.3333)
    assert found["standard_error"] == pytest.approx((7 / 12 / 3) ** 0.5, abs=1e-4)


def test_rft_may_be_the_one_with_given_criteria() -> None:
    found = paired_accuracy(frame(RFT), frame(PAIRED), "rubric")
    assert (found["rubric"], found["self"], found["difference"]) == (0.5, 0.8333, -0.3333)


def test_one_set_has_no_error_and_no_set_says_nothing() -> None:
    one = paired_accuracy(frame(RFT[:2]), frame(PAIRED[:1]), "self")
    assert (one["sets"], one["difference"], one["standard_error"]) == (1, 0.5, None)
    none = paired_accuracy(frame(RFT[:1]), frame(PAIRED[1:2]), "self")
    assert none == {"sets": 0, "self": None, "rubric": None, "difference": None, "standard_error": None}
