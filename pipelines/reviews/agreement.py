"""Agreement between people, and of people with labels and judges, raw and weighted back to the source.

What someone finds is one of a few categories: the position of a response as shown, `tie`, or `right` and `wrong` for a
single response. Who could not tell takes no part. A set that several people reviewed counts once. Weighted, each set
stands for all sets of its stratum: as many as the stratum has, for each one that takes part. Several draws count by
their sets.

The 95 % intervals come from a bootstrap over sets. Where nobody disagrees, a bootstrap sees no spread; there Wilson's
bound of a share stands in.
"""

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.training_sets.proportions import Floats, wilson

REPLICATES = 2_000
_AT_ONCE = 1 << 22
"""Weights in memory together: sets times replicates."""
_QUANTILE = np.array(1.959964)
_MOST_PAIRS = 10
"""Of more people than five, the first pairs are shown; alpha covers all."""

Figure = Callable[[Floats], tuple[Floats, Floats]]
"""Sums of cells [.., C] to the share that is the same, and the share by chance, each [..]."""


def between_people(found: pl.DataFrame) -> dict[str, Any]:
    """Return Cohen's kappa of each two people and Krippendorff's alpha of all, over the sets that both reviewed.

    `found` has a row a person and set: set_id, reviewer (a number), category, draw_id, stratum and stratum_size.
    """
    reviewers = sorted(found["reviewer"].unique())
    pairs = [
        {"reviewers": list(pair), **_kappa(both)}
        for pair in list(combinations(reviewers, 2))[:_MOST_PAIRS]
        if (both := _side_by_side(found, *pair)).height
    ]
    shared = found.filter(pl.len().over("set_id") > 1)
    return {"reviewers": len(reviewers), "pairs": pairs, "alpha": _alpha(shared) if shared.height else None}


def with_others(found: pl.DataFrame, other: pl.DataFrame) -> dict[str, Any]:
    """Return how far people agree with labels or a judge: share and kappa. `other` has set_id and `other_category`."""
    return _kappa(found.join(other.select("set_id", "other_category"), on="set_id").drop_nulls("other_category"))


def by_source(found: pl.DataFrame, figure: Callable[[pl.DataFrame], dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return a figure of the sets of each source."""
    parts = found.partition_by("source", as_dict=True)
    return {str(source): figure(rows) for (source,), rows in sorted(parts.items())}


def set_weights(sets: pl.DataFrame) -> Floats:
    """Return how many sets of its stratum each of these stands for; `sets` has draw_id, stratum and stratum_size."""
    drawn, of_draw = pl.len().over("draw_id", "stratum"), pl.len().over("draw_id")
    weights: Floats = sets.select(pl.col("stratum_size") / drawn * of_draw / pl.len()).to_series().to_numpy()
    return weights


def _side_by_side(found: pl.DataFrame, first: int, second: int) -> pl.DataFrame:
    others = found.filter(reviewer=second).select("set_id", other_category="category")
    return found.filter(reviewer=first).join(others, on="set_id", maintain_order="left")


def _kappa(rows: pl.DataFrame) -> dict[str, Any]:
    """Return the agreement of `category` with `other_category`; several rows of a set are averaged."""
    if not rows.height:
        return {"sets": 0, "raw": None, "weighted": None}
    (first, second), names = _coded(rows["category"], rows["other_category"])
    sets, unit = _sets_of(rows)
    cells = np.zeros((sets.height, len(names) ** 2))
    np.add.at(cells, (unit, first * len(names) + second), 1.0)
    cells /= cells.sum(axis=1, keepdims=True)
    return {"sets": sets.height, **_both(cells, set_weights(sets), _cohen, "kappa")}


def _alpha(rows: pl.DataFrame) -> dict[str, Any]:
    (codes,), names = _coded(rows["category"])
    sets, unit = _sets_of(rows)
    counts = np.zeros((sets.height, len(names)))
    np.add.at(counts, (unit, codes), 1.0)
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(len(names))
    coincidences = pairs / (counts.sum(axis=1) - 1)[:, None, None]
    return {
        "sets": sets.height,
        **_both(coincidences.reshape(sets.height, -1), set_weights(sets), _krippendorff, "alpha"),
    }


def _coded(*columns: pl.Series) -> tuple[list[npt.NDArray[np.int64]], list[str]]:
    names = sorted(set().union(*(column.unique() for column in columns)))
    return [np.searchsorted(names, column.to_list()) for column in columns], names


def _sets_of(rows: pl.DataFrame) -> tuple[pl.DataFrame, npt.NDArray[np.int64]]:
    """Return a row for each set, and which of them each of the rows is of."""
    sets = rows.unique("set_id", keep="last").sort("set_id").select("set_id", "draw_id", "stratum", "stratum_size")
    return sets, np.searchsorted(sets["set_id"].to_list(), rows["set_id"].to_list())


def _cohen(sums: Floats) -> tuple[Floats, Floats]:
    """Return the share that is the same, and what chance would make of it, of a table of two people's categories."""
    table = _table(sums)
    total = table.sum(axis=(-2, -1))
    by_chance = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1) / total**2
    return np.trace(table, axis1=-2, axis2=-1) / total, by_chance


def _krippendorff(sums: Floats) -> tuple[Floats, Floats]:
    """Return the same of a table of coincidences."""
    table = _table(sums)
    values = table.sum(axis=-1)
    total = values.sum(axis=-1)
    by_chance = ((values**2).sum(axis=-1) - total) / (total * (total - 1))
    return np.trace(table, axis1=-2, axis2=-1) / total, by_chance


def _table(sums: Floats) -> Floats:
    width = round(sums.shape[-1] ** 0.5)
    return sums.reshape(*sums.shape[:-1], width, width)


def _both(cells: Floats, weights: Floats, figure: Figure, name: str) -> dict[str, Any]:
    """Return the figures of the sets as they are, and of what they stand for, each with its interval."""
    both = np.stack([cells, cells * (weights / weights.mean())[:, None]], axis=1)
    drawn = np.concatenate(list(_replicates(both)))
    return {
        kind: _estimates(both[:, place], drawn[:, place], figure, name)
        for place, kind in enumerate(("raw", "weighted"))
    }


def _estimates(cells: Floats, drawn: Floats, figure: Figure, name: str) -> dict[str, Any]:
    """Return a figure of sets' cells; `drawn` are the sums of replicates, [replicates, C]."""
    same, by_chance = (float(value) for value in figure(cells.sum(axis=0)))
    shares, chances = figure(drawn)
    if same in (0.0, 1.0):  # which all replicates have, too
        shares = np.array([float(bound) for bound in wilson(np.array(same), np.array(len(cells)), _QUANTILE)])
        chances = np.full(2, by_chance)
    beyond = _beyond(shares, chances)
    return {
        "same": _rounded(same),
        "same_interval": _interval(shares),
        name: _rounded(_beyond(np.array(same), np.array(by_chance))),
        f"{name}_interval": _interval(beyond),
    }


def _beyond(same: Floats, by_chance: Floats) -> Floats:
    """Return what is the same beyond chance, as a share of what could be; NaN where chance alone makes all the same."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((same - by_chance) / (1 - by_chance), np.float64)


def _interval(replicates: Floats) -> list[float | None]:
    finite = replicates[np.isfinite(replicates)]
    if not len(finite):
        return [None, None]
    ends = [finite.min(), finite.max()] if len(replicates) == 2 else np.percentile(finite, [2.5, 97.5])
    return [_rounded(end) for end in ends]


def _replicates(cells: Floats) -> Iterator[Floats]:
    """Yield the sums of cells over sets that are drawn anew, [replicates, ..] in chunks."""
    sets, rng = len(cells), np.random.default_rng(0)
    size = max(1, min(REPLICATES, _AT_ONCE // sets))
    for start in range(0, REPLICATES, size):
        count = min(size, REPLICATES - start)
        picked = rng.integers(0, sets, size=(count, sets)) + np.arange(count)[:, None] * sets
        often = np.bincount(picked.ravel(), minlength=count * sets).reshape(count, sets)
        yield np.tensordot(often.astype(np.float64), cells, axes=1)


def _rounded(value: Any) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
