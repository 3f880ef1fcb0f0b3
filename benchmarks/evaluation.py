"""Whether the figures of an evaluation are right, and how quickly they are made.

`python -m benchmarks.evaluation [--quick]` prints the figures below and at last one JSON object. --quick takes a tenth
of the simulated evaluations.

    max_z              Voting@k of simulated judges against the truth at every k up to 32, in standard errors: a judge
                       of pairs whose truth has a closed form, and one of four responses against a million draws
    coverage           how often 95 % intervals hold the truth of the population: 1,000 evaluations a cell, each of new
                       items and new samples, at 100 and 400 clusters, an accuracy of .5, .8 and .95, and Voting@1 and
                       @8 from 16 samples; every second cluster has two rows
    size_metarm_null   how often a Meta RM that knows nothing differs from its permuted scores at the level .05, over
                       1,000 evaluations of 400 rows, with 8 of 16 of 32 samples
    power_metarm_70    how often one with an AUC of .70 within rows does
    items_per_s        rows of four responses with 32 samples each, 10,000 of them, from stored answers on two cores:
                       reading, both curves, all selectors, intervals, claims, calibration, tables and page
    peak_mb            the most memory that the process took which does this
"""

import json
import sys
from itertools import product

import numpy as np

import flows  # noqa: F401 - it sets how polars keeps its memory, as the commands do, before polars is imported
from benchmarks.evaluated_items import measured
from benchmarks.simulated_judges import (
    RIGHT,
    PairJudge,
    best_is_right,
    beta_levels,
    levels_with,
    meta_scores,
    scoring_pool,
)
from pipelines.evaluation.arrays import Floats, top_shares
from pipelines.evaluation.claims import LEVEL, sign_flip
from pipelines.evaluation.intervals import each_subset, subset_estimates
from pipelines.evaluation.resampling import Clusters
from pipelines.evaluation.selectors import Keep, permuted, selected
from pipelines.evaluation.voting import voting_curve
from schemas.evaluation import Row

SAMPLES = 32
CONCENTRATION = 1.5
"""Of the rows' chances: two samples of a row correlate at 1 / (1 + 1.5) = .4."""
ROWS = 400
"""Of a simulated evaluation of a Meta RM."""
AT_ONCE = 50
"""Evaluations in memory together."""


def anonymous_rows(count: int) -> list[Row]:
    return [Row("row", "all", [], (), (), (RIGHT,))] * count


def furthest_of_pairs() -> float:
    """Return the furthest of Voting@1 to @32 from its closed form, in standard errors."""
    judge, drawn = PairJudge(tied=0.1, unreadable=0.1), np.random.default_rng(1)
    levels = beta_levels(0.7, CONCENTRATION)
    chances = drawn.choice(levels, 5_000)
    curve = voting_curve(best_is_right, anonymous_rows(5_000), judge.pool(chances, SAMPLES, drawn)).cells[..., 0]
    truth = np.array([judge.voting(levels, size).mean() for size in range(1, SAMPLES + 1)])
    error = curve.std(axis=0, ddof=1) / np.sqrt(len(curve))
    return float(np.abs((curve.mean(axis=0) - truth) / error).max())


def furthest_of_scores(draws: int) -> float:
    """Return the same for four responses, where each of the draws is a row of its own."""
    drawn = np.random.default_rng(2)
    pool = scoring_pool(2_000, SAMPLES, 4, drawn)
    curve = voting_curve(best_is_right, anonymous_rows(2_000), pool).cells[..., 0]
    right, squares = np.zeros(SAMPLES), np.zeros(SAMPLES)
    for _ in range(draws // 20_000):
        scores = scoring_pool(20_000, SAMPLES, 4, drawn)[:, 0].transpose(2, 0, 1).astype(np.float64)
        readable = np.cumsum(~np.isnan(scores[0]), axis=1) > 0
        sums = np.where(readable, np.cumsum(np.nan_to_num(scores), axis=2), np.nan)
        credit = top_shares(sums.transpose(1, 2, 0))[..., RIGHT]
        right += credit.sum(axis=0)
        squares += (credit**2).sum(axis=0)
    truth = right / draws
    variance = curve.var(axis=0, ddof=1) / len(curve) + (squares / draws - truth**2) / draws
    return float(np.abs((curve.mean(axis=0) - truth) / np.sqrt(variance)).max())


def coverage(n_clusters: int, accuracy: float, size: int, evaluations: int) -> float:
    """Return the share of evaluations whose interval holds the accuracy of the population."""
    judge, drawn = PairJudge(tied=0.02, unreadable=0.005), np.random.default_rng(3)
    levels = levels_with(judge, accuracy, size, CONCENTRATION)
    truth = judge.voting(levels, size).mean()
    cluster_of_row = np.repeat(np.arange(n_clusters), 1 + np.arange(n_clusters) % 2)
    clusters = Clusters([str(cluster) for cluster in cluster_of_row], ["all"] * len(cluster_of_row))
    held = 0
    for seed in range(evaluations // AT_ONCE):
        chances = drawn.choice(levels, (AT_ONCE, n_clusters))[:, cluster_of_row].ravel()
        pool = judge.pool(chances, SAMPLES // 2, drawn)
        curve = voting_curve(best_is_right, anonymous_rows(len(pool)), pool, [size], seed=seed)
        cells = curve.cells.reshape(AT_ONCE, len(cluster_of_row)).T[..., None]
        found = subset_estimates(each_subset, clusters, cells, seed=seed)["all"]
        held += int(((found.low <= truth) & (truth <= found.high)).sum())
    return held / evaluations


def rejected(auc: float, evaluations: int) -> float:
    """Return the share of evaluations in which a Meta RM of this AUC differs from its permuted scores."""
    drawn = np.random.default_rng(4)
    levels = beta_levels(0.7, CONCENTRATION)
    rejections = 0
    for seed in range(evaluations // AT_ONCE):
        pool = PairJudge().pool(drawn.choice(levels, AT_ONCE * ROWS), SAMPLES, drawn)
        signal = meta_scores(pool, auc, drawn)
        differences = chosen_by(signal, pool, seed) - chosen_by(permuted(signal, seed), pool, seed)
        p = sign_flip(differences.reshape(AT_ONCE, ROWS).T, seed=seed)
        rejections += int((p <= LEVEL).sum())
    return rejections / evaluations


def chosen_by(signal: Floats, pool: Floats, seed: int) -> Floats:
    rows = anonymous_rows(len(pool))
    return selected(best_is_right, rows, pool, signal, [SAMPLES // 2], [Keep.HALF], seed=seed)[:, 0, 0, 0]


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    evaluations = 100 if quick else 1_000
    rate, peak = measured(1_000 if quick else 10_000, SAMPLES)
    print(f"{rate:,.0f} items/s, {peak:,.0f} MB", flush=True)
    furthest = max(furthest_of_pairs(), furthest_of_scores(100_000 if quick else 1_000_000))
    print(f"Voting@k is at most {furthest:.2f} standard errors from the truth", flush=True)
    print(f"{'clusters':>8} {'accuracy':>8} {'k':>3} {'coverage':>8}")
    cells = {}
    for cell in product((100, 400), (0.5, 0.8, 0.95), (1, 8)):
        cells[cell] = coverage(*cell, evaluations)
        print(f"{cell[0]:>8} {cell[1]:>8} {cell[2]:>3} {cells[cell]:>8.3f}", flush=True)
    size, power = rejected(0.5, evaluations), rejected(0.7, evaluations)
    figures = {
        "coverage_min": min(cells.values()),
        "coverage_max": max(cells.values()),
        "max_z": round(furthest, 2),
        "size_metarm_null": size,
        "power_metarm_70": power,
        "items_per_s": round(rate),
        "peak_mb": round(peak),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
