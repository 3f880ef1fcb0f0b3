"""Intervals rest on clusters, whatever figure is made of the rows."""

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.evaluation import coverage, furthest_of_pairs, rejected
from pipelines.evaluation.arrays import Floats
from pipelines.evaluation.gains import gain_figures, gain_values
from pipelines.evaluation.intervals import (
    Scale,
    each_subset,
    estimates,
    interval,
    student_quantile,
    subset_estimates,
)
from pipelines.evaluation.resampling import Clusters
from pipelines.evaluation.voting import voting_curve
from pipelines.training_sets.proportions import wilson
from tests.pipelines.evaluation.pools import first_is_right, rows


def column(*values: float) -> Floats:
    return np.array(values, np.float64)[:, None, None]


def of_one_subset(values: Floats, clusters: Sequence[object] | None = None) -> tuple[float, float, float]:
    names = [str(name) for name in (clusters if clusters is not None else range(len(values)))]
    found = subset_estimates(each_subset, Clusters(names, ["all"] * len(names)), values)["all"]
    return float(found.value[0]), float(found.low[0]), float(found.high[0])


def test_few_clusters_have_wilson_intervals() -> None:
    assert of_one_subset(column(*[1] * 8, *[0] * 2)) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)


@pytest.mark.parametrize("right", [0, 1])
def test_all_right_and_all_wrong_have_wilson_intervals(right: int) -> None:
    value, low, high = of_one_subset(column(*[right] * 40))
    bound = 40 / (40 + 1.95996**2)
    expected = (bound, 1) if right else (0, 1 - bound)
    assert value == right
    assert (low, high) == pytest.approx(expected, abs=1e-5)


def test_independent_answers_have_about_the_interval_of_wilson() -> None:
    share = np.array(0.75)
    low, high = wilson(share, np.array(99.0), np.array(student_quantile(0.975, 99)))
    found = of_one_subset(column(*[1] * 75, *[0] * 25))
    assert found == pytest.approx((0.75, float(low), float(high)), abs=0.005)


def test_rows_of_one_cluster_are_not_more_evidence() -> None:
    values = column(*[1] * 60, *[0] * 20)
    once = of_one_subset(values)
    thrice = of_one_subset(np.concatenate([values] * 3), [*range(80)] * 3)
    apart = of_one_subset(np.concatenate([values] * 3))
    assert thrice == pytest.approx(once)
    assert apart[2] - apart[1] < 0.7 * (once[2] - once[1])


def test_a_composite_is_made_anew_on_each_replicate() -> None:
    drawn = np.random.default_rng(0)
    large, small = drawn.random(900) < 0.9, drawn.random(60) < 0.5
    values = column(*large, *small)
    clusters = Clusters([str(n) for n in range(960)], ["large"] * 900 + ["small"] * 60)

    def totals(subsets: Sequence[str], means: Floats) -> dict[str, Floats]:
        by_name = each_subset(subsets, means)
        return by_name | {"total": (by_name["large"] + by_name["small"]) / 2}

    found = subset_estimates(totals, clusters, values)
    expected = np.sqrt(large.var(ddof=1) / 900 + small.var(ddof=1) / 60) / 2
    assert found["total"].value == pytest.approx([(large.mean() + small.mean()) / 2])
    assert found["total"].standard_error == pytest.approx([expected], rel=0.06)
    assert (found["total"].clusters, found["small"].clusters) == (960, 60)


def test_a_total_that_lacks_a_part_is_left_out() -> None:
    def totals(subsets: Sequence[str], means: Floats) -> dict[str, Floats]:
        by_name = each_subset(subsets, means)
        return by_name if "absent" not in subsets else by_name | {"total": means[..., 0].mean(axis=-1)}

    clusters = Clusters([str(n) for n in range(40)], ["there"] * 40)
    assert set(subset_estimates(totals, clusters, column(*[1, 0] * 20))) == {"there"}


def test_equal_seeds_give_equal_bounds() -> None:
    values = column(*np.random.default_rng(1).random(50))
    assert of_one_subset(values) == of_one_subset(values)


def test_values_that_are_missing_are_left_out() -> None:
    values = np.stack([column(*[1, 0] * 40), column(*[1, np.nan] * 40)], axis=1)[:, :, 0]
    clusters = Clusters([str(n) for n in range(80)], ["all"] * 80)
    assert subset_estimates(each_subset, clusters, values)["all"].value.tolist() == [0.5, 1]


def test_differences_reach_below_zero_and_have_room_without_variance() -> None:
    low, high = interval(np.array([0.01, 0.0]), np.array([0.0004, 0.0]), 100, Scale.DIFFERENCE)
    assert (low[0], high[0]) == pytest.approx((0.01 - 1.984 * 0.02, 0.01 + 1.984 * 0.02), abs=1e-4)
    assert (low[1], high[1]) == pytest.approx((-0.0379, 0.0379), abs=1e-3)
    assert interval(np.array(0.0), np.array(0.0001), 4, Scale.DIFFERENCE)[1] > 0.5
    # Of twenty the variance is trusted: what the sign-flip test finds beyond doubt is not said to be in doubt.
    low, high = interval(np.array(0.16), np.array(0.0016), 20, Scale.DIFFERENCE)
    assert 0.05 < low < 0.16 < high < 0.27


def test_the_split_of_the_gain_has_intervals() -> None:
    samples = np.random.default_rng(2).integers(1, 5, (60, 1, 4, 2)).astype(np.float32)
    samples[:20, 0, 0] = np.nan
    curve = voting_curve(first_is_right, rows(60), samples)
    clusters = Clusters([str(n) for n in range(60)], ["all"] * 60)
    found = estimates(
        lambda means: gain_figures(each_subset, clusters.subsets, means), clusters, gain_values(curve), Scale.DIFFERENCE
    )["all"]
    accuracy = curve.cells.mean(axis=0)[:, 0]
    assert found.value.shape == (4, 3)
    assert found.value.sum(axis=1) == pytest.approx(accuracy - accuracy[0])
    assert (found.low[1:] < found.value[1:]).all()


@pytest.mark.parametrize(("freedom", "quantile"), [(10, 2.2281), (29, 2.0452), (99, 1.9842)])
def test_quantiles_of_student(freedom: int, quantile: float) -> None:
    assert student_quantile(0.975, freedom) == pytest.approx(quantile, abs=0.001)


@pytest.mark.slow
@pytest.mark.parametrize(("clusters", "accuracy", "size"), [(100, 0.95, 8), (400, 0.8, 1)])
def test_intervals_cover_the_population(clusters: int, accuracy: float, size: int) -> None:
    assert 0.91 <= coverage(clusters, accuracy, size, 300) <= 0.985


@pytest.mark.slow
def test_votes_of_a_simulated_judge_are_those_of_its_closed_form() -> None:
    assert furthest_of_pairs() < 3.5


@pytest.mark.slow
def test_a_meta_rm_that_knows_nothing_is_not_found_and_one_that_knows_is() -> None:
    assert rejected(0.5, 200) <= 0.11
    assert rejected(0.7, 50) >= 0.9
