"""Everything that an evaluation computes from the pool of a benchmark, in the order in which it is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.simulated_judges import RIGHT, best_is_right, meta_scores, scoring_pool
from pipelines.evaluation.arrays import Floats, Pool
from pipelines.evaluation.calibration import calibration, vote_shares
from pipelines.evaluation.claims import claims, compared
from pipelines.evaluation.gains import gain_figures, gain_values
from pipelines.evaluation.intervals import Scale, estimates, subset_estimates
from pipelines.evaluation.nulls import first_shown, longest
from pipelines.evaluation.resampling import Clusters
from pipelines.evaluation.selectors import Keep, permuted, selected, selector_sizes
from pipelines.evaluation.signals import agreement, own_margin, own_spread, vote_margin
from pipelines.evaluation.subsets import subset_votes
from pipelines.evaluation.voting import best_of, cells_of, voting_curve
from schemas.evaluation import Protocol, Row
from schemas.preference import Response

SHOWN = 4
SUBSETS = 20


@dataclass(frozen=True)
class Items:
    """A benchmark's rows with their pool and what is known of each sample."""

    rows: Sequence[Row]
    clusters: Clusters
    pool: Pool
    greedy: Pool
    lengths: Floats
    """[rows, responses]"""
    signals: dict[str, Floats | None]


def items(count: int, samples: int) -> Items:
    """Return rows in twenty subsets; every tenth row shares its query with the row before."""
    drawn = np.random.default_rng(0)
    responses = tuple(Response(f"Response {index}.", None) for index in range(SHOWN))
    names = tuple("ABCD")
    rows = [Row(str(n), f"subset {n % SUBSETS}", [], responses, names, (RIGHT,)) for n in range(count)]
    query = [str(n - SUBSETS if n % 10 == 9 and n >= SUBSETS else n) for n in range(count)]
    pool = scoring_pool(count, samples, SHOWN, drawn)
    signals: dict[str, Floats | None] = {
        "meta_rm": meta_scores(pool, 0.6, drawn),
        "agreement": None,
        "margin": own_margin(pool),
        "spread": own_spread(pool),
        "length": drawn.integers(100, 900, pool.shape[:3]).astype(np.float64),
        "log_probability": -drawn.random(pool.shape[:3]),
    }
    signals["permuted"] = permuted(signals["meta_rm"], 0) if signals["meta_rm"] is not None else None
    return Items(
        rows,
        Clusters(query, [row.subset for row in rows]),
        pool,
        scoring_pool(count, 1, SHOWN, drawn),
        drawn.integers(20, 400, (count, SHOWN)).astype(np.float64),
        signals,
    )


def totals(subsets: Sequence[str], means: Floats) -> dict[str, Floats]:
    """Return every subset, and a total of equal weights, as benchmarks publish them."""
    by_name = {name: means[..., place, 0] for place, name in enumerate(subsets)}
    return by_name | {"total": means[..., 0].mean(axis=-1)}


def evaluated(items: Items) -> dict[str, Any]:
    """Return every figure with its interval, and the claims."""
    rows, pool, clusters = items.rows, items.pool, items.clusters
    samples = pool.shape[2]
    sizes = selector_sizes(samples)
    curve = voting_curve(best_is_right, rows, pool)
    of_readable = voting_curve(best_is_right, rows, pool, readable_only=True)
    greedy = voting_curve(best_is_right, rows, items.greedy)
    chosen = {name: selected(best_is_right, rows, pool, signal, sizes) for name, signal in items.signals.items()}
    nulls = {
        "first": cells_of(best_is_right, rows, first_shown(rows, Protocol.JOINT)),
        "longest": cells_of(best_is_right, rows, longest(rows, Protocol.JOINT, items.lengths)),
    }
    columns = [
        curve.cells,
        of_readable.cells,
        greedy.cells,
        best_of(best_is_right, rows, pool, sizes),
        *(cells.reshape(len(rows), -1, 1) for cells in chosen.values()),
        *(cells[:, None] for cells in nulls.values()),
    ]
    half = sizes.index(samples // 2)
    names = [f"{name} of {keep}" for name in chosen for keep in Keep if keep is not Keep.ALL]
    differences = np.concatenate([cells[:, half, :3] - cells[:, half, 3:] for cells in chosen.values()], axis=1)
    family = compared(names, totals, "total", clusters, differences)
    votes = subset_votes(pool, samples // 2)
    everywhere = Clusters([row.row_id for row in rows], ["all"] * len(rows))
    return {
        "figures": subset_estimates(totals, clusters, np.concatenate(columns, axis=1)),
        "gains": estimates(
            lambda means: gain_figures(totals, clusters.subsets, means), clusters, gain_values(curve), Scale.DIFFERENCE
        ),
        "claims": claims([family] if family else []),
        "calibration": calibration(everywhere, vote_shares(pool, samples // 2), best_is_right(rows, votes)[..., 0]),
        "agreement": agreement(pool),
        "vote_margin": vote_margin(pool),
    }
