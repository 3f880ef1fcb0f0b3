"""The arrays that an evaluation works on, by name.

    pool    float32 [rows, prompts, samples, shown]: the scores of every sample that was paid, for rows of one shape.
            An unreadable sample is NaN in all of the last axis. Greedy answers are a pool of one sample.
    votes   float64 [rows, draws, prompts, shown]: the mean of the readable scores of a subset of the samples. NaN
            where a prompt has no readable sample in the subset.
    cells   float64 [rows, draws, cells]: what a benchmark's rule makes of votes. Most have one cell: 1 right, 0 wrong,
            1/m where m responses tie on top and a right one is among them.

A vote is a mean, not a sum. Both rank the responses of a prompt alike, but the mean compares prompts of which different
numbers of samples could be read: a missing sample would enter a sum as a score of 0.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from schemas.evaluation import Row

Floats = npt.NDArray[np.float64]
Pool = npt.NDArray[np.float32]
Integers = npt.NDArray[np.signedinteger]
Flags = npt.NDArray[np.bool_]

Score = Callable[[Sequence[Row], Floats], Floats]
"""A benchmark's rule: rows and their votes [rows, draws, prompts, shown] to cells [rows, draws, cells]."""
Totals = Callable[[Sequence[str], Floats], dict[str, Floats]]
"""Subset names and means [.., subsets, cells] to the published figures [..] by name."""

_NUMBERS_AT_ONCE = 1 << 18
"""A chunk stays in the cache of a core: larger ones are slower."""


def chunks(rows: int, numbers_per_row: int) -> Iterator[slice]:
    """Yield slices of the rows, each of which needs about 2 MB."""
    size = max(1, _NUMBERS_AT_ONCE // max(1, numbers_per_row))
    for start in range(0, rows, size):
        yield slice(start, min(rows, start + size))


def empty_votes(rows: int, kinds: int, draws: int, prompts: int, shown: int) -> Floats:
    """Return room for votes, [rows, kinds, draws, prompts, shown].

    In memory the rows and draws stand innermost. What a rule does along the short last axes is then several times
    quicker, as numpy works through long runs.
    """
    return np.empty((prompts, shown, rows, kinds, draws)).transpose(2, 3, 4, 0, 1)


def scored(score: Score, rows: Sequence[Row], votes: Floats) -> Floats:
    """Return what the rule gives votes of several kinds: [rows, kinds, draws, prompts, shown] to [.., draws, cells].

    The rule sees each row once for all kinds.
    """
    n_rows, kinds, draws, prompts, shown = votes.shape
    return score(rows, votes.reshape(n_rows, kinds * draws, prompts, shown)).reshape(n_rows, kinds, draws, -1)


def readable_samples(pool: npt.NDArray[np.floating]) -> Flags:
    """Return which samples could be read, [rows, prompts, samples]."""
    readable: Flags = ~np.isnan(pool[..., 0])
    return readable


def top_shares(scores: npt.NDArray[np.floating]) -> Floats:
    """Return the share of the top that each response holds: 1/m where m tie, 0 below the top and where all is NaN."""
    values = np.where(np.isnan(scores), -np.inf, scores)
    top = values.max(axis=-1, keepdims=True)
    on_top = (values == top) & np.isfinite(top)
    shares: Floats = on_top / np.maximum(on_top.sum(axis=-1, keepdims=True), 1)
    return shares
