"""A version's answers as today's reader reads them: what acceptance is compared with, where the reader has changed."""

import polars as pl

from pipelines.judging.extraction import read_answer
from pipelines.training_sets.rejection import DECISION_COLUMNS, decide
from schemas.recipe import RejectionSection
from schemas.trajectory import RejectReason
from storage.snapshots import Snapshot

JUDGED_TABLES = ("trajectories/accepted", "trajectories/rejected")
_COLUMNS = [
    *("trajectory_id", "set_id", "query_id", "source", "split", "mode", "sample_index", "order", "text"),
    *("finish_reason", "reject_reason"),
]
_MARKS = [name for name in DECISION_COLUMNS if name in set(RejectReason)]


def as_read_now(old: Snapshot, new: Snapshot, judged: pl.DataFrame) -> pl.DataFrame:
    """Return the old version's answers as today's reader reads them.

    `judged` holds those of the new version, with `trajectory_id` and `accepted`: an answer that both have is accepted
    as it is there, where the rules of rejection are the same; the others are read and decided anew.
    """
    read = read_anew(old)
    if old.manifest.recipe.get("rejection") != new.manifest.recipe.get("rejection"):
        return read
    there = judged.select("trajectory_id", accepted_there="accepted").unique("trajectory_id")
    return read.join(there, on="trajectory_id", how="left").with_columns(
        accepted=pl.coalesce("accepted_there", "accepted")
    )


def read_anew(snapshot: Snapshot) -> pl.DataFrame:
    """Return the answers that were judged for RFT, read and decided anew, by the version's own rules of rejection.

    A row has DECISION_COLUMNS, accepted and reject_reason. Texts are loaded a file at a time.
    """
    sets = pl.scan_parquet(snapshot.files("sets/kept"), glob=False).select("set_id", "best", "label").collect()
    paths = [path for table in JUDGED_TABLES for path in snapshot.files(table)]
    read = [_read(pl.read_parquet(path, columns=_COLUMNS), sets.unique("set_id")) for path in paths]
    recipe = snapshot.manifest.recipe
    known = recipe.get("rejection", {}).items()
    rules = RejectionSection.model_validate(
        {key: value for key, value in known if key in RejectionSection.model_fields}
    )
    rows = pl.concat(read).sort("query_id", "set_id", "trajectory_id")  # as the judged table is sorted
    return decide(rows, rules, recipe.get("grm", {}).get("n_rft", 3))


def _read(rows: pl.DataFrame, sets: pl.DataFrame) -> pl.DataFrame:
    """Return what a decision rests on of the trajectories of one file.

    What is no matter of the verdict, such as a hint that leaks, stays as it was found.
    """
    rows = rows.join(sets, on="set_id", how="left", maintain_order="left").with_columns(
        *((pl.col("reject_reason") == mark).fill_null(False).alias(mark) for mark in _MARKS),
        n_responses=pl.col("order").list.len().cast(pl.Int32),
    )
    positions = [
        None if best is None else list(order).index(best) for order, best in rows.select("order", "best").iter_rows()
    ]
    rows = rows.with_columns(pl.Series("best_position", positions, pl.Int32))
    columns = ("text", "finish_reason", "n_responses", "best_position", "label")
    outcomes = [read_answer(*answer, with_parts=False).outcome.value for answer in rows.select(columns).iter_rows()]
    return rows.with_columns(pl.Series("outcome", outcomes, pl.String)).select(DECISION_COLUMNS)
