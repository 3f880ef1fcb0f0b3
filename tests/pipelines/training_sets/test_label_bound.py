"""The bound on label noise without reviews: never under the truth by more than chance, and none from bad judges."""

from collections.abc import Sequence

import polars as pl
import pytest

from benchmarks.label_suspicion import simulated, suspicion
from pipelines.training_sets.label_bound import noise_bound
from pipelines.training_sets.votes import PATTERN, TEACHER, patterns_of


def patterns(*judges: tuple[str, Sequence[tuple[float, float]]]) -> pl.DataFrame:
    rows = [("own", judge, 2, on_label, [others] if others else []) for judge, of in judges for on_label, others in of]
    kinds = (pl.String, pl.String, pl.Int32, pl.Float64, pl.List(pl.Float64))
    return patterns_of(pl.DataFrame(rows, schema=dict(zip(PATTERN, kinds, strict=True)), orient="row"))


def test_no_more_labels_are_wrong_than_the_best_judge_disagrees_with() -> None:
    good = ("good", [(3, 0)] * 90 + [(0, 3)] * 10)
    weak = ("weak", [(2, 1)] * 100)
    [found] = noise_bound(patterns(good, weak))["sources"]
    assert (found["judge"], found["sets"], found["disagrees"]) == ("good", 100, 0.1)
    assert 0.1 < found["at_most"] < 0.2


def test_a_judge_that_disagrees_with_half_bounds_nothing_and_neither_do_few_sets() -> None:
    assert noise_bound(patterns(("coin", [(1, 1)] * 500)))["sources"][0]["at_most"] is None
    assert noise_bound(patterns(("good", [(3, 0)] * 2)))["sources"][0]["at_most"] is None


def test_without_a_judge_there_is_no_bound() -> None:
    assert noise_bound(patterns()) == {}
    assert noise_bound(patterns((TEACHER, [(3, 0)] * 50))) == {}


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.3])
def test_it_holds_the_truth_where_its_assumptions_hold(noise: float) -> None:
    for seed in range(5):
        data = simulated((0.8, 0.9), 0.5, sets=2_000, seed=seed, noise=noise)
        [found] = noise_bound(suspicion(data).patterns)["sources"]
        assert data.is_wrong.mean() <= found["at_most"]
