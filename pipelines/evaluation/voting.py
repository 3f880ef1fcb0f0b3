"""Voting@k for every k from one pool of samples, and the bound on what choosing one sample can reach.

Voting@k is what a benchmark's rule gives a vote of k samples, on average over random subsets of all paid samples,
unreadable ones included. A second curve draws from the readable samples alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
import numpy.typing as npt

from pipelines.evaluation.arrays import Flags, Floats, Integers, Pool, Score, chunks, readable_samples, scored
from pipelines.evaluation.subsets import sample_orders, window_votes
from schemas.evaluation import Row

UNREADABLE, TIED, DECIDED = range(3)
"""What a vote is: without a readable sample, with several responses on top, or with one."""
N_STATES = 3
SHUFFLES = 4


@dataclass(frozen=True, slots=True)
class Draws:
    """What every single subset gives. A rule that takes two rows together does it here, draw by draw."""

    sizes: tuple[int, ...]
    cells: Floats
    """[rows, sizes, draws, cells]"""
    states: Integers
    """[rows, sizes, draws]"""
    weights: Floats
    """[rows, draws], which sum to 1; NaN for a row that has no subset."""


@dataclass(frozen=True, slots=True)
class Curve:
    """What votes of each size give, a row at a time, so that any weighting of the rows can be taken."""

    sizes: tuple[int, ...]
    shares: Floats
    """[rows, sizes, states]: the share of subsets in each state. NaN for a row that has no subset."""
    credits: Floats
    """[rows, sizes, states, cells]: what the subsets in each state add to each cell."""

    @property
    def cells(self) -> Floats:
        """The expected cells of a vote, [rows, sizes, cells]."""
        cells: Floats = self.credits.sum(axis=2)
        return cells


def voting_curve(
    score: Score,
    rows: Sequence[Row],
    pool: Pool,
    sizes: Sequence[int] | None = None,
    *,
    readable_only: bool = False,
    shuffles: int = SHUFFLES,
    seed: int = 0,
) -> Curve:
    """Return the curve for the given sizes, all by default. The rule sees each row once.

    With `readable_only` a size above a row's number of readable samples means all of them, and a row without a readable
    sample is NaN.
    """
    n_rows, prompts, samples, shown = pool.shape
    sizes = _checked(sizes, samples)
    orders = sample_orders(n_rows, prompts, samples, shuffles, seed)
    parts = [
        curve_of(_draws(score, rows[part], pool[part], orders[part], sizes, readable_only))
        for part in chunks(n_rows, len(sizes) * shuffles * samples * prompts * shown)
    ]
    return Curve(
        sizes, np.concatenate([part.shares for part in parts]), np.concatenate([part.credits for part in parts])
    )


def voting_draws(
    score: Score,
    rows: Sequence[Row],
    pool: Pool,
    sizes: Sequence[int] | None = None,
    *,
    readable_only: bool = False,
    shuffles: int = SHUFFLES,
    seed: int = 0,
) -> Draws:
    """Return what `voting_curve` averages: `curve_of` makes the curve of it. It needs memory for every subset."""
    n_rows, prompts, samples, _ = pool.shape
    orders = sample_orders(n_rows, prompts, samples, shuffles, seed)
    return _draws(score, rows, pool, orders, _checked(sizes, samples), readable_only)


def curve_of(draws: Draws) -> Curve:
    """Return the mean over the subsets of each size."""
    shape = draws.cells.shape
    shares = np.empty((*shape[:2], N_STATES))
    credits = np.empty((*shape[:2], N_STATES, shape[-1]))
    for state in range(N_STATES):
        weights = np.where(draws.states == state, draws.weights[:, None], 0.0)
        shares[:, :, state] = weights.sum(axis=2)
        credits[:, :, state] = np.matmul(weights[:, :, None], draws.cells)[:, :, 0]
    without = np.isnan(draws.weights[:, 0])
    shares[without], credits[without] = np.nan, np.nan
    return Curve(draws.sizes, shares, credits)


def _checked(sizes: Sequence[int] | None, samples: int) -> tuple[int, ...]:
    checked = tuple(range(1, samples + 1) if sizes is None else sizes)
    if not 1 <= min(checked) <= max(checked) <= samples:
        raise ValueError(f"a prompt has {samples} samples, so a vote takes 1 to {samples} of them, not {max(checked)}")
    return checked


def _draws(
    score: Score, rows: Sequence[Row], pool: Pool, orders: Integers, sizes: tuple[int, ...], readable_only: bool
) -> Draws:
    votes, weights = window_votes(pool, orders, sizes, readable_only=readable_only)
    weights = weights / weights.sum(axis=1, keepdims=True)
    if readable_only:
        weights[~readable_samples(pool).any(axis=(1, 2))] = np.nan
    return Draws(sizes, scored(score, rows, votes), vote_states(votes), weights)


def vote_states(votes: Floats) -> Integers:
    """Return the state of each vote, without the last two axes (prompts, shown).

    A vote is unreadable if no prompt of the row has a readable sample, and tied if a prompt has several responses on
    top. Where each prompt shows one response, the responses of the prompts are compared.
    """
    if votes.shape[-1] == 1:
        votes = votes.swapaxes(-1, -2)
    values = np.where(np.isnan(votes), -np.inf, votes)
    top = values.max(axis=-1)
    readable = np.isfinite(top)
    tied: Flags = (((values == top[..., None]).sum(axis=-1) > 1) & readable).any(axis=-1)
    states: Integers = np.where(readable.any(axis=-1), np.where(tied, TIED, DECIDED), UNREADABLE).astype(np.int8)
    return states


def best_of(score: Score, rows: Sequence[Row], pool: Pool, sizes: Sequence[int]) -> Floats:
    """Return pass@k, the expected best cell among k samples, [rows, sizes, cells], without bias from the whole pool.

    Where samples are right or wrong it is the share of subsets with a right one. A tie counts what it is credited with,
    so no selector of one sample gets above the curve. The answers to a row's several prompts with the same sample index
    count as one sample.
    """
    parts = [
        best_of_samples(sample_cells(score, rows[part], pool[part]), sizes)
        for part in chunks(len(pool), pool[0].size if len(pool) else 1)
    ]
    return np.concatenate(parts)


def sample_cells(score: Score, rows: Sequence[Row], pool: Pool) -> Floats:
    """Return what the rule gives each sample alone, [rows, samples, cells]."""
    return score(rows, pool.swapaxes(1, 2).astype(np.float64))


def best_of_samples(cells: Floats, sizes: Sequence[int]) -> Floats:
    """Return the expected best cell among k samples, [rows, sizes, cells], of [rows, samples, cells]."""
    samples = cells.shape[1]
    # The best of k is the i-th lowest of all where the other k - 1 are among the i - 1 below it.
    weights = np.array([[comb(below, size - 1) / comb(samples, size) for below in range(samples)] for size in sizes])
    best: Floats = np.einsum("ks,rsc->rkc", weights, np.sort(cells, axis=1))
    return best


def cells_of(score: Score, rows: Sequence[Row], votes: npt.NDArray[np.floating]) -> Floats:
    """Return the mean cells of given votes, [rows, cells]: those of a judge that answers without a pool."""
    mean: Floats = score(rows, votes.astype(np.float64)).mean(axis=1)
    return mean
