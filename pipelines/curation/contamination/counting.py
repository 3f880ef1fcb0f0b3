"""What a build says of contamination: the check `contamination`, and its rows of the funnel."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from pipelines.curation.contamination.comparing import Tier
from schemas.preference import DropReason
from schemas.recipe import DecontaminateSection

STAGE = "contaminated"
"""What the funnel calls it; an outcome is `benchmark: drop` or `benchmark: mark`."""


def contamination_check(
    section: DecontaminateSection,
    benchmarks: Sequence[Mapping[str, Any]],
    own: Mapping[str, str],
    found: pl.DataFrame,
) -> dict[str, Any]:
    """Return the check of a build. A row that left for another reason counts for none.

    `benchmarks` are those that rows were compared with. `own` is the signature of each source that is a benchmark
    itself, by the source's name. The rows of `found` have source, contaminated_by and drop_reason.
    """
    is_dropped = pl.col("drop_reason") == DropReason.CONTAMINATED.value
    counts = (
        found.filter(pl.col("drop_reason").is_null() | is_dropped)
        .with_columns(tier=pl.when(is_dropped).then(pl.lit(Tier.DROP.value)).otherwise(pl.lit(Tier.MARK.value)))
        .group_by("source", benchmark="contaminated_by", tier="tier")
        .len("rows")
        .sort("source", "benchmark", "tier")
    )
    return {
        "over": section.over,
        "shingles": section.shingles,
        "similarity": section.similarity,
        "benchmarks": benchmarks,
        "own": [{"source": source, "benchmark": name} for source, name in own.items()],
        "hits": counts.to_dicts(),
    }


def contamination_funnel(check: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the funnel's rows, in the order of the check."""
    return [
        {"source": hit["source"], "stage": STAGE, "outcome": f"{hit['benchmark']}: {hit['tier']}", "rows": hit["rows"]}
        for hit in check.get("hits", ())
    ]
