"""A claim is tested by clusters, and corrected for every comparison that was computed."""

from collections.abc import Sequence

import numpy as np
import pytest

from pipelines.evaluation.arrays import Floats
from pipelines.evaluation.claims import claims, compared, expected_spread, holm, sign_flip, smallest_difference
from pipelines.evaluation.intervals import each_subset
from pipelines.evaluation.resampling import Clusters


def test_p_is_the_share_of_signs_that_reach_as_far() -> None:
    p = sign_flip(np.array([[1.0, 1.0], [1.0, -1.0], [1.0, 0.0]]))
    assert p == pytest.approx([0.25, 1.0], abs=0.02)


def test_p_is_never_zero() -> None:
    assert sign_flip(np.ones((60, 1)), flips=1_000)[0] == 1 / 1_001


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.9, 0.6]) == [1, 1]
    assert holm([]) == []


def test_differences_are_summed_over_a_query() -> None:
    gains = np.array([1.0, 1.0, 1.0, -1.0])[:, None, None]
    apart = compared(["a"], each_subset, "all", Clusters(list("1234"), ["all"] * 4), gains)
    together = compared(["a"], each_subset, "all", Clusters(list("1112"), ["all"] * 4), gains)
    assert apart and together
    assert apart.difference[0] == together.difference[0] == 0.5
    assert apart.p[0] == pytest.approx(10 / 16, abs=0.02)
    assert together.p[0] == 1  # two queries: any signs give 2 or 4 of 4


def test_a_composite_is_tested_by_its_weights() -> None:
    def total(subsets: Sequence[str], means: Floats) -> dict[str, Floats]:
        return {"total": 0.9 * means[..., 0, 0] + 0.1 * means[..., 1, 0]}

    clusters = Clusters([str(n) for n in range(80)], ["heavy"] * 40 + ["light"] * 40)
    gain_in_light = np.array([0.0] * 20 + [1.0, -1.0] * 10 + [1.0] * 40)[:, None, None]
    one = compared(["x"], total, "total", clusters, gain_in_light)
    assert one
    assert one.difference[0] == pytest.approx(0.1)
    # The heavy subset's noise is sqrt(20) x .9 / 40 = .1, about as large as the difference.
    assert 0.2 < one.p[0] < 0.5


def test_the_correction_covers_all_of_the_family() -> None:
    drawn = np.random.default_rng(0)
    clusters = Clusters([str(n) for n in range(100)], ["all"] * 100)
    differences = np.stack([drawn.random(100) < 0.12, drawn.random(100) - 0.5], axis=1).astype(float)[..., None]
    one = compared(["better", "noise"], each_subset, "all", clusters, differences)
    other = compared(["more noise"], each_subset, "all", clusters, drawn.random((100, 1, 1)) - 0.5)
    assert one and other
    made = {claim.name: claim for claim in claims([one, other])}
    assert list(made) == ["better", "noise", "more noise"]
    assert made["better"].corrected == pytest.approx(3 * made["better"].p)
    assert made["better"].corrected < 0.05 < made["noise"].corrected
    assert 0 < made["better"].low < made["better"].difference < made["better"].high
    assert made["better"].smallest == pytest.approx((2.394 + 0.842) * float(one.standard_error[0]), rel=0.001)


def test_no_claim_without_the_total() -> None:
    clusters = Clusters(list("123"), ["all"] * 3)
    assert compared(["a"], each_subset, "total", clusters, np.zeros((3, 1, 1))) is None


@pytest.mark.parametrize(("clusters", "smallest"), [(400, 2.802 * 0.15 / 20), (29, 0.3804), (6, 1.0), (5, 1.0)])
def test_where_nothing_differs_the_smallest_difference_is_the_expected_one(clusters: int, smallest: float) -> None:
    """Nor is it within the interval, which is wide under 30 clusters. Five signs all agree by chance in 2 of 32 cases:
    no difference of five questions is ever below .05.
    """
    of_all = Clusters([str(n) for n in range(clusters)], ["all"] * clusters)
    one = compared(["a"], each_subset, "all", of_all, np.zeros((clusters, 1, 1)))
    assert one
    (claim,) = claims([one])
    assert claim.smallest == pytest.approx(smallest, rel=0.001)
    assert sign_flip(np.ones((clusters, 1)))[0] <= 0.05 or claim.smallest == 1


def test_equal_selectors_differ_by_nothing() -> None:
    one = compared(["a"], each_subset, "all", Clusters([str(n) for n in range(50)], ["all"] * 50), np.zeros((50, 1, 1)))
    assert one
    assert (one.difference[0], one.p[0]) == (0, 1)
    assert one.low[0] < 0 < one.high[0]


def test_the_smallest_difference_is_found_in_four_of_five() -> None:
    smallest = smallest_difference(400)
    assert smallest == pytest.approx((1.96 + 0.8416) * 0.15 / 20, abs=1e-4)
    assert smallest_difference(400, comparisons=10) > smallest
    drawn = np.random.default_rng(1)
    simulated = drawn.normal(smallest, 0.15, (400, 400))
    assert (sign_flip(simulated, flips=1_000) <= 0.05).mean() == pytest.approx(0.8, abs=0.06)


def test_fewer_samples_that_vote_differ_more() -> None:
    assert expected_spread(16, 8) == pytest.approx(0.15)
    assert expected_spread(16, 1) == pytest.approx(0.25, abs=0.01)
