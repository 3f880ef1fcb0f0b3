"""A benchmark's rows under one judge: what each vote size and each selector gives each row, of rows of any shape.

Rows of one shape are computed together; the results stand in the order of the benchmark's rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from pipelines.evaluation import nulls, signals
from pipelines.evaluation.arrays import Floats
from pipelines.evaluation.benchmarks.benchmark import Benchmark
from pipelines.evaluation.judgements import Pool
from pipelines.evaluation.selectors import Keep, permuted, selected, selector_sizes
from pipelines.evaluation.subsets import sample_orders, window_votes
from pipelines.evaluation.voting import SHUFFLES, Curve, best_of, cells_of, vote_states, voting_curve
from schemas.evaluation import Protocol, Row

META_RM = "meta_rm"
SELECTORS = ("agreement", "margin", "spread", "length", "logprob", META_RM)
"""Signals that choose samples; those beside the Meta RM's need no labels."""
PERMUTED = "meta_rm_permuted"
"""The Meta RM's scores, dealt anew among the samples of each prompt: a selector that knows nothing."""
KEEPS = (Keep.HALF, Keep.QUARTER, Keep.ONE)

Signal = Callable[[Pool], Floats | None]


@dataclass(frozen=True)
class Rows:
    """The rows of one benchmark, and the judge's scores of them."""

    benchmark: Benchmark
    protocol: Protocol
    rows: Sequence[Row]
    pools: Sequence[Pool]
    seed: int

    @property
    def samples(self) -> int:
        return int(self.pools[0].scores.shape[2])

    def of(self, pool: Pool) -> list[Row]:
        return [self.rows[number] for number in pool.rows]

    def score(self, rows: Sequence[Row], votes: Floats) -> Floats:
        """Return the cells of votes, by the benchmark's rule."""
        return np.asarray(self.benchmark.score(rows, votes, self.protocol, None), np.float64)

    def gathered(self, by_pool: Sequence[Floats]) -> Floats:
        """Return what each pool's rows have, in the order of the rows."""
        whole = np.full((len(self.rows), *by_pool[0].shape[1:]), np.nan)
        for pool, values in zip(self.pools, by_pool, strict=True):
            whole[pool.rows] = values
        return whole


def vote_curve(rows: Rows, sizes: Sequence[int], *, readable_only: bool = False) -> Curve:
    """Return what votes of each size give each row."""
    make = _linked_curve if _is_linked(rows) else _plain_curve
    curves = make(rows, tuple(sizes), readable_only)
    shares = rows.gathered([curve.shares for curve in curves])
    return Curve(tuple(sizes), shares, rows.gathered([curve.credits for curve in curves]))


def _is_linked(rows: Rows) -> bool:
    return rows.benchmark.link is not None and any(row.pair is not None for row in rows.rows)


def _plain_curve(rows: Rows, sizes: tuple[int, ...], readable_only: bool) -> list[Curve]:
    return [
        voting_curve(rows.score, rows.of(pool), pool.scores, sizes, readable_only=readable_only, seed=rows.seed)
        for pool in rows.pools
    ]


def _linked_curve(rows: Rows, sizes: tuple[int, ...], readable_only: bool) -> list[Curve]:
    """Return the same where a rule takes rows together: it meets the same draws of both before anything is averaged."""
    by_pool, states, weights = [], [], []
    for pool in rows.pools:
        n_rows, prompts, samples, shown = pool.scores.shape
        orders = sample_orders(n_rows, prompts, samples, SHUFFLES, rows.seed)
        votes, weight = window_votes(pool.scores, orders, sizes, readable_only=readable_only)
        by_pool.append(rows.score(rows.of(pool), votes.reshape(n_rows, -1, prompts, shown)))
        states.append(vote_states(votes))
        weights.append(weight / weight.sum(axis=1, keepdims=True))
    numbers = [number for pool in rows.pools for number in pool.rows]
    linked = rows.benchmark.linked([rows.rows[number] for number in numbers], np.concatenate(by_pool))
    curves, start = [], 0
    for state, weight in zip(states, weights, strict=True):
        cells = linked[start : start + len(state)].reshape(*state.shape, -1)
        weighted = weight[:, None, :, None] * (state[..., None] == np.arange(3))
        curves.append(Curve(sizes, weighted.sum(axis=2), np.matmul(weighted.swapaxes(2, 3), cells)))
        start += len(state)
    return curves


def selected_cells(rows: Rows, names: Sequence[str], sizes: Sequence[int]) -> dict[str, Floats]:
    """Return the cells of each selector, [rows, sizes, keeps, cells], by name; `voting` is on the same subsets.

    The cells of rows that a rule takes together hold their own accuracy alone.
    """
    found = {}
    for name in names:
        signal = _SIGNALS[name]
        parts = []
        for pool in rows.pools:
            given = signal(pool)
            keeps = KEEPS if name != "voting" else (Keep.ALL,)
            chosen = np.zeros(pool.scores.shape[:3]) if name == "voting" else given
            parts.append(selected(rows.score, rows.of(pool), pool.scores, chosen, sizes, keeps, seed=rows.seed))
        found[name] = rows.gathered(parts)
    return found


def available(rows: Rows) -> list[str]:
    """Return the selectors that the pools have a signal for."""
    names = [name for name in SELECTORS if all(_has(name, pool) for pool in rows.pools)]
    return [*names, *([PERMUTED] if META_RM in names else [])]


def _has(name: str, pool: Pool) -> bool:
    return name not in ("length", "logprob", META_RM) or _finite(_SIGNALS[name](pool))


def _finite(values: Floats | None) -> bool:
    return values is not None and bool(np.isfinite(values).any())


_SIGNALS: Mapping[str, Signal] = {
    "voting": lambda pool: None,
    "agreement": lambda pool: None,
    "margin": lambda pool: signals.own_margin(pool.scores),
    "spread": lambda pool: signals.own_spread(pool.scores),
    "length": lambda pool: pool.tokens.astype(np.float64),
    "logprob": lambda pool: pool.logprobs,
    META_RM: lambda pool: pool.meta_rm,
    PERMUTED: lambda pool: None if pool.meta_rm is None else permuted(pool.meta_rm, 0),
}


def bound(rows: Rows, sizes: Sequence[int]) -> Floats:
    """Return pass@k, [rows, sizes, cells]: what a selector of one sample cannot exceed."""
    return rows.gathered([best_of(rows.score, rows.of(pool), pool.scores, sizes) for pool in rows.pools])


def blind_judges(rows: Rows) -> dict[str, Floats]:
    """Return the cells [rows, cells] of judges that do not read: the first response shown, and the longest."""
    first = [
        cells_of(rows.score, rows.of(pool), nulls.first_shown(rows.of(pool), rows.protocol)) for pool in rows.pools
    ]
    longest = []
    for pool in rows.pools:
        of_pool = rows.of(pool)
        lengths = np.array([[len(response.text) for response in row.responses] for row in of_pool])
        longest.append(cells_of(rows.score, of_pool, nulls.longest(of_pool, rows.protocol, lengths)))
    return {"first_position": rows.gathered(first), "longest": rows.gathered(longest)}


def greedy_cells(rows: Rows, greedy: Sequence[Pool]) -> Floats:
    """Return the cells [rows, cells] of the greedy answers."""
    score = partial(cells_of, rows.score)
    return rows.gathered([score(rows.of(pool), pool.scores.swapaxes(1, 2)) for pool in greedy])


def sizes_of(rows: Rows) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the sizes of the curves, and those at which selectors are looked at."""
    return tuple(range(1, rows.samples + 1)), selector_sizes(rows.samples)
