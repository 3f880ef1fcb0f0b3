"""The bound on label noise without reviews: never under the truth by more than chance, and none from bad judges."""

from collections.abc import Sequence

import polars as pl
import pytest

from benchmarks.label_suspicion import simulated, suspicion
from pipelines.training_sets.label_bound import noise_bound
from pipelines.training_sets.votes import TEACHER


def votes(*judges: tuple[str, Sequence[tuple[float, float]]]) -> pl.DataFrame:
    rows = [("own", judge, on_label, [others] if others else []) for judge, of in judges for on_label, others in of]
    schema = {"source": pl.String, "judge": pl.String, "on_label": pl.Float64, "others": pl.List(pl.Float64)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_no_more_labels_are_wrong_than_the_best_judge_disagrees_with() -> None:
    good = ("good", [(3, 0)] * 90 + [(0, 3)] * 10)
    weak = ("weak", [(2, 1)] * 100)
    [found] = noise_bound(votes(good, weak))["sources"]
    assert (found["judge"], found["sets"], found["disagrees"]) == ("good", 100, 0.1)
    assert 0.1 < found["at_most"] < 0.2


def test_a_judge_that_disagrees_with_half_bounds_nothing_and_neither_do_few_sets() -> None:
    assert noise_bound(votes(("coin", [(1, 1)] * 500)))["sources"][0]["at_most"] is None
    assert noise_bound(votes(("good", [(3, 0)] * 2)))["sources"][0]["at_most"] is None


def test_without_a_judge_there_is_no_bound() -> None:
    assert noise_bound(votes()) == {}
    assert noise_bound(votes((TEACHER, [(3, 0)] * 50))) == {}


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.3])
def test_it_holds_the_truth_where_its_assumptions_hold(noise: float) -> None:
    for seed in range(5):
        data = simulated((0.8, 0.9), 0.5, sets=2_000, seed=seed, noise=noise)
        [found] = noise_bound(suspicion(data).votes)["sources"]
        assert data.is_wrong.mean() <= found["at_most"]
