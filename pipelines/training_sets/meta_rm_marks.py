"""Which judged rows Meta RM takes, of all sets: whole sets are looked at some at a time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from pipelines.training_sets.balance import rounded
from pipelines.training_sets.meta_rm import (
    IS_CANDIDATE,
    auc_of,
    by_share,
    chosen_among,
    eligible,
    meta_rm_candidates,
)
from schemas.trajectory import Purpose

PURPOSES = (Purpose.RFT, Purpose.ON_POLICY)
_COLUMNS = ["trajectory_id", "set_id", "split", "model", "mode", "outcome", "draft_verdict", "too_long"]
_ELIGIBLE = ["place", "set_id", "split", "model", "right", "set_correct", "set_readable", "pairs"]
_PART_ROWS = 250_000


def mark_meta_rm(frames: dict[Purpose, pl.DataFrame], one_label_share: float, suspects: pl.DataFrame) -> dict[str, Any]:
    """Add in_meta_rm, right, set_correct and set_readable to the frames; return the check. The last three mean nothing
    where the row is not chosen."""
    purposes = [purpose for purpose in PURPOSES if purpose in frames]
    columns = [name for name in _COLUMNS if name in frames[purposes[0]].columns]
    rows = pl.concat([frames[purpose].lazy().select(columns) for purpose in purposes]).with_row_index("place")
    n_rows = sum(frames[purpose].height for purpose in purposes)
    candidates, shares, found = 0, [], []
    for part in range(n_parts := 1 + n_rows // _PART_ROWS):
        of_part = rows.filter(pl.col("set_id") % n_parts == part).filter(IS_CANDIDATE).collect()
        of_part = trusted(meta_rm_candidates(of_part), suspects)
        candidates += of_part.height
        shares.append(by_share(of_part))
        small = pl.col("set_correct", "set_readable", "pairs").cast(pl.UInt16)
        found.append(eligible(of_part).select(_ELIGIBLE).with_columns(small))
    chosen = chosen_among(pl.concat(found), one_label_share)
    _mark(frames, purposes, chosen)
    return {
        "candidates": candidates,
        "rows": chosen.height,
        "on_policy": int(frames[Purpose.ON_POLICY]["in_meta_rm"].sum()) if Purpose.ON_POLICY in frames else 0,
        "negatives": rounded(chosen.filter(~pl.col("right")).height / chosen.height) if chosen.height else None,
        "set_alone_auc_before": rounded(auc_of(pl.concat(shares))),
        "set_alone_auc": rounded(auc_of(by_share(chosen))),
    }


def trusted(candidates: pl.DataFrame, suspects: pl.DataFrame) -> pl.DataFrame:
    """Return the candidates whose set is not suspect, and that are not too long."""
    candidates = candidates.join(suspects, on="set_id", how="anti")
    return candidates.filter(~pl.col("too_long")) if "too_long" in candidates.columns else candidates


def passed_over(frames: Mapping[Purpose, pl.DataFrame], suspects: pl.DataFrame, purpose: Purpose) -> list[pl.LazyFrame]:
    """Return the candidates of a purpose whose set is suspect, and the others that are too long."""
    candidates = frames[purpose].lazy().filter(IS_CANDIDATE)
    suspect = candidates.join(suspects.lazy(), on="set_id", how="semi")
    if "too_long" not in frames[purpose].columns:
        return [suspect, candidates.filter(pl.lit(False))]
    return [suspect, candidates.filter("too_long").join(suspects.lazy(), on="set_id", how="anti")]


def _mark(frames: dict[Purpose, pl.DataFrame], purposes: list[Purpose], chosen: pl.DataFrame) -> None:
    start = 0
    for purpose in purposes:
        rows = frames[purpose].height
        here = chosen.filter(pl.col("place").is_between(start, start + rows, closed="left"))
        places, marks = here["place"].to_numpy() - start, []
        for name, kind in (("right", bool), ("set_correct", np.uint16), ("set_readable", np.uint16)):
            values = np.zeros(rows, kind)
            values[places] = here[name].to_numpy()
            marks.append(pl.Series(name, values))
        is_chosen = np.zeros(rows, bool)
        is_chosen[places] = True
        frames[purpose] = frames[purpose].with_columns(*marks, in_meta_rm=pl.Series(is_chosen))
        start += rows
