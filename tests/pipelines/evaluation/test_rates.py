"""ROC-AUC of single responses, and the calibration of vote shares, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation.calibration import calibration, vote_shares
from pipelines.evaluation.resampling import Clusters
from pipelines.evaluation.roc import auc_estimate, roc_auc
from tests.pipelines.evaluation.pools import NAN, pool


def clusters(count: int) -> Clusters:
    return Clusters([str(n) for n in range(count)], ["all"] * count)


def test_ties_count_half() -> None:
    right = np.array([True, True, False, False])
    assert roc_auc(right, np.array([9.0, 5.0, 5.0, 1.0])) == pytest.approx((1 + 1 + 0.5 + 1) / 4)


def test_an_unreadable_row_loses_all_its_comparisons() -> None:
    right = np.array([True, True, False, False])
    assert roc_auc(right, np.array([9.0, NAN, 5.0, 1.0])) == pytest.approx(2 / 4)
    assert roc_auc(right, np.array([9.0, 8.0, NAN, 1.0])) == pytest.approx(2 / 4)
    assert roc_auc(right, np.full(4, np.nan)) == 0


def test_one_label_has_no_auc() -> None:
    assert np.isnan(roc_auc(np.array([True, True]), np.array([1.0, 2.0])))


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 4), st.integers(0, 3)), min_size=2, max_size=12))
def test_a_weight_is_a_number_of_copies(cases: list[tuple[bool, int, int]]) -> None:
    right, scores, weights = (np.array(values) for values in zip(*cases, strict=True))
    copied = roc_auc(np.repeat(right, weights), np.repeat(scores, weights).astype(float))
    weighted = roc_auc(right, scores.astype(float), weights[None].astype(float))
    assert weighted[0] == pytest.approx(float(copied), nan_ok=True)


def test_the_interval_of_an_auc_holds_it() -> None:
    drawn = np.random.default_rng(0)
    right = drawn.random(300) < 0.4
    scores = drawn.normal(right[:, None] * 1.0, 1, (300, 1))
    found = auc_estimate(clusters(300), right, scores)
    assert found.low < found.value < found.high
    assert found.value == pytest.approx(0.76, abs=0.05)
    assert found.standard_error == pytest.approx(0.027, abs=0.005)  # Hanley and McNeil


def test_vote_shares() -> None:
    samples = pool((8, 5), (9, 5), (5, 6), (NAN, NAN))
    assert vote_shares(samples, 4)[0] == pytest.approx([2 / 3] * 4)
    assert sorted(vote_shares(samples, 1)[0])[:3] == [1, 1, 1]
    assert np.isnan(vote_shares(samples, 1)).sum() == 1
    assert vote_shares(pool((8, 5), (5, 8)), 2)[0, 0] == pytest.approx(0.5)  # a tie backs each by half


def test_calibration_by_hand() -> None:
    share = np.array([0.95] * 20 + [0.65] * 20)[:, None]
    right = np.array([1] * 17 + [0] * 3 + [1] * 13 + [0] * 7)[:, None]
    found = calibration(clusters(40), share, right)
    assert found.ece == pytest.approx(0.5 * abs(0.95 - 0.85) + 0.5 * 0)
    assert found.weight[[6, 9]] == pytest.approx([0.5, 0.5])
    assert found.share[[6, 9]] == pytest.approx([0.65, 0.95])
    assert found.accuracy[[6, 9]] == pytest.approx([0.65, 0.85])
    assert found.low <= found.ece <= found.high
    assert np.isnan(found.accuracy[0])


def test_a_full_share_stands_in_the_last_bin_and_an_unreadable_vote_in_none() -> None:
    found = calibration(clusters(3), np.array([[1.0], [1.0], [np.nan]]), np.array([[1.0], [0.0], [0.0]]))
    assert found.weight[9] == 1
    assert found.ece == 0.5
