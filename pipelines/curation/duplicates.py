"""Equal sets across sources: counted once, and dropped where they contradict each other."""

import polars as pl

from schemas.preference import DropReason


def duplicate_reasons(sets: pl.DataFrame) -> pl.Series:
    """Return, for each row, `duplicate`, `label_conflict` or null.

    `sets` has row (a number of its own for each), set_id, source_rank (order of the sources in the recipe), source_id,
    best, label and drop_reason; rows that have a drop_reason take no part. Since a set_id does not cover rewards, and
    responses stand in the order of their content, equal sets have comparable `best` whatever order their sources had.
    """
    verdict = pl.struct("best", "label").n_unique().over("set_id")
    rank = pl.struct("source_rank", "source_id", "row").rank("ordinal").over("set_id")
    kept = sets.filter(pl.col("drop_reason").is_null()).with_columns(
        reason=pl.when(verdict > 1)
        .then(pl.lit(DropReason.LABEL_CONFLICT.value))
        .when(rank > 1)
        .then(pl.lit(DropReason.DUPLICATE.value))
    )
    return sets.join(kept.select("row", "reason"), on="row", how="left", maintain_order="left")["reason"]
