"""The signals of trajectories that need no label, by hand and against those of an evaluation."""

import numpy as np
import pyarrow as pa
import pytest

from pipelines.evaluation import signals as of_evaluation
from pipelines.training_sets.signals import NAMES, signals_of
from schemas.trajectory import JUDGED

COLUMNS = ["set_id", "mode", "order", "scores"]


def rows(*samples: tuple[str, str, list[int], list[float] | None]) -> pa.Table:
    schema = pa.schema([JUDGED.field(name) for name in COLUMNS])
    return pa.Table.from_pylist([dict(zip(COLUMNS, sample, strict=True)) for sample in samples], schema)


def signals(*samples: tuple[str, str, list[int], list[float] | None]) -> dict[str, list[float | None]]:
    return {name: values.to_pylist() for name, values in signals_of(rows(*samples)).items()}


def test_samples_of_a_set_vote_by_response_and_not_by_position() -> None:
    found = signals(
        ("a", "non_hinted", [0, 1], [8, 4]),
        ("a", "non_hinted", [1, 0], [2, 6]),
        ("a", "non_hinted", [0, 1], [3, 5]),
        ("a", "non_hinted", [0, 1], None),
    )
    assert found["agreement"] == pytest.approx([2 / 3, 2 / 3, 1 / 3, None])
    assert found["vote_margin"] == pytest.approx([2.0, 2.0, 2.0, None])  # 17 / 3 against 11 / 3
    assert found["score_spread"] == [2, 2, 1, None]


def test_each_mode_votes_alone_and_a_tie_is_shared() -> None:
    found = signals(
        ("a", "hinted", [0, 1, 2], [9, 1, 1]),
        ("a", "non_hinted", [0, 1, 2], [5, 5, 2]),
        ("a", "non_hinted", [0, 1, 2], [4, 7, 1]),
        ("b", "non_hinted", [1, 0], [1, 10]),
    )
    assert found["agreement"] == pytest.approx([1, 0.5 * 0.25 + 0.5 * 0.75, 0.75, 1])
    assert found["vote_margin"] == [8, 1.5, 1.5, 9]


def test_nothing_is_said_of_one_response_and_of_answers_that_cannot_be_read() -> None:
    nothing = {name: [None, None] for name in NAMES}
    assert signals(("a", "non_hinted", [0], [1]), ("b", "hinted", [0, 1], None)) == nothing
    assert signals() == {name: [] for name in NAMES}


def test_they_are_those_of_an_evaluation() -> None:
    random = np.random.default_rng(5)
    pool = random.integers(1, 11, (40, 6, 4)).astype(np.float32)
    pool[random.random((40, 6)) < 0.2] = np.nan
    samples = []
    for row, of_row in enumerate(pool):
        for scores in of_row:
            order = random.permutation(4)
            shown = None if np.isnan(scores).any() else [float(scores[index]) for index in order]
            samples.append((f"set {row}", "non_hinted", order.tolist(), shown))
    found = {name: np.array(values, float).reshape(40, 6) for name, values in signals(*samples).items()}
    readable = ~np.isnan(pool[:, :, 0])
    np.testing.assert_allclose(found["agreement"], of_evaluation.agreement(pool))
    np.testing.assert_allclose(found["score_spread"], of_evaluation.own_spread(pool))
    margins = np.broadcast_to(of_evaluation.vote_margin(pool)[:, None], (40, 6))
    np.testing.assert_allclose(found["vote_margin"], np.where(readable, margins, np.nan))
