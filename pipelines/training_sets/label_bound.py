"""How many labels of a source may be wrong, while no person has looked at any: a bound, never a figure.

Judges that disagree with labels say that judge or label is wrong, never which. But if a judge errs as often where the
label is wrong as where it is right, and fewer than half of the labels are wrong, no more of them can be wrong than the
judge disagrees with. Each judge gives such a bound, at the upper end of a one-sided 95 % interval over sets, shared out
among the judges; the lowest counts. Where a judge disagrees with half of the labels or more it bounds nothing.
"""

from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl

from pipelines.training_sets.proportions import wilson
from pipelines.training_sets.votes import NOT_JUDGES

ASSUMES = (
    "the judge's errors do not depend on whether the label is wrong: both may not be misled by the same thing, such as "
    "length",
    "the judge is right more often than by chance, and fewer than half of the labels are wrong",
    "labels of sets without a readable judgement are no worse than others",
)
_BY_CHANCE = 0.05
_DIGITS = 4


def noise_bound(patterns: pl.DataFrame) -> dict[str, Any]:
    """Return the check on label noise by judges alone: what is assumed, and the bound of each source.

    `patterns` are what `votes.patterns_of` counts. `at_most` is None where no judge bounds anything. Empty where
    nothing was judged.
    """
    total = pl.col("on_label") + pl.col("others").list.sum()
    judges = (
        patterns.filter(~pl.col("judge").is_in(NOT_JUDGES))
        .group_by("source", "judge")
        .agg(
            sets=pl.col("sets").sum(),
            disagrees=((1 - pl.col("on_label") / total) * pl.col("sets")).sum() / pl.col("sets").sum(),
        )
        .with_columns(judges=pl.len().over("source"))
        .sort("source", "judge")
    )
    if judges.is_empty():
        return {}
    quantiles = [NormalDist().inv_cdf(1 - _BY_CHANCE / judges_of_source) for judges_of_source in judges["judges"]]
    _, at_most = wilson(
        judges["disagrees"].to_numpy(), judges["sets"].to_numpy().astype(np.float64), np.array(quantiles)
    )
    bounds = judges.with_columns(at_most=pl.Series(at_most)).sort("source", "at_most", "judge")
    lowest = bounds.unique("source", keep="first", maintain_order=True)
    return {"assumes": list(ASSUMES), "sources": [_row(**row) for row in lowest.to_dicts()]}


def _row(source: str, judge: str, sets: int, disagrees: float, at_most: float, **_: Any) -> dict[str, Any]:
    return {
        "source": source,
        "judge": judge,
        "sets": sets,
        "disagrees": round(disagrees, _DIGITS),
        "at_most": round(at_most, _DIGITS) if at_most < 0.5 else None,
    }
