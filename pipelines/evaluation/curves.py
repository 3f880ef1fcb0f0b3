"""A benchmark's rows under one judge: what each vote size and each selector gives each row, of rows of any shape.

Rows of one shape are computed together; the results stand in the order of the benchmark's rows.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np

from pipelines.evaluation import nulls, signals
from pipelines.evaluation.arrays import Floats
from pipelines.evaluation.benchmarks.benchmark import Benchmark
from pipelines.evaluation.judgements import Pool
from pipelines.evaluation.selectors import Keep, permuted, selected, selected_draws, selector_sizes
from pipelines.evaluation.voting import Curve, best_of, curve_of, voting_curve, voting_draws
from schemas.errors import RecipeError
from schemas.evaluation import Protocol, Row
from schemas.recipe import Recipe

VOTING, META_RM = "voting", "meta_rm"
SELECTORS = ("agreement", "margin", "spread", "length", "logprob", META_RM)
"""Signals that choose samples; those beside the Meta RM's need no labels."""
PERMUTED = "meta_rm_permuted"
"""The Meta RM's scores, dealt anew among the samples of each prompt: a selector that knows nothing."""
KEEPS = (Keep.HALF, Keep.QUARTER, Keep.ONE)


class Options(TypedDict):
    """How subsets are drawn."""

    readable_only: bool
    seed: int


Signal = Callable[[Pool], Floats | None]


@dataclass(frozen=True)
class Rows:
    """The rows of one benchmark, and the judge's scores of them."""

    benchmark: Benchmark
    protocol: Protocol
    rows: Sequence[Row]
    pools: Sequence[Pool]
    seed: int
    is_graded: bool = True
    """Whether scores are on the scale of 1 to 10; False for real numbers, which have no middle."""

    @property
    def samples(self) -> int:
        return int(self.pools[0].scores.shape[2])

    @property
    def has_right_and_wrong(self) -> bool:
        """Whether a score can be right or wrong: one of a single response only on a scale that has a middle."""
        return self.is_graded or any(len(row.responses) > 1 for row in self.rows)

    def of(self, pool: Pool) -> list[Row]:
        return [self.rows[number] for number in pool.rows]

    def score(self, rows: Sequence[Row], votes: Floats) -> Floats:
        """Return the cells of votes, by the benchmark's rule."""
        return np.asarray(self.benchmark.score(rows, votes, self.protocol), np.float64)

    def linked(self, by_pool: Sequence[Floats]) -> list[Floats]:
        """Return the cells [rows, draws, cells] of each pool, once rows that a rule takes together have met."""
        numbers = [number for pool in self.pools for number in pool.rows]
        whole = self.benchmark.linked([self.rows[number] for number in numbers], np.concatenate(by_pool))
        return np.split(whole, np.cumsum([len(pool.rows) for pool in self.pools])[:-1])

    def gathered(self, by_pool: Sequence[Floats]) -> Floats:
        """Return what each pool's rows have, in the order of the rows."""
        whole = np.full((len(self.rows), *by_pool[0].shape[1:]), np.nan)
        for pool, values in zip(self.pools, by_pool, strict=True):
            whole[pool.rows] = values
        return whole


def vote_curve(rows: Rows, sizes: Sequence[int], *, readable_only: bool = False) -> Curve:
    """Return what votes of each size give each row."""
    sizes, paired = tuple(sizes), _paired(rows)
    options = Options(readable_only=readable_only, seed=rows.seed)
    shares, credits = [], []
    for pool in rows.pools:
        curve = voting_curve(rows.score, rows.of(pool), pool.scores, sizes, **options)
        shares.append(curve.shares)
        credits.append(curve.credits)
    whole = Curve(sizes, rows.gathered(shares), rows.gathered(credits))
    if paired:  # the rule meets the same draws of both rows of a pair before anything is averaged
        drawn = [voting_draws(paired.score, paired.of(pool), pool.scores, sizes, **options) for pool in paired.pools]
        cells = paired.linked([draws.cells.reshape(len(draws.cells), -1, draws.cells.shape[-1]) for draws in drawn])
        for pool, draws, linked in zip(paired.pools, drawn, cells, strict=True):
            curve = curve_of(replace(draws, cells=linked.reshape(draws.cells.shape)))
            whole.shares[pool.rows], whole.credits[pool.rows] = curve.shares, curve.credits
    return whole


def _paired(rows: Rows) -> Rows | None:
    """Return the rows that a rule takes together with another one; None where it takes each row alone."""
    if rows.benchmark.link is None:
        return None
    pools = []
    for pool in rows.pools:
        kept = [place for place, row in enumerate(rows.of(pool)) if row.pair is not None]
        if kept:
            pools.append(pool.part(kept))
    return replace(rows, pools=pools) if pools else None


def selected_cells(rows: Rows, names: Sequence[str], sizes: Sequence[int]) -> dict[str, Floats]:
    """Return the cells of each selector, [rows, sizes, keeps, cells], by name; `voting` is on the same subsets."""
    paired = _paired(rows)
    found = {}
    for name in names:
        keeps = KEEPS if name != VOTING else (Keep.ALL,)
        whole = rows.gathered(
            [
                selected(rows.score, rows.of(pool), pool.scores, _signal(name, pool), sizes, keeps, seed=rows.seed)
                for pool in rows.pools
            ]
        )
        if paired:
            drawn = [
                selected_draws(
                    paired.score, paired.of(pool), pool.scores, _signal(name, pool), sizes, keeps, seed=rows.seed
                )
                for pool in paired.pools
            ]
            shapes = [cells.shape for cells in drawn]
            linked = paired.linked([cells.reshape(len(cells), -1, cells.shape[-1]) for cells in drawn])
            for pool, cells, shape in zip(paired.pools, linked, shapes, strict=True):
                whole[pool.rows] = cells.reshape(shape).mean(axis=2).reshape(len(cells), len(sizes), len(keeps), -1)
        found[name] = whole
    return found


def _signal(name: str, pool: Pool) -> Floats | None:
    return np.zeros(pool.scores.shape[:3]) if name == VOTING else _SIGNALS[name](pool)


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


def check_family(recipe: Recipe) -> None:
    """Raise RecipeError for a name in `[evaluate] compare` that no selector of the recipe has."""
    needs = {META_RM: ("a [models.meta_rm]", recipe.models.meta_rm is not None)}
    needs |= {PERMUTED: needs[META_RM], "logprob": ("logprobs = true", recipe.evaluate.logprobs)}
    for name in recipe.evaluate.compare or ():
        if name not in (*SELECTORS, PERMUTED):
            near = difflib.get_close_matches(name, SELECTORS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(SELECTORS)}"
            raise RecipeError(f"evaluate.compare: no selector is called {name!r}; {hint}")
        if name in needs and not needs[name][1]:
            raise RecipeError(f"evaluate.compare: {name!r} needs {needs[name][0]}; add it, or leave the selector out")


def bound(rows: Rows, sizes: Sequence[int]) -> Floats:
    """Return pass@k, [rows, sizes, cells]: what a selector of one sample cannot exceed."""
    return rows.gathered([best_of(rows.score, rows.of(pool), pool.scores, sizes) for pool in rows.pools])


def blind_judges(rows: Rows) -> dict[str, Floats]:
    """Return the cells [rows, cells] of judges that do not read: the first response shown, and the longest."""
    first = [nulls.first_shown(rows.of(pool), rows.protocol) for pool in rows.pools]
    longest = []
    for pool in rows.pools:
        of_pool = rows.of(pool)
        lengths = np.array([[len(response.text) for response in row.responses] for row in of_pool])
        longest.append(nulls.longest(of_pool, rows.protocol, lengths))
    return {"first_position": _scored(rows, first), "longest": _scored(rows, longest)}


def greedy_cells(rows: Rows, greedy: Sequence[Pool]) -> Floats:
    """Return the cells [rows, cells] of the greedy answers."""
    return _scored(rows, [pool.scores.swapaxes(1, 2) for pool in greedy])


def _scored(rows: Rows, votes: Sequence[np.ndarray]) -> Floats:
    """Return the mean cells [rows, cells] of votes [rows, draws, prompts, shown], by pool."""
    by_pool = [
        rows.score(rows.of(pool), of_pool.astype(np.float64)) for pool, of_pool in zip(rows.pools, votes, strict=True)
    ]
    linked = rows.linked(by_pool) if len({cells.shape[1] for cells in by_pool}) == 1 else by_pool
    return rows.gathered([cells.mean(axis=1) for cells in linked])


def sizes_of(rows: Rows) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the sizes of the curves, and those at which selectors are looked at."""
    return tuple(range(1, rows.samples + 1)), selector_sizes(rows.samples)
