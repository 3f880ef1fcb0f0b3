"""What samples say about their own quality, without labels. Each signal is higher for a sample that looks better.

A signal is float [rows, prompts, samples], NaN for a sample that could not be read. Two more are known from outside:
the number of tokens of a sample, and the mean log-probability of its tokens.
"""

import numpy as np
import numpy.typing as npt

from pipelines.evaluation.arrays import Floats, readable_samples, top_shares


def agreement(pool: npt.NDArray[np.floating]) -> Floats:
    """Return the share of a prompt's readable samples that put the same response on top; m on top count 1/m each."""
    shares = top_shares(pool)
    readable = readable_samples(pool)
    mean = shares.sum(axis=-2) / np.maximum(readable.sum(axis=-1), 1)[..., None]
    overlap = (shares * mean[..., None, :]).sum(axis=-1)
    return np.where(readable, overlap, np.nan)


def own_margin(pool: npt.NDArray[np.floating]) -> Floats:
    """Return how far a sample's best score stands above its second best: 0 where it shows one response."""
    return _margin(np.asarray(pool, np.float64))


def own_spread(pool: npt.NDArray[np.floating]) -> Floats:
    """Return the standard deviation of a sample's scores: 0 where it shows one response."""
    spread: Floats = np.asarray(pool, np.float64).std(axis=-1)
    return spread


def vote_margin(pool: npt.NDArray[np.floating]) -> Floats:
    """Return a prompt's margin, [rows, prompts]: how far the best mean score stands above the second best."""
    readable = readable_samples(pool).sum(axis=-1)
    with np.errstate(invalid="ignore"):
        means = np.nansum(pool, axis=-2, dtype=np.float64) / readable[..., None]
    return _margin(means)


def _margin(scores: Floats) -> Floats:
    if scores.shape[-1] == 1:
        return np.where(np.isnan(scores[..., 0]), np.nan, 0.0)
    ordered = np.sort(scores, axis=-1)
    margin: Floats = ordered[..., -1] - ordered[..., -2]
    return margin
