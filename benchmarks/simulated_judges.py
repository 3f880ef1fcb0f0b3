"""Judges whose accuracy is known: pools of their answers, and what Voting@k of them is in truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.evaluation.arrays import Floats, Pool, top_shares
from schemas.evaluation import Row

RIGHT = 0
"""The index of the right response of every simulated row."""


def best_is_right(_rows: Sequence[Row], votes: Floats) -> Floats:
    """The rule of most benchmarks: the right response on top, a tie by its expected credit."""
    return top_shares(votes[:, :, 0])[..., RIGHT, None]


@dataclass(frozen=True)
class PairJudge:
    """Judges pairs. A sample is unreadable, a tie, right with the row's own chance, or wrong."""

    tied: float = 0.02
    unreadable: float = 0.01

    def pool(self, chance: Floats, samples: int, drawn: np.random.Generator) -> Pool:
        """Return answers for rows with these chances that a decided sample is right, [rows, 1, samples, 2]."""
        kind = drawn.random((len(chance), 1, samples), dtype=np.float32)
        right = drawn.random((len(chance), 1, samples), dtype=np.float32) < chance[:, None, None]
        scores = np.where(np.stack([right, ~right], axis=-1), np.float32(8), np.float32(5))
        scores[kind < self.tied + self.unreadable] = 6
        scores[kind < self.unreadable] = np.nan
        return scores

    def voting(self, chance: Floats, size: int) -> Floats:
        """Return Voting@k of rows with these chances, by the distribution of right less wrong samples."""
        decided = 1 - self.tied - self.unreadable
        margin = np.zeros((len(chance), 2 * size + 1))
        margin[:, size] = 1
        for _ in range(size):
            up, down = np.roll(margin, 1, axis=1), np.roll(margin, -1, axis=1)
            margin = margin * (1 - decided) + decided * (chance[:, None] * up + (1 - chance[:, None]) * down)
        level = margin[:, size] - self.unreadable**size
        truth: Floats = margin[:, size + 1 :].sum(axis=1) + level / 2
        return truth


def beta_levels(mean: float, concentration: float, levels: int = 4_000) -> Floats:
    """Return equally likely values of a beta distribution: what a row's chance is among all rows."""
    grid = (np.arange(400_000) + 0.5) / 400_000
    log_density = (mean * concentration - 1) * np.log(grid) + ((1 - mean) * concentration - 1) * np.log1p(-grid)
    mass = np.cumsum(np.exp(log_density - log_density.max()))
    values: Floats = np.interp((np.arange(levels) + 0.5) / levels, mass / mass[-1], grid)
    return values


def levels_with(judge: PairJudge, accuracy: float, size: int, concentration: float) -> Floats:
    """Return levels of chance at which Voting@k of all rows is as wanted, almost: the caller takes the truth itself."""
    low, high = 0.01, 0.995
    for _ in range(20):
        middle = (low + high) / 2
        reached = judge.voting(beta_levels(middle, concentration, 400), size).mean()
        low, high = (middle, high) if reached < accuracy else (low, middle)
    return beta_levels(low, concentration)


def scoring_pool(rows: int, samples: int, shown: int, drawn: np.random.Generator, unreadable: float = 0.03) -> Pool:
    """Return answers of a judge that scores each response from 1 to 10: each has a quality of its own for the row."""
    quality = drawn.normal(0, 1, (rows, 1, 1, shown)).astype(np.float32)
    quality[..., RIGHT] += 1
    noise = drawn.standard_normal((rows, 1, samples, shown), dtype=np.float32) * np.float32(1.5)
    scores = np.clip(np.rint(6 + quality + noise), 1, 10).astype(np.float32)
    scores[drawn.random((rows, 1, samples), dtype=np.float32) < unreadable] = np.nan
    return scores


def meta_scores(pool: Pool, auc: float, drawn: np.random.Generator) -> npt.NDArray[Any]:
    """Return scores of a Meta RM that tells right samples from wrong ones within a row at this AUC."""
    right = np.nan_to_num(pool[..., RIGHT]) > np.nan_to_num(np.delete(pool, RIGHT, axis=-1)).max(axis=-1)
    distance = sqrt(2) * NormalDist().inv_cdf(auc)
    scores = drawn.standard_normal(pool.shape[:3]) + distance * right
    scores[np.isnan(pool[..., 0])] = np.nan
    return scores
