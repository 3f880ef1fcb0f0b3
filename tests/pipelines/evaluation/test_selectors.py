"""Selectors choose anew in every subset, from readable samples alone."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given

from pipelines.evaluation.nulls import first_shown, longest
from pipelines.evaluation.selectors import Keep, permuted, selected, selected_draws, selector_sizes
from pipelines.evaluation.signals import own_margin
from pipelines.evaluation.voting import best_of, cells_of, voting_curve
from schemas.evaluation import Protocol
from tests.pipelines.evaluation.pools import NAN, credit_of, first_is_right, pool, pools_of_three, rows

RIGHT, WRONG, NOTHING = (8, 5), (5, 8), (NAN, NAN)


@given(pools_of_three())
def test_the_chosen_samples_vote(samples: np.ndarray) -> None:
    signal = np.random.default_rng(len(samples)).random(samples.shape[:3])
    found = selected(first_is_right, rows(len(samples)), samples, signal, [1, 2, 3], [Keep.ONE, Keep.HALF, Keep.ALL])
    for row, own in enumerate(samples[:, 0]):
        for place, size in enumerate((1, 2, 3)):
            for kept, keep in enumerate((Keep.ONE, Keep.HALF, Keep.ALL)):
                credits = []
                for subset in combinations(range(3), size):
                    readable = [sample for sample in subset if not np.isnan(own[sample, 0])]
                    best_first = sorted(readable, key=lambda sample: -signal[row, 0, sample])
                    credits.append(credit_of(own[best_first[: keep.of(size)]]))
                assert found[row, place, kept, 0] == pytest.approx(np.mean(credits))


def test_all_samples_are_plain_voting() -> None:
    samples = pool(RIGHT, WRONG, NOTHING)
    chosen = selected(first_is_right, rows(1), samples, None, [1, 2, 3], [Keep.ALL])[0, :, 0, 0]
    assert chosen == pytest.approx(voting_curve(first_is_right, rows(1), samples).cells[0, :, 0])


def test_a_signal_is_never_a_reason_to_choose_an_unreadable_sample() -> None:
    samples = pool(RIGHT, WRONG, NOTHING)
    found = selected(first_is_right, rows(1), samples, np.array([[[2.0, 1.0, 9.0]]]), [3], [Keep.ONE])
    assert found[0, 0, 0, 0] == 1
    missing = selected(first_is_right, rows(1), samples, np.array([[[np.nan, 1.0, 9.0]]]), [3], [Keep.ONE])
    assert missing[0, 0, 0, 0] == 0  # the right sample has no signal, so it comes last of the readable ones


def test_chance_decides_among_equal_signals() -> None:
    samples = np.repeat(pool(*[RIGHT] * 4, *[WRONG] * 4), 2_000, axis=0)
    found = selected(first_is_right, rows(2_000), samples, np.zeros(samples.shape[:3]), [4], [Keep.ONE])
    assert found.mean() == pytest.approx(0.5, abs=0.02)


def test_agreement_is_with_the_vote_of_the_subset_itself() -> None:
    samples = pool((9, 1), (5, 6), (5, 6))  # the vote is for the first, most samples are for the second
    found = selected(first_is_right, rows(1), samples, None, [3], [Keep.ONE, Keep.ALL])
    assert found[0, 0, :, 0].tolist() == [1, 1]


def test_each_prompt_of_a_row_is_selected_by_itself() -> None:
    both = np.array([[RIGHT, WRONG], [WRONG, RIGHT]], np.float32)[None]
    signal = np.array([[[1.0, 0.0], [0.0, 1.0]]])

    def both_right(_rows: object, votes: np.ndarray) -> np.ndarray:
        return (votes[..., 0] > votes[..., 1]).all(axis=-1)[..., None].astype(float)

    assert selected(both_right, rows(1), both, signal, [2], [Keep.ONE])[0, 0, 0, 0] == 1


def test_one_sample_never_beats_pass_at_k() -> None:
    drawn = np.random.default_rng(1)
    samples = drawn.integers(1, 10, (50, 1, 8, 3)).astype(np.float32)
    right = first_is_right(rows(50), samples.swapaxes(1, 2).astype(float))[..., 0][:, None]
    found = selected(first_is_right, rows(50), samples, right, [1, 2, 4, 8], [Keep.ONE])[:, :, 0, 0].mean(axis=0)
    bound = best_of(first_is_right, rows(50), samples, [1, 2, 4, 8])[..., 0].mean(axis=0)
    assert found[[0, 3]] == pytest.approx(bound[[0, 3]])  # exact where windows are all subsets
    assert found == pytest.approx(bound, abs=0.03)


def test_permuted_scores_stay_in_their_prompt_and_off_unreadable_samples() -> None:
    signal = np.array([[[1.0, 2.0, np.nan, 3.0]], [[4.0, np.nan, 5.0, 6.0]]])
    dealt = permuted(signal, 0)
    assert np.isnan(dealt).tolist() == np.isnan(signal).tolist()
    assert np.sort(dealt).tolist()[0][0][:3] == [1, 2, 3]
    assert np.sort(dealt).tolist()[1][0][:3] == [4, 5, 6]
    assert len({permuted(signal, seed).tobytes() for seed in range(20)}) > 5


def test_sizes_and_numbers_of_chosen_samples() -> None:
    assert selector_sizes(32) == (1, 2, 4, 8, 16, 32)
    assert selector_sizes(10) == (1, 2, 4, 5, 8, 10)
    assert [keep.of(1) for keep in Keep] == [1, 1, 1, 1]
    assert [keep.of(16) for keep in Keep] == [1, 4, 8, 16]


def test_judges_that_do_not_read() -> None:
    three = rows(40, 3)
    assert cells_of(first_is_right, three, first_shown(three, Protocol.JOINT)).tolist() == [[1 / 3]] * 40
    pair = rows(1)
    assert first_shown(pair, Protocol.BOTH_ORDERS).tolist() == [[[[1, 0], [0, 1]]]]
    lengths = np.array([[30, 40]])
    assert longest(pair, Protocol.JOINT, lengths).tolist() == [[[[30, 40]]]]
    assert longest(pair, Protocol.BOTH_ORDERS, lengths).tolist() == [[[[30, 40], [30, 40]]]]
    assert longest(three[:1], Protocol.PAIRS, np.array([[3, 1, 2]])).tolist() == [[[[3, 1], [3, 2]]]]


def test_the_mean_over_draws_is_what_is_selected() -> None:
    samples = np.random.default_rng(3).integers(1, 9, (6, 2, 8, 3)).astype(np.float32)
    signal = own_margin(samples)
    draws = selected_draws(first_is_right, rows(6, 3), samples, signal, [2, 4], [Keep.ONE, Keep.ALL])
    means = selected(first_is_right, rows(6, 3), samples, signal, [2, 4], [Keep.ONE, Keep.ALL])
    assert draws.mean(axis=2) == pytest.approx(means.reshape(6, 4, 1))
