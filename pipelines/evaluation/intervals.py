"""95 % intervals of accuracies, differences and the figures made of them.

The bootstrap over clusters gives the variance of a figure, whatever sections and weights it is made of: each of 2,000
replicates recomputes it whole. What interval the variance makes depends on the figure.

A share uses Wilson's score interval, with as many independent answers as would have the bootstrap's variance,
n = p (1 - p) / variance, and Student's quantile. At an accuracy of .95 and 100 clusters the percentiles of the
replicates themselves cover 88.7 % (one sample a row) to 93.3 % (the mean of 16), and value +- t standard errors 87 to
94 %: both stay where the few errors were seen. Wilson's interval looks for the accuracies under which the value seen
would be no surprise, whose variance is larger further from 1. A few errors say little about their own spread. So the
ratio of the variance to that of independent right-or-wrong clusters is mixed with 1, which counts as one error.

Under 30 clusters a bootstrap does not know its own variance, and where all is right or all wrong it has none. There the
number of clusters stands for n: too wide rather than too narrow.

A difference uses value +- t standard errors, whose variance is taken as its most only under 10 clusters, and where no
cluster differs: the sign-flip test, which needs no variance, and the interval must not contradict each other.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from statistics import NormalDist

import numpy as np

from pipelines.evaluation.arrays import Floats, Totals
from pipelines.evaluation.resampling import Clusters
from pipelines.training_sets.proportions import wilson

REPLICATES = 2_000
FEWEST_CLUSTERS = 30
"""The fewest clusters that are drawn anew."""
FEWEST_DIFFERENT = 10
"""The fewest whose differences are trusted with a variance."""
CONFIDENCE = 0.95
_NO_VARIANCE = 1e-14
"""Rounding alone makes this much."""

Figures = Callable[[Floats], Mapping[str, Floats]]
"""Means [.., columns, subsets, cells] to figures by name, [.., anything]."""


class Scale(StrEnum):
    """What values a figure takes, and so which interval fits it."""

    SHARE = "share"
    """From 0 to 1."""
    DIFFERENCE = "difference"
    """From -1 to 1."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its interval, for each of the columns."""

    value: Floats
    low: Floats
    high: Floats
    standard_error: Floats
    clusters: int
    """How many clusters of rows the figure rests on."""


def each_subset(subsets: Sequence[str], means: Floats) -> dict[str, Floats]:
    """Return the first cell of every subset by name: the totals of a benchmark that has subsets alone."""
    return {name: means[..., place, 0] for place, name in enumerate(subsets)}


def estimates(
    figures: Figures,
    clusters: Clusters,
    values: Floats,
    scale: Scale = Scale.SHARE,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Return every figure with its interval, from values [rows, columns, cells]."""
    means = clusters.means(values)
    found = {name: np.asarray(value, np.float64) for name, value in figures(means).items()}
    moments = _Moments(found)
    for drawn in clusters.replicates(values, replicates, seed):
        moments.add(figures(drawn))
    rests_on = _clusters_of_figures(figures, clusters, means)
    made = {}
    for name, value in found.items():
        variance, n = moments.variance(name), rests_on[name]
        low, high = interval(value, variance, n, scale)
        made[name] = Estimate(value, low, high, np.sqrt(variance), n)
    return made


def subset_estimates(
    totals: Totals, clusters: Clusters, values: Floats, scale: Scale = Scale.SHARE, *, seed: int = 0
) -> dict[str, Estimate]:
    """Return a benchmark's published figures with intervals, each [columns]."""
    return estimates(lambda means: totals(clusters.subsets, means), clusters, values, scale, seed=seed)


def interval(value: Floats, variance: Floats, clusters: int, scale: Scale = Scale.SHARE) -> tuple[Floats, Floats]:
    """Return the bounds of a figure with this variance over replicates."""
    quantile = student_quantile(0.5 + CONFIDENCE / 2, max(clusters - 1, 1))
    enough = clusters >= FEWEST_CLUSTERS
    known = (variance > _NO_VARIANCE) & enough
    if scale is Scale.SHARE:
        share = np.clip(value, 0.0, 1.0)
        answers = np.where(known, _independent_answers(share, np.where(known, variance, 1.0), clusters), clusters)
        return wilson(share, answers, np.where(known, quantile, NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)))
    # Without variance no query of many differs: Wilson's bound of none. The variance of few is taken as its most, 1.
    without = quantile**2 / (clusters + quantile**2) if enough else quantile / sqrt(max(clusters, 1))
    known = (variance > _NO_VARIANCE) & (clusters >= FEWEST_DIFFERENT)
    if not enough:  # drawing few anew makes so much too little of it
        variance = variance * clusters / max(clusters - 1, 1)
    reach = np.where(known, quantile * np.sqrt(variance), without)
    return np.clip(value - reach, -1.0, 1.0), np.clip(value + reach, -1.0, 1.0)


def _independent_answers(share: Floats, variance: Floats, clusters: int) -> Floats:
    """Return how many independent answers have this variance, with one error more than was seen."""
    answers = share * (1 - share) / variance
    errors = answers * np.minimum(share, 1 - share)
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = clusters / answers
        effect = (errors * effect + np.maximum(effect, 1.0)) / (errors + 1)
    stabilized: Floats = np.where(answers > 0, clusters / effect, clusters)
    return stabilized


def student_quantile(probability: float, freedom: int) -> float:
    """Return a quantile of Student's distribution by Fisher's expansion: right to .001 from 10 degrees of freedom."""
    z = NormalDist().inv_cdf(probability)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


class _Moments:
    """The variance of every figure over replicates, summed as differences from the figure itself."""

    def __init__(self, figures: Mapping[str, Floats]) -> None:
        self._figures = figures
        self._count = {name: np.zeros_like(value) for name, value in figures.items()}
        self._first = {name: np.zeros_like(value) for name, value in figures.items()}
        self._second = {name: np.zeros_like(value) for name, value in figures.items()}

    def add(self, drawn: Mapping[str, Floats]) -> None:
        for name, value in self._figures.items():
            if name in drawn:
                change = drawn[name] - value
                self._count[name] += np.isfinite(change).sum(axis=0)
                self._first[name] += np.nansum(change, axis=0)
                self._second[name] += np.nansum(change**2, axis=0)

    def variance(self, name: str) -> Floats:
        count = np.maximum(self._count[name], 1)
        return np.maximum(self._second[name] / count - (self._first[name] / count) ** 2, 0.0)


def _clusters_of_figures(figures: Figures, clusters: Clusters, means: Floats) -> dict[str, int]:
    """Return how many clusters each figure rests on. It rests on a subset without which it is left out or NaN."""
    parts: dict[str, list[int]] = {name: [] for name in figures(means)}
    for subset in range(len(clusters.subsets)):
        without = means.copy()
        without[..., subset, :] = np.nan
        left = figures(without)
        for name, part in parts.items():
            if name not in left or not np.isfinite(left[name]).all():
                part.append(subset)
    everything: Iterable[int] = range(len(clusters.subsets))
    return {name: clusters.count_in(part or list(everything)) for name, part in parts.items()}
