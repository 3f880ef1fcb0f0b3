"""Claims: which of the comparisons that were fixed beforehand are more than chance.

A comparison is a figure of paired differences: the cells of a judge or selector less those of another on the same rows.
If the two are equally good, a query's difference is as likely to be positive as negative. So the test gives the
summed difference of each cluster a random sign, 10,000 times, and counts how often the figure is as far from 0 as the
one seen.
Holm's correction covers every comparison that was computed, shown or not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from pipelines.evaluation.arrays import Floats, Totals
from pipelines.evaluation.intervals import Scale, subset_estimates
from pipelines.evaluation.resampling import Clusters

FLIPS = 10_000
LEVEL = 0.05
POWER = 0.8
CHANGED = 0.1
"""The share of queries on which two ways to vote differ, where nothing is known yet: an open guess, for plans."""
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Claim:
    """One comparison. It holds where `corrected` is at most .05."""

    name: str
    difference: float
    low: float
    high: float
    p: float
    """Two-sided, of this comparison alone; at least 1 / 10,001."""
    corrected: float
    """The same by Holm's correction over the family."""
    clusters: int
    smallest: float
    """The smallest difference that these clusters show with 80 % power, by the spread of the differences seen."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Comparisons on the same rows, before the correction over all that are computed."""

    names: tuple[str, ...]
    difference: Floats
    low: Floats
    high: Floats
    standard_error: Floats
    p: Floats
    clusters: int


def compared(
    names: Sequence[str],
    totals: Totals,
    figure: str,
    clusters: Clusters,
    differences: Floats,
    *,
    flips: int = FLIPS,
    seed: int = 0,
) -> Compared | None:
    """Test comparisons by one figure of a benchmark, from differences of cells [rows, comparisons, cells].

    Return None where the benchmark's rows do not give the figure: parts of a benchmark have no total.
    """
    made = subset_estimates(totals, clusters, differences, Scale.DIFFERENCE, seed=seed)
    if figure not in made:
        return None
    estimate = made[figure]
    least = np.abs(estimate.value) - _ROUNDING
    hits = np.zeros(len(names), np.int64)
    for means in clusters.flipped(differences, flips, seed):
        hits += (np.abs(totals(clusters.subsets, means)[figure]) >= least).sum(axis=0)
    p = (1 + hits) / (1 + flips)
    return Compared(
        tuple(names), estimate.value, estimate.low, estimate.high, estimate.standard_error, p, estimate.clusters
    )


def claims(family: Sequence[Compared]) -> list[Claim]:
    """Return every comparison of the family, corrected over all of them."""
    corrected = iter(holm([float(p) for one in family for p in one.p]))
    comparisons = sum(len(one.names) for one in family)
    factor = _quantiles(comparisons)
    return [
        Claim(
            name,
            float(one.difference[place]),
            float(one.low[place]),
            float(one.high[place]),
            float(one.p[place]),
            next(corrected),
            one.clusters,
            factor * float(one.standard_error[place]),
        )
        for one in family
        for place, name in enumerate(one.names)
    ]


def holm(p: Sequence[float]) -> list[float]:
    """Return p values after Holm's correction, in the order given."""
    order = sorted(range(len(p)), key=lambda place: p[place])
    corrected = [0.0] * len(p)
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[place]))
        corrected[place] = largest
    return corrected


def smallest_difference(clusters: int, spread: float = sqrt(CHANGED), comparisons: int = 1) -> float:
    """Return the smallest difference in accuracy that is found with 80 % power.

    `spread` is the standard deviation of a query's difference: at most the root of the share of queries that change.
    The level is the strictest that Holm's correction asks for among so many comparisons.
    """
    return min(1.0, _quantiles(comparisons) * spread / sqrt(max(clusters, 1)))


def _quantiles(comparisons: int) -> float:
    normal = NormalDist()
    return normal.inv_cdf(1 - LEVEL / (2 * max(comparisons, 1))) + normal.inv_cdf(POWER)
