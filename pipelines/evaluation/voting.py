"""Voting@k for every k from one pool of samples, and the bound on what choosing one sample can reach.

Voting@k is what a benchmark's rule gives a vote of k samples, on average over random subsets of all paid samples,
unreadable ones included. A second curve draws from the readable samples alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
import numpy.typing as npt

from pipelines.evaluation.arrays import Flags, Floats, Integers, Pool, Score, chunks, scored
from pipelines.evaluation.subsets import sample_orders, window_votes
from schemas.evaluation import Row

UNREADABLE, TIED, DECIDED = range(3)
"""What a vote is: without a readable sample, with several responses on top, or with one."""
N_STATES = 3
SHUFFLES = 4


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
    sizes = tuple(range(1, samples + 1) if sizes is None else sizes)
    if not 1 <= min(sizes) <= max(sizes) <= samples:
        raise ValueError(f"the pool has {samples} samples a prompt, so a vote takes 1 to {samples}, not {list(sizes)}")
    orders = sample_orders(n_rows, prompts, samples, shuffles, seed)
    shares = np.empty((n_rows, len(sizes), N_STATES))
    by_chunk = []
    for part in chunks(n_rows, len(sizes) * shuffles * samples * prompts * shown):
        votes, weights = window_votes(pool[part], orders[part], sizes, readable_only=readable_only)
        cells = scored(score, rows[part], votes)
        weights = weights[:, None] / weights.sum(axis=1)[:, None, None]
        states = vote_states(votes)
        credits = np.empty((*cells.shape[:2], N_STATES, cells.shape[-1]))
        for state in range(N_STATES):
            weighted = np.where(states == state, weights, 0.0)
            shares[part, :, state] = weighted.sum(axis=2)
            credits[:, :, state] = np.matmul(weighted[:, :, None], cells)[:, :, 0]
        by_chunk.append(credits)
    credits = np.concatenate(by_chunk)
    if readable_only:
        without = ~np.isfinite(pool[..., 0]).any(axis=(1, 2))
        shares[without], credits[without] = np.nan, np.nan
    return Curve(sizes, shares, credits)


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
    samples = pool.shape[2]
    weights = np.array([[comb(below, size - 1) / comb(samples, size) for below in range(samples)] for size in sizes])
    parts = []
    for part in chunks(pool.shape[0], pool[0].size if len(pool) else 1):
        cells = score(rows[part], pool[part].swapaxes(1, 2).astype(np.float64))
        parts.append(np.einsum("ks,rsc->rkc", weights, np.sort(cells, axis=1)))
    return np.concatenate(parts)


def cells_of(score: Score, rows: Sequence[Row], votes: npt.NDArray[np.floating]) -> Floats:
    """Return the mean cells of given votes, [rows, cells]: those of a judge that answers without a pool."""
    mean: Floats = score(rows, votes.astype(np.float64)).mean(axis=1)
    return mean
