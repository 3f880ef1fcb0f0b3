"""Voting@k is the mean over all subsets of the paid samples, and an unreadable sample never becomes a number."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from pipelines.evaluation.gains import JUDGEMENT, READABILITY, TIES, gain_parts, gain_values
from pipelines.evaluation.signals import agreement, own_margin, own_spread, vote_margin
from pipelines.evaluation.subsets import subset_votes
from pipelines.evaluation.voting import (
    DECIDED,
    TIED,
    UNREADABLE,
    best_of,
    curve_of,
    vote_states,
    voting_curve,
    voting_draws,
)
from tests.pipelines.evaluation.pools import (
    NAN,
    credit_of,
    first_is_right,
    over_all_subsets,
    pool,
    pools_of_three,
    rows,
)

RIGHT, WRONG, TIE, NOTHING = (8, 5), (5, 8), (6, 6), (NAN, NAN)


def test_voting_counts_unreadable_samples_as_paid() -> None:
    curve = voting_curve(first_is_right, rows(1), pool(RIGHT, WRONG, NOTHING))
    assert curve.cells[0, :, 0] == pytest.approx([1 / 3, (0.5 + 1 + 0) / 3, 0.5])
    assert curve.shares[0, :, UNREADABLE] == pytest.approx([1 / 3, 0, 0])
    assert curve.shares[0, :, TIED] == pytest.approx([0, 1 / 3, 1])
    assert curve.shares[0, :, DECIDED] == pytest.approx([2 / 3, 2 / 3, 0])


def test_the_second_curve_draws_from_readable_samples_alone() -> None:
    samples = pool(RIGHT, RIGHT, WRONG, NOTHING, NOTHING)
    curve = voting_curve(first_is_right, rows(1), samples, readable_only=True)
    assert curve.cells[0, :, 0] == pytest.approx([2 / 3, (1 + 0.5 + 0.5) / 3, 1, 1, 1])
    assert curve.shares[0, :, UNREADABLE] == pytest.approx(0)


def test_a_row_without_a_readable_sample_is_wrong_and_leaves_the_second_curve() -> None:
    samples = pool(NOTHING, NOTHING)
    curve = voting_curve(first_is_right, rows(1), samples)
    assert curve.cells[0, :, 0].tolist() == [0, 0]
    assert curve.shares[0, :, UNREADABLE].tolist() == [1, 1]
    assert np.isnan(voting_curve(first_is_right, rows(1), samples, readable_only=True).cells).all()


@given(pools_of_three())
def test_voting_is_the_mean_over_all_subsets(samples: np.ndarray) -> None:
    curve = voting_curve(first_is_right, rows(len(samples)), samples, shuffles=1)
    for row, own in enumerate(samples[:, 0]):
        expected = [over_all_subsets(own, size, credit_of) for size in (1, 2, 3)]
        assert curve.cells[row, :, 0] == pytest.approx(expected)


@given(pools_of_three())
def test_the_gain_splits_without_a_rest(samples: np.ndarray) -> None:
    curve = voting_curve(first_is_right, rows(len(samples)), samples)
    parts = gain_parts(gain_values(curve).mean(axis=0)[:, None])
    accuracy = curve.cells.mean(axis=0)[:, 0]
    assert parts.sum(axis=1)[:, 0, 0] == pytest.approx(accuracy - accuracy[0], abs=1e-12)


def test_each_part_of_the_gain_is_what_it_says() -> None:
    def parts(*samples: tuple[float, ...]) -> list[float]:
        return gain_parts(gain_values(voting_curve(first_is_right, rows(1), pool(*samples)))[:, :, None][0])[
            -1, :, 0, 0
        ].tolist()

    assert (READABILITY, TIES, JUDGEMENT) == (0, 1, 2)
    assert parts(RIGHT, NOTHING) == pytest.approx([0.5, 0, 0])  # half becomes readable, at an accuracy of 1
    assert parts(RIGHT, TIE) == pytest.approx([0, 0.25, 0])  # half is tied at .5, and then none
    assert parts(RIGHT, RIGHT, WRONG) == pytest.approx([0, 0, 1 / 3])  # two of three become three of three


def test_many_shuffles_reach_the_mean_over_subsets_of_a_larger_pool() -> None:
    drawn = np.random.default_rng(0)
    samples = drawn.integers(1, 5, (1, 1, 7, 3)).astype(np.float32)
    samples[0, 0, 2] = np.nan
    curve = voting_curve(first_is_right, rows(1, 3), samples, [3, 4], shuffles=2_000)
    expected = [over_all_subsets(samples[0, 0], size, credit_of) for size in (3, 4)]
    assert curve.cells[0, :, 0] == pytest.approx(expected, abs=0.01)


def test_prompts_of_a_row_have_subsets_of_their_own() -> None:
    both = np.array([[RIGHT, WRONG], [RIGHT, WRONG]], np.float32)[None]  # [1, 2 prompts, 2 samples, 2]
    votes = subset_votes(both, 1, shuffles=200)
    picks = {(float(one[0, 0]), float(one[1, 0])) for one in votes[0]}
    assert picks == {(8, 8), (8, 5), (5, 8), (5, 5)}


def test_a_vote_is_a_mean_so_that_missing_samples_do_not_lower_it() -> None:
    alone = np.array([[[7], [NAN]], [[6], [6]]], np.float32)[None]  # two responses, each in a prompt of its own
    votes = subset_votes(alone, 2)
    assert votes[0, 0, :, 0].tolist() == [7, 6]


def test_states_compare_responses_that_stand_in_prompts_of_their_own() -> None:
    assert vote_states(np.array([[[6.0], [6.0]], [[7.0], [6.0]], [[NAN], [NAN]]])).tolist() == [
        TIED,
        DECIDED,
        UNREADABLE,
    ]
    assert vote_states(np.array([[[6.0]]])).tolist() == [DECIDED]  # a single response


def test_pass_at_k_counts_subsets_with_a_right_sample() -> None:
    reached = best_of(first_is_right, rows(1), pool(RIGHT, WRONG, NOTHING, WRONG), [1, 2, 4])
    assert reached[0, :, 0] == pytest.approx([1 / 4, 1 - 3 / 6, 1])
    assert best_of(first_is_right, rows(1), pool(TIE, WRONG), [2])[0, 0, 0] == 0.5  # no selector gets more


def test_sizes_beyond_the_pool_are_refused() -> None:
    with pytest.raises(ValueError, match="2 samples"):
        voting_curve(first_is_right, rows(1), pool(RIGHT, WRONG), [1, 3])


def test_signals_of_samples() -> None:
    samples = pool((8, 5, 2), (7, 7, 1), (NAN, NAN, NAN), (1, 9, 5))
    assert own_margin(samples)[0, 0, :2].tolist() == [3, 0]
    assert own_spread(samples)[0, 0, 0] == pytest.approx(6**0.5)
    assert agreement(samples)[0, 0, [0, 1, 3]] == pytest.approx([1.5 / 3, 0.5, 1.5 / 3])
    assert vote_margin(samples)[0, 0] == pytest.approx((21 - 16) / 3)
    for signal in (own_margin(samples), own_spread(samples), agreement(samples)):
        assert np.isnan(signal[0, 0, 2])
    assert np.isnan(vote_margin(pool(NOTHING)))


def test_a_rule_may_take_rows_together_draw_by_draw() -> None:
    samples = np.concatenate([pool(RIGHT, WRONG), pool(RIGHT, WRONG)])
    draws = voting_draws(first_is_right, rows(2), samples, [1], shuffles=500)
    both = draws.cells.prod(axis=0, keepdims=True).repeat(2, axis=0)
    assert curve_of(replace(draws, cells=both)).cells[:, 0, 0] == pytest.approx([0.25, 0.25], abs=0.03)
    assert curve_of(draws).cells == pytest.approx(voting_curve(first_is_right, rows(2), samples, [1]).cells)
