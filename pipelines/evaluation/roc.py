"""ROC-AUC of single responses: how often a right one is scored above a wrong one, ties counted half.

An unreadable row loses all its comparisons: the row is wrong, and it is counted apart.
"""

import numpy as np

from pipelines.evaluation.arrays import Flags, Floats
from pipelines.evaluation.intervals import REPLICATES, Estimate, interval
from pipelines.evaluation.resampling import Clusters


def roc_auc(right: Flags, scores: Floats, weights: Floats | None = None) -> Floats:
    """Return the AUC under weights [.., rows], by the rows' labels and scores. It is NaN where all labels are equal."""
    weights = np.ones(len(right)) if weights is None else weights
    readable = np.flatnonzero(~np.isnan(scores))
    order = readable[np.argsort(scores[readable], kind="stable")]
    with np.errstate(invalid="ignore"):
        pairs = (weights @ right.astype(np.float64)) * (weights @ (~right).astype(np.float64))
        if not len(order):
            return np.where(pairs > 0, 0.0, np.nan)
        starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
        positive = np.add.reduceat(weights[..., order] * right[order], starts, axis=-1)
        negative = np.add.reduceat(weights[..., order] * ~right[order], starts, axis=-1)
        below = np.cumsum(negative, axis=-1) - negative / 2
        area: Floats = (positive * below).sum(axis=-1) / np.where(pairs > 0, pairs, np.nan)
    return area


def auc_estimate(
    clusters: Clusters, right: Flags, scores: Floats, *, replicates: int = REPLICATES, seed: int = 0
) -> Estimate:
    """Return the mean AUC over draws with its interval, from scores [rows, draws]."""
    value = np.mean([roc_auc(right, drawn) for drawn in scores.T], axis=0)
    change = []
    for weights in clusters.weights(replicates, seed):
        by_row = clusters.row_weights(weights)
        change.append(np.mean([roc_auc(right, drawn, by_row) for drawn in scores.T], axis=0) - value)
    changes = np.concatenate(change)
    variance = np.asarray(np.nanvar(changes) if np.isfinite(changes).any() else 0.0)
    low, high = interval(np.asarray(value), variance, clusters.count)
    return Estimate(np.asarray(value), low, high, np.sqrt(variance), clusters.count)
