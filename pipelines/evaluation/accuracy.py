"""The figures of one benchmark: each published figure, accuracy and each subset, by selector and k, with intervals."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipelines.evaluation.arrays import Floats
from pipelines.evaluation.claims import Compared, compared
from pipelines.evaluation.curves import (
    KEEPS,
    PERMUTED,
    VOTING,
    Rows,
    available,
    blind_judges,
    bound,
    selected_cells,
    sizes_of,
    vote_curve,
)
from pipelines.evaluation.gains import gain_parts, gain_values
from pipelines.evaluation.intervals import Estimate, Scale, estimates
from pipelines.evaluation.resampling import Clusters
from pipelines.evaluation.roc import auc_estimate
from pipelines.evaluation.selectors import Keep
from pipelines.evaluation.subsets import subset_votes
from schemas.evaluation import Curve

ACCURACY, AUC = "accuracy", "auc"
SUBSET = "subset: "
"""What the figure of a subset is called, with its name behind it."""
GREEDY, PASS = "greedy", "pass"
GAINS = ("gain by readability", "gain by ties", "gain by judgement")


class Figure(NamedTuple):
    """One figure, as the table of figures has it."""

    figure: str
    selector: str
    curve: str
    k: int
    value: float
    low: float | None
    high: float | None
    items: int
    clusters: int


@dataclass(frozen=True)
class Found:
    """What a benchmark's judgements come to."""

    figures: list[Figure]
    cells: Mapping[tuple[str, int], Floats]
    """[rows, cells] by (selector, k): what each row contributes; empty where no score is right or wrong."""
    compared: Compared | None
    """The comparisons that were fixed beforehand; None where nothing can be compared."""


def selector_name(name: str, keep: Keep) -> str:
    """Return what tables call a selector: how many of the k samples it lets vote stands behind its name."""
    return f"{name} { ({Keep.HALF: 'k/2', Keep.QUARTER: 'k/4', Keep.ONE: '1'}[keep]) }"


class Summary:
    """Turns cells of rows into figures with intervals."""

    def __init__(self, rows: Rows, clusters: Sequence[str], replicates: int, *, limited: bool) -> None:
        self.rows, self.replicates, self._limited = rows, replicates, limited
        self.clusters = Clusters(clusters, [row.subset for row in rows.rows])
        counts = Counter(row.subset for row in rows.rows)
        self._counts = {subset: counts[subset] for subset in self.clusters.subsets}
        self._shares = np.array(list(self._counts.values())) / len(rows.rows)

    def by_name(self, means: Floats) -> dict[str, Floats]:
        """Return every figure of means [.., subsets, cells]."""
        with np.errstate(invalid="ignore"):
            accuracy = (means[..., 0] * self._shares).sum(axis=-1)
        published = self.rows.benchmark.figures(self._counts, means, limited=self._limited)
        subsets = {
            f"{SUBSET}{name}": means[..., place, 0]
            for place, name in enumerate(self.clusters.subsets)
            if name not in published
        }
        return {ACCURACY: accuracy, **published, **(subsets if len(self._counts) > 1 else {})}

    def figures(self, selector: str, sizes: Sequence[int], cells: Floats, curve: Curve = Curve.ALL) -> Iterator[Figure]:
        """Yield every figure of cells [rows, sizes, cells]."""
        found = estimates(self.by_name, self.clusters, cells, replicates=self.replicates, seed=self.rows.seed)
        for name, estimate in found.items():
            yield from self._of(name, selector, sizes, estimate, curve)

    def _of(self, name: str, selector: str, sizes: Sequence[int], estimate: Estimate, curve: Curve) -> Iterator[Figure]:
        items = self._counts.get(name.removeprefix(SUBSET), len(self.rows.rows))
        values = zip(sizes, estimate.value, estimate.low, estimate.high, strict=True)
        for k, value, low, high in values:
            if np.isfinite(value):
                yield Figure(name, selector, curve, k, float(value), float(low), float(high), items, estimate.clusters)


def evaluated(
    rows: Rows,
    clusters: Sequence[str],
    greedy: Floats | None,
    replicates: int,
    family: Sequence[str] | None,
    *,
    limited: bool,
) -> Found:
    """Return the figures of a benchmark under one judge. `greedy` are cells [rows, cells].

    `limited` says that rows of the benchmark were left out.
    `family` are the selectors that are compared with voting, at half of the samples; all but the nulls unless given.
    """
    summary = Summary(rows, clusters, replicates, limited=limited)
    every_k, some_k = sizes_of(rows)
    if not rows.has_right_and_wrong:
        return Found(list(_aucs(summary, some_k)), {}, None)
    figures: list[Figure] = []
    curve = vote_curve(rows, every_k)
    figures += summary.figures(VOTING, every_k, curve.cells)
    readable = vote_curve(rows, every_k, readable_only=True).cells
    figures += summary.figures(VOTING, every_k, np.nan_to_num(readable), Curve.READABLE)
    figures += _gains(summary, every_k, gain_values(curve))
    figures += summary.figures(PASS, some_k, bound(rows, some_k))
    cells = {(VOTING, k): curve.cells[:, place] for place, k in enumerate(every_k) if k in some_k}
    if greedy is not None:
        figures += summary.figures(GREEDY, (1,), greedy[:, None])
        cells[GREEDY, 1] = greedy
    for name, found in blind_judges(rows).items():
        figures += summary.figures(name, (1,), found[:, None])
    names = available(rows) if rows.samples > 1 else []  # of one sample there is nothing to choose
    chosen = selected_cells(rows, [VOTING, *names], some_k)
    for name in names:
        for place, keep in enumerate(KEEPS):
            figures += summary.figures(selector_name(name, keep), some_k, chosen[name][:, :, place])
    cells |= {
        (selector_name(name, Keep.HALF), k): chosen[name][:, place, 0]
        for name in names
        for place, k in enumerate(some_k)
    }
    if all(len(row.responses) == 1 for row in rows.rows):
        figures += _aucs(summary, some_k)
    return Found(figures, cells, _compared(summary, chosen, names, some_k, family))


def _gains(summary: Summary, sizes: Sequence[int], values: Floats) -> Iterator[Figure]:
    """Yield how much of the gain over one sample comes from where."""

    def parts(means: Floats) -> dict[str, Floats]:
        split = gain_parts(means)
        return {name: summary.by_name(split[..., place, :, :])[ACCURACY] for place, name in enumerate(GAINS)}

    found = estimates(
        parts, summary.clusters, values, Scale.DIFFERENCE, replicates=summary.replicates, seed=summary.rows.seed
    )
    for name, estimate in found.items():
        for k, value, low, high in zip(sizes, estimate.value, estimate.low, estimate.high, strict=True):
            items = len(summary.rows.rows)
            if k > 1:
                yield Figure(
                    ACCURACY, name, Curve.ALL, k, float(value), float(low), float(high), items, estimate.clusters
                )


def _aucs(summary: Summary, sizes: Iterable[int]) -> Iterator[Figure]:
    """Yield ROC-AUC over the mean scores of single responses."""
    rows = summary.rows
    right = np.array([bool(row.right) for row in rows.rows])
    for k in sizes:
        scores = rows.gathered([subset_votes(pool.scores, k, seed=rows.seed)[:, :, 0, 0] for pool in rows.pools])
        found = auc_estimate(summary.clusters, right, scores, replicates=summary.replicates, seed=rows.seed)
        if np.isfinite(found.value):
            bounds = float(found.low), float(found.high)
            yield Figure(AUC, VOTING, Curve.ALL, k, float(found.value), *bounds, len(right), found.clusters)


def _compared(
    summary: Summary,
    chosen: Mapping[str, Floats],
    names: Sequence[str],
    sizes: Sequence[int],
    family: Sequence[str] | None,
) -> Compared | None:
    """Test each selector against voting at half of the samples, the largest k that has many subsets."""
    k = max(1, sizes[-1] // 2)
    place = sizes.index(k)
    members = [name for name in names if name != PERMUTED] if family is None else list(family)
    members = [name for name in members if name in chosen]
    if not members or k < 2:
        return None
    differences = np.stack([chosen[name][:, place, 0] - chosen[VOTING][:, place, 0] for name in members], axis=1)
    figure = ACCURACY
    return compared(
        members,
        lambda subsets, means: summary.by_name(means),
        figure,
        summary.clusters,
        differences,
        seed=summary.rows.seed,
    )
