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
from pipelines.evaluation.intervals import Scale, interval, subset_estimates
from pipelines.evaluation.resampling import Clusters, chunk_sizes

FLIPS = 10_000
LEVEL = 0.05
POWER = 0.8
SPREAD = 0.15
"""The standard deviation, over queries, by which voting with half of a subset's samples differs from all of them, as
simulated judges have it: .12 to .18 for any k from 2 to 32. It is what plans expect before anything is known."""
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
    """The smallest difference that these clusters show with 80 % power, by the spread of the differences seen, or by
    the expected one where there is none. 1 where so few clusters can show no difference at all."""


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
    parts = np.concatenate([totals(clusters.subsets, part)[figure] for part in clusters.parts(differences)])
    squares = (parts**2).sum(axis=0)
    # As if one query more had gained and one had lost: where few differ, the bootstrap knows too little of them.
    one_more = 2 * np.divide((parts**4).sum(axis=0), squares, out=np.zeros_like(squares), where=squares > 0)
    low, high = interval(estimate.value, estimate.standard_error**2 + one_more, estimate.clusters, Scale.DIFFERENCE)
    p = sign_flip(parts, flips=flips, seed=seed)
    return Compared(tuple(names), estimate.value, low, high, estimate.standard_error, p, estimate.clusters)


def sign_flip(parts: Floats, *, flips: int = FLIPS, seed: int = 0) -> Floats:
    """Return the two-sided p of the sums of each column, [clusters, columns] to [columns]: (1 + hits) / (1 + flips)."""
    least = np.abs(parts.sum(axis=0)) - _ROUNDING
    hits = np.zeros(parts.shape[1], np.int64)
    drawn = np.random.default_rng(seed)
    for size in chunk_sizes(flips, len(parts)):
        bits = np.unpackbits(np.frombuffer(drawn.bytes(size * len(parts) // 8 + 1), np.uint8))[: size * len(parts)]
        signs = bits.reshape(size, len(parts)).astype(np.float64) * 2 - 1
        hits += (np.abs(signs @ parts) >= least).sum(axis=0)
    p: Floats = (1 + hits) / (1 + flips)
    return p


def claims(family: Sequence[Compared]) -> list[Claim]:
    """Return every comparison of the family, corrected over all of them."""
    corrected = iter(holm([float(p) for one in family for p in one.p]))
    comparisons = sum(len(one.names) for one in family)
    return [
        Claim(
            name,
            float(one.difference[place]),
            float(one.low[place]),
            float(one.high[place]),
            float(one.p[place]),
            next(corrected),
            one.clusters,
            _smallest(one, place, comparisons),
        )
        for one in family
        for place, name in enumerate(one.names)
    ]


def _smallest(one: Compared, place: int, comparisons: int) -> float:
    """Return the smallest difference that is found by the spread seen.

    Where no cluster differs, by the expected spread, and none within the interval.
    """
    spread = float(one.standard_error[place]) * sqrt(one.clusters)
    if spread > _ROUNDING:
        return smallest_difference(one.clusters, spread, comparisons)
    reach = float(one.high[place] - one.difference[place])
    return max(reach, smallest_difference(one.clusters, comparisons=comparisons))


def holm(p: Sequence[float]) -> list[float]:
    """Return p values after Holm's correction, in the order given."""
    order = sorted(range(len(p)), key=lambda place: p[place])
    corrected = [0.0] * len(p)
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[place]))
        corrected[place] = largest
    return corrected


def expected_spread(size: int, kept: int) -> float:
    """Return the standard deviation over queries that is to be expected where `kept` of `size` samples vote.

    A single sample of 16 differs from the vote of all by .25, as simulated judges have it.
    """
    return SPREAD * sqrt(sqrt(size / (2 * kept)))


def smallest_difference(clusters: int, spread: float = SPREAD, comparisons: int = 1) -> float:
    """Return the smallest difference in accuracy that is found with 80 % power.

    The level is the strictest that Holm's correction asks for among so many comparisons. The signs of few clusters
    agree by chance more often than that, however much each differs: then it is 1, for no difference can be found.
    """
    level = LEVEL / max(comparisons, 1)
    if 2.0 ** (1 - clusters) > level:
        return 1.0
    normal = NormalDist()
    quantiles = normal.inv_cdf(1 - level / 2) + normal.inv_cdf(POWER)
    return min(1.0, quantiles * spread / sqrt(clusters))
