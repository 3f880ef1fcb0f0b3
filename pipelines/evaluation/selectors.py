"""Voting by a part of the samples: of every subset of k, the k_meta with the highest signal vote.

The choice is made anew in every subset. Only readable samples are chosen. Among equal signals chance decides, and a
sample without a signal comes after all that have one. `Keep.ALL` is plain voting on the very same subsets, so that
differences from it hold no noise of other subsets.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from pipelines.evaluation.arrays import (
    Flags,
    Floats,
    Integers,
    Pool,
    Score,
    chunks,
    empty_votes,
    readable_samples,
    scored,
    top_shares,
)
from pipelines.evaluation.subsets import sample_orders
from schemas.evaluation import Row

SHUFFLES = 1


class Keep(StrEnum):
    """How many of a subset's samples vote."""

    ONE = "one"
    QUARTER = "quarter"
    HALF = "half"
    ALL = "all"

    def of(self, size: int) -> int:
        """Return the number of a subset's samples that vote, at least one."""
        return max(1, {"one": 1, "quarter": size // 4, "half": size // 2, "all": size}[self])


EVERY_KEEP = tuple(Keep)


def selector_sizes(samples: int) -> tuple[int, ...]:
    """Return the powers of two up to the number of samples, that number, and its half, where claims are made."""
    powers = {2**power for power in range(samples.bit_length())}
    return tuple(sorted(powers | {samples, max(1, samples // 2)}))


def selected(
    score: Score,
    rows: Sequence[Row],
    pool: Pool,
    signal: npt.NDArray[np.floating] | None,
    sizes: Sequence[int],
    keeps: Sequence[Keep] = EVERY_KEEP,
    *,
    shuffles: int = SHUFFLES,
    seed: int = 0,
) -> Floats:
    """Return the expected cells of the votes of the chosen samples, [rows, sizes, keeps, cells].

    Without a signal a sample is chosen for its agreement with the vote of the subset itself: whether it puts the same
    response on top.
    """
    n_rows, prompts, samples, _ = pool.shape
    orders = sample_orders(n_rows, prompts, samples, shuffles, seed)
    breaks = sample_orders(n_rows, prompts, samples, 1, seed + 1)[:, :, 0]
    parts = []
    for part in chunks(n_rows, prompts * shuffles * samples * samples):
        own = None if signal is None else signal[part]
        votes = _votes(pool[part], own, orders[part], breaks[part], sizes, keeps)
        parts.append(scored(score, rows[part], votes).mean(axis=2))
    means: Floats = np.concatenate(parts).reshape(n_rows, len(sizes), len(keeps), -1)
    return means


def selected_draws(
    score: Score,
    rows: Sequence[Row],
    pool: Pool,
    signal: npt.NDArray[np.floating] | None,
    sizes: Sequence[int],
    keeps: Sequence[Keep] = EVERY_KEEP,
    *,
    shuffles: int = SHUFFLES,
    seed: int = 0,
) -> Floats:
    """Return what `selected` averages, [rows, sizes x keeps, draws, cells], for rules that take two rows together."""
    n_rows, prompts, samples, _ = pool.shape
    orders = sample_orders(n_rows, prompts, samples, shuffles, seed)
    breaks = sample_orders(n_rows, prompts, samples, 1, seed + 1)[:, :, 0]
    return scored(score, rows, _votes(pool, signal, orders, breaks, sizes, keeps))


def permuted(signal: npt.NDArray[np.floating], seed: int) -> Floats:
    """Return the signal dealt anew among the samples of each prompt that have one: a selector that knows nothing."""
    values = np.asarray(signal, np.float64)
    missing = np.isnan(values)
    drawn = np.random.default_rng(seed).random(values.shape)
    taken = np.argsort(np.where(missing, 2.0, drawn), axis=-1)
    places = np.argsort(missing, axis=-1, kind="stable")
    dealt = np.empty_like(values)
    np.put_along_axis(dealt, places, np.take_along_axis(values, taken, axis=-1), axis=-1)
    return dealt


def _votes(
    pool: Pool,
    signal: npt.NDArray[np.floating] | None,
    orders: Integers,
    breaks: Integers,
    sizes: Sequence[int],
    keeps: Sequence[Keep],
) -> Floats:
    """Return the votes of the chosen samples, [rows, sizes x keeps, draws, prompts, shown]."""
    rows, prompts, samples, shown = pool.shape
    shuffles = orders.shape[2]
    by_prompt = pool.reshape(rows * prompts, samples, shown)
    places = np.argsort(orders.reshape(rows * prompts, shuffles, samples), axis=-1).astype(np.int16)
    ties = breaks.reshape(rows * prompts, samples)
    if signal is None:
        sums = _sums_by_agreement(by_prompt, places, ties, sizes, keeps)
    else:
        own = np.asarray(signal, np.float64).reshape(rows * prompts, samples)
        sums = _sums_by_signal(by_prompt, own, places, ties, sizes, keeps)
    draws = shuffles * samples
    votes = empty_votes(rows, len(sizes) * len(keeps), draws, prompts, shown)
    for place, summed in enumerate(sums):
        with np.errstate(invalid="ignore"):
            means = summed[:, :-1] / summed[:, -1:]
        votes[:, place] = means.reshape(rows, prompts, shown, draws).transpose(0, 3, 1, 2)
    return votes


def _sums_by_signal(
    pool: Pool, signal: Floats, places: Integers, ties: Integers, sizes: Sequence[int], keeps: Sequence[Keep]
) -> Iterator[Floats]:
    """Yield the summed scores and the number of the chosen samples, [prompts, shown + 1, draws], by size and keep."""
    readable = readable_samples(pool)
    wanted = np.where(readable, np.where(np.isnan(signal), -np.finfo(np.float64).max, signal), -np.inf)
    ranked = np.argsort(-np.take_along_axis(wanted, ties, axis=-1), axis=-1, kind="stable")
    ranked = np.take_along_axis(ties, ranked, axis=-1)
    scores = _with_count(np.take_along_axis(pool, ranked[..., None], axis=1))
    readable = np.take_along_axis(readable, ranked, axis=-1)
    offsets = _offsets(np.take_along_axis(places, ranked[:, None], axis=-1))
    for size in sizes:
        members = (offsets < size) & readable[..., None]
        rank = np.cumsum(members, axis=1, dtype=np.int16)
        for count in (keep.of(size) for keep in keeps):
            yield np.matmul(scores, members & (rank <= count))


def _sums_by_agreement(
    pool: Pool, places: Integers, ties: Integers, sizes: Sequence[int], keeps: Sequence[Keep]
) -> Iterator[Floats]:
    readable = readable_samples(pool)
    scores = _with_count(pool)
    tops = top_shares(pool).astype(np.float32)
    offsets = _offsets(places)
    # Far below the least difference of two agreements, far above the rounding of float32.
    chance = np.linspace(0, 1e-4, pool.shape[1], dtype=np.float32)[ties]
    for size in sizes:
        members: Flags = (offsets < size) & readable[..., None]
        voted = np.matmul(scores, members)[:, :-1]
        winners = top_shares(voted.swapaxes(1, 2)).astype(np.float32)
        agreed = np.where(members.swapaxes(1, 2), np.matmul(winners, tops.swapaxes(1, 2)) + chance[:, None], -1.0)
        ascending = np.sort(agreed, axis=-1)
        for count in (keep.of(size) for keep in keeps):
            chosen = members & (agreed >= ascending[..., -count, None]).swapaxes(1, 2)
            yield np.matmul(scores, chosen)


def _offsets(places: Integers) -> Integers:
    """Return how far after each window's start each sample stands in its shuffled circle, [prompts, samples, draws]."""
    prompts, _, samples = places.shape
    starts = np.arange(samples, dtype=np.int16)
    offsets: Integers = (places.transpose(0, 2, 1)[..., None] - starts) % np.int16(samples)
    return offsets.reshape(prompts, samples, -1)


def _with_count(pool: Pool) -> Floats:
    """Return the scores with 0 for unreadable ones, [prompts, shown + 1, samples]; the last row counts the readable."""
    ones = readable_samples(pool)[..., None].astype(np.float64)
    with_count: Floats = np.concatenate([np.nan_to_num(pool).astype(np.float64), ones], axis=-1).swapaxes(1, 2)
    return with_count
