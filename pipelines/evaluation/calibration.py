"""Calibration of the vote share: is a vote that 80 % of the samples back right 80 % of the time?

The vote share is the share of the readable samples that put the vote's winner on top. The expected calibration error
(ECE) is the mean distance between share and accuracy over ten bins of equal width.
"""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from pipelines.evaluation.arrays import Floats, Integers, readable_samples, top_shares
from pipelines.evaluation.intervals import CONFIDENCE, REPLICATES, student_quantile
from pipelines.evaluation.resampling import Clusters
from pipelines.evaluation.subsets import sample_orders

BINS = 10


@dataclass(frozen=True, slots=True)
class Calibration:
    """The ECE, and what each bin of vote shares holds."""

    ece: float
    low: float
    """Chance alone makes an ECE larger, so the interval reaches further down than up."""
    high: float
    weight: Floats
    """[bins] the share of votes in the bin."""
    share: Floats
    """[bins] their mean vote share; NaN in an empty bin."""
    accuracy: Floats
    """[bins] their accuracy."""


def vote_shares(pool: npt.NDArray[np.floating], size: int, *, shuffles: int = 1, seed: int = 0) -> Floats:
    """Return the share of a subset's readable samples that back its vote, [rows, draws], the mean over prompts.

    The draws are those of `subsets.subset_votes` with the same seed. An unreadable vote is NaN.
    """
    rows, prompts, samples, _ = pool.shape
    orders = sample_orders(rows, prompts, samples, shuffles, seed)
    window = (np.arange(samples)[:, None] + np.arange(size)) % samples
    backing = np.empty((rows, prompts, shuffles, samples))
    for shuffle in range(shuffles):
        order = orders[:, :, shuffle]
        shuffled = np.nan_to_num(np.take_along_axis(pool, order[..., None], axis=2))
        readable = np.take_along_axis(readable_samples(pool), order, axis=2)
        tops = np.take_along_axis(top_shares(pool), order[..., None], axis=2)
        for start, members in enumerate(window):
            voted = shuffled[:, :, members].astype(np.float64).sum(axis=2)
            backed = (tops[:, :, members].sum(axis=2) * top_shares(voted)).sum(axis=-1)
            with np.errstate(invalid="ignore"):
                backing[:, :, shuffle, start] = backed / readable[:, :, members].sum(axis=2)
    present = ~np.isnan(backing)
    with np.errstate(invalid="ignore"):
        mean: Floats = np.where(present, backing, 0.0).sum(axis=1) / present.sum(axis=1)
    return mean.reshape(rows, -1)


def calibration(clusters: Clusters, share: Floats, accuracy: Floats, *, seed: int = 0) -> Calibration:
    """Return the calibration of votes, from their shares and their credit, both [rows, draws].

    The clusters are those of one subset: calibration is over all rows alike.
    """
    readable = ~np.isnan(share)
    place: Integers = np.clip(np.nan_to_num(share) * BINS, 0, BINS - 1).astype(np.int16)
    within = (place[..., None] == np.arange(BINS)) & readable[..., None]
    held = np.stack([within, within * np.nan_to_num(share)[..., None], within * accuracy[..., None]], axis=2)
    values = held.sum(axis=1) / np.maximum(readable.sum(axis=1), 1)[:, None, None]
    values[~readable.any(axis=1)] = np.nan
    flat = values.reshape(len(values), 1, -1)
    distance = _distances(clusters.means(flat))
    drawn = np.concatenate([_distances(means) for means in clusters.replicates(flat, REPLICATES, seed)])
    ece, low, high = _bounds(distance, drawn, clusters.count)
    weight, mean_share, right = clusters.means(flat)[0, 0].reshape(3, BINS)
    with np.errstate(invalid="ignore"):
        return Calibration(ece, low, high, weight, mean_share / weight, right / weight)


def _bounds(distance: Floats, drawn: Floats, n_clusters: int) -> tuple[float, float, float]:
    """Return the ECE and its interval, from the signed distances of the bins and of their replicates.

    The interval's middle is the ECE of distances without the variance that chance adds to their squares. Where their
    sum of squares is one that chance alone makes in 95 % of cases, the interval starts at 0.
    """
    ece = float(np.abs(distance).sum())
    variance = drawn.var(axis=0)
    middle = float(np.sqrt(np.maximum(distance**2 - variance, 0)).sum())
    error = float(np.abs(drawn).sum(axis=-1).std())
    reach = student_quantile(0.5 + CONFIDENCE / 2, max(n_clusters - 1, 1)) * error
    filled = variance > 0
    squares = float((distance[filled] ** 2 / variance[filled]).sum())
    low = 0.0 if squares <= _chi_square_quantile(int(filled.sum())) else max(0.0, middle - reach)
    return ece, low, min(1.0, max(ece, middle + reach))


def _chi_square_quantile(freedom: int) -> float:
    """Return the 95 % quantile, by Wilson and Hilferty."""
    spread = 2 / (9 * max(freedom, 1))
    return float(max(freedom, 1) * (1 - spread + NormalDist().inv_cdf(CONFIDENCE) * sqrt(spread)) ** 3)


def _distances(means: Floats) -> Floats:
    """Return how far vote share and accuracy are apart in each bin, times the bin's weight, of means [.., 1, 1, ..]."""
    bins = means.reshape(*means.shape[:-3], 3, BINS)
    distances: Floats = bins[..., 1, :] - bins[..., 2, :]
    return distances
