"""Suspicion: a posterior by hand, every reason, and wrong labels found by judges whose samples err together."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

from benchmarks.label_suspicion import shares, simulated, suspicion
from pipelines.training_sets.suspicion import Suspicion, suspected, with_labels
from pipelines.training_sets.votes import TEACHER, VERIFIER
from schemas.suspicion import PRIOR_NOISE

Votes = Mapping[str, Mapping[int, float]]
"""Votes by judge and response."""
SETS = {
    "set_id": pl.String,
    "source": pl.String,
    "n_responses": pl.Int32,
    "best": pl.Int32,
    "label": pl.Int32,
    "retagged_best": pl.Int32,
    "drop_reason": pl.String,
}


def a_set(number: int, n: int = 2, **given: Any) -> dict[str, Any]:
    labels = {"best": 0, "label": None} if n > 1 else {"best": None, "label": 0}
    return {"set_id": f"set {number}", "source": "own", "n_responses": n, **labels} | given


def judged(sets: Sequence[dict[str, Any]], votes: Sequence[Votes], **known: float) -> Suspicion:
    """Return the suspicion of sets; `known` are accuracy and correlation of every judge, where they are not learnt."""
    frame = with_labels(pl.DataFrame(sets, schema=SETS))
    rows = [
        (row, judge, response, float(count))
        for row, of_set in enumerate(votes)
        for judge, counts in of_set.items()
        for response, count in counts.items()
    ]
    schema = {"row": pl.UInt32, "judge": pl.String, "response": pl.Int32, "votes": pl.Float64}
    cast = pl.DataFrame(rows, schema=schema, orient="row")
    names = sorted(set(cast["judge"]))
    judges = pl.DataFrame(
        [(name, "own", n, known["accuracy"], known["correlation"]) for name in names for n in range(1, 9)],
        schema={
            "judge": pl.String,
            "source": pl.String,
            "n_responses": pl.Int32,
            "accuracy": pl.Float64,
            "correlation": pl.Float64,
        },
        orient="row",
    ) if known else None  # fmt: skip
    return suspected(frame, cast, judges)


def probabilities(found: Suspicion) -> list[float | None]:
    return found.sets["label_suspicion"].to_list()


def reasons(found: Suspicion) -> list[list[str] | None]:
    return found.sets["suspicion_reasons"].to_list()


def by_odds(*factors: float) -> float:
    odds = PRIOR_NOISE / (1 - PRIOR_NOISE) * math.prod(factors)
    return odds / (1 + odds)


def test_the_posterior_of_three_misses_by_hand() -> None:
    # Accuracy .8 and correlation .5 make a beta distribution (.8, .2). Three misses of three are
    # (.8 * 1.8 * 2.8) / (.2 * 1.2 * 2.2) times as likely under a wrong label as under a right one.
    factor = (0.8 * 1.8 * 2.8) / (0.2 * 1.2 * 2.2)
    sets = [a_set(0), a_set(1), a_set(2), a_set(3)]
    votes: list[Votes] = [{"a": {1: 3}}, {"a": {0: 3}}, {"a": {1: 3}, "b": {1: 3}}, {"a": {1: 3}, "b": {0: 3}}]
    found = probabilities(judged(sets, votes, accuracy=0.8, correlation=0.5))
    expected = [by_odds(factor), by_odds(1 / factor), by_odds(factor, factor), by_odds(1.0)]
    assert found == pytest.approx(expected, abs=1e-4)


def test_samples_that_err_together_say_less() -> None:
    votes: list[Votes] = [{"a": {1: 3}}]
    loose, tight = (probabilities(judged([a_set(0)], votes, accuracy=0.8, correlation=icc))[0] for icc in (0.01, 0.9))
    assert loose and tight and loose > 0.5 > tight > PRIOR_NOISE


def test_misses_that_agree_on_one_response_say_more_than_scattered_ones() -> None:
    sets = [a_set(number, n=4) for number in range(3)]
    votes: list[Votes] = [{"a": {1: 3}}, {"a": {1: 2, 2: 1}}, {"a": {1: 1, 2: 1, 3: 1}}]
    agreed, mixed, scattered = probabilities(judged(sets, votes, accuracy=0.7, correlation=0.3))
    assert agreed and mixed and scattered and agreed > mixed > scattered


def test_a_single_response_is_as_two_labels() -> None:
    sets = [a_set(0, n=1), a_set(1, n=1, label=1), a_set(2, n=2)]
    votes: list[Votes] = [{"a": {1: 3}}, {"a": {1: 3}}, {"a": {1: 3}}]
    wrong, right, pair = probabilities(judged(sets, votes, accuracy=0.8, correlation=0.5))
    assert wrong == pair
    assert right and right < PRIOR_NOISE


def test_where_nothing_speaks_there_is_no_figure() -> None:
    found = judged([a_set(0), a_set(1)], [{}, {"a": {0: 1}}])
    assert probabilities(found)[0] is None
    assert reasons(found) == [None, []]
    assert found.columns().column("suspicion_reasons").to_pylist() == [None, []]


def test_a_judge_that_only_guesses_changes_nothing() -> None:
    [found] = probabilities(judged([a_set(0)], [{"a": {1: 3}}], accuracy=0.5, correlation=0.5))
    assert found == pytest.approx(PRIOR_NOISE)


def test_every_reason() -> None:
    cases: list[tuple[dict[str, Any], Votes, list[str]]] = [
        ({}, {"a": {0: 3}}, []),
        ({}, {"a": {1: 1}}, []),
        ({}, {"a": {1: 3}}, ["none_right"]),
        ({}, {"a": {1: 3}, "b": {1: 3}}, ["none_right", "judges_agree_on_other"]),
        ({}, {"a": {1: 2, 0: 1}, "b": {1: 3}}, ["judges_agree_on_other"]),
        ({}, {"a": {1: 3}, "b": {0: 3}}, []),
        ({}, {"a": {1: 3}, "b": {2: 3}}, ["none_right"]),
        ({"retagged_best": 2}, {TEACHER: {2: 3}}, ["teacher_disagrees"]),
        ({"retagged_best": 0}, {TEACHER: {0: 2, 1: 1}}, []),
        ({}, {VERIFIER: {1: 1}}, ["verifier_disagrees"]),
        ({}, {VERIFIER: {0: 1}}, []),
        ({"retagged_best": 1}, {"a": {1: 3}, "b": {1: 3}, TEACHER: {1: 3}, VERIFIER: {1: 1}},
         ["none_right", "judges_agree_on_other", "teacher_disagrees", "verifier_disagrees"]),
    ]  # fmt: skip
    sets = [a_set(number, n=3, **given) for number, (given, _, _) in enumerate(cases)]
    assert reasons(judged(sets, [votes for _, votes, _ in cases])) == [expected for *_, expected in cases]


def test_ten_sets_do_not_explode() -> None:
    sets = [a_set(number) for number in range(10)]
    all_right = judged(sets, [{"a": {0: 3}}] * 10)
    one_wrong = judged(sets, [{"a": {0: 3}}] * 9 + [{"a": {1: 3}}])
    all_wrong = judged(sets, [{"a": {1: 3}}] * 10)
    for found in (all_right, one_wrong, all_wrong):
        [judge] = found.judges.to_dicts()
        assert 0.5 < judge["accuracy"] < 0.95
        assert 0.05 < judge["correlation"] < 0.95
        assert all(0 <= (value or 0) < 0.5 for value in probabilities(found))
    assert max(filter(None, probabilities(one_wrong))) == probabilities(one_wrong)[-1]


def test_no_votes_at_all_are_no_error() -> None:
    assert probabilities(judged([a_set(0)], [{}])) == [None]
    assert probabilities(judged([], [])) == []


def test_equal_votes_have_equal_suspicion_in_any_order() -> None:
    data = simulated((0.8, 0.7), 0.5, sets=500, n=4)
    once = suspicion(data)
    shuffled = suspected(data.sets, data.votes.sample(fraction=1, shuffle=True, seed=3))
    assert shuffled.sets.equals(once.sets)


@pytest.mark.parametrize("icc", [0.0, 0.5, 0.7])
def test_accuracy_and_correlation_are_learnt_in_spite_of_wrong_labels(icc: float) -> None:
    found = suspicion(simulated((0.8, 0.7), icc, sets=20_000)).judges.sort("judge")
    assert found["accuracy"].to_numpy() == pytest.approx(np.array([0.8, 0.7]), abs=0.02)
    assert found["correlation"].to_numpy() == pytest.approx(np.full(2, icc), abs=0.03)


def test_the_probability_is_what_it_says() -> None:
    """Among sets at a suspicion about x, the share of wrong labels is about x."""
    data = simulated((0.8, 0.8), 0.5, sets=40_000)
    suspicions = suspicion(data).sets["label_suspicion"].to_numpy()
    for low, high in ((0.0, 0.02), (0.02, 0.2), (0.2, 0.6), (0.6, 1.0)):
        here = (suspicions >= low) & (suspicions < high)
        assert data.is_wrong[here].mean() == pytest.approx(suspicions[here].mean(), abs=0.06)


@pytest.mark.parametrize("icc", [0.0, 0.5, 0.7])
@pytest.mark.parametrize("accuracies", [(0.8, 0.8), (0.8, 0.7), (0.9, 0.9)])
def test_two_judges_hold_most_wrong_labels_in_the_top_decile(accuracies: tuple[float, float], icc: float) -> None:
    found = shares(simulated(accuracies, icc), accuracies, icc)
    assert found["suspicion"] > found["pass_count"]
    assert found["suspicion"] >= found["optimum"] - 0.02
    assert found["suspicion"] >= 0.6
