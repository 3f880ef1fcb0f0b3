"""Calibration of the vote share: is a vote that 80 % of the samples back right 80 % of the time?

The vote share is the share of the readable samples that put the vote's winner on top. The expected calibration error
(ECE) is the mean distance between share and accuracy over ten bins of equal width.
"""

from dataclasses import dataclass

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
    """Chance alone makes an ECE larger. The interval lies lower by as much as replicates exceed the ECE."""
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
    ece = float(_ece(clusters.means(flat)))
    drawn = np.concatenate([_ece(means) for means in clusters.replicates(flat, REPLICATES, seed)])
    bias, reach = float(drawn.mean()) - ece, student_quantile(0.5 + CONFIDENCE / 2, clusters.count - 1) * drawn.std()
    low, high = max(0.0, ece - bias - reach), min(1.0, max(ece, ece - bias + reach))
    weight, mean_share, right = clusters.means(flat)[0, 0].reshape(3, BINS)
    with np.errstate(invalid="ignore"):
        return Calibration(ece, low, high, weight, mean_share / weight, right / weight)


def _ece(means: Floats) -> Floats:
    """Return the ECE from means [.., 1, 1, 3 x bins]."""
    bins = means.reshape(*means.shape[:-3], 3, BINS)
    error: Floats = np.abs(bins[..., 1, :] - bins[..., 2, :]).sum(axis=-1)
    return error
