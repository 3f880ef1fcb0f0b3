"""What judges found of some sets of a snapshot: the response that the mean of their readable scores puts first."""

from collections.abc import Collection

import polars as pl

from schemas.trajectory import TRAJECTORIES, Mode, Purpose
from storage.snapshots import Snapshot
from storage.tables import read_batches

ROLES = {Purpose.RFT: "grm", Purpose.DIFFICULTY: "difficulty", Purpose.ON_POLICY: "policy", Purpose.PAIRED: "paired"}
_COLUMNS = ["set_id", "purpose", "mode", "model", "sample_index", "order", "scores"]
_JUDGE = ["set_id", "role", "model"]
VERDICTS = {"set_id": pl.String, "role": pl.String, "model": pl.String, "samples": pl.Int64, "pick": pl.Int64}


def verdicts_of(snapshot: Snapshot, sets: Collection[str]) -> pl.DataFrame:
    """Return a row for each judge and set: set_id, role, model, samples (readable, without a hint) and pick.

    pick is the index in the set of the response with the highest mean score, null for a tie. Of a set of one response
    it is the label that most samples give, null for as many of each.
    """
    wanted, parts = pl.Series("set_id", sorted(sets), pl.String), [pl.DataFrame(schema=VERDICTS)]
    tables = [table for table in sorted(snapshot.manifest.tables) if table.startswith("trajectories/")]
    paths = [path for table in tables for path in snapshot.files(table)]
    read = [
        pl.DataFrame(batch)
        .filter(
            pl.col("set_id").is_in(wanted.implode())
            & (pl.col("mode") == Mode.NON_HINTED.value)
            & pl.col("scores").is_not_null()
        )
        .select(*_COLUMNS)
        for batch in read_batches(paths, TRAJECTORIES, _COLUMNS)
    ]
    samples = pl.concat(read) if read else pl.DataFrame()
    if samples.height:
        samples = samples.with_columns(role=pl.col("purpose").replace(ROLES))
        parts += [_of_one(samples.filter(pl.col("scores").list.len() == 1)), _of_several(samples)]
    return pl.concat([part.select(pl.col(name).cast(kind) for name, kind in VERDICTS.items()) for part in parts]).sort(
        *_JUDGE
    )


def _of_one(samples: pl.DataFrame) -> pl.DataFrame:
    share = samples.group_by(_JUDGE).agg(samples=pl.len(), share=(pl.col("scores").list.first() >= 1).mean())
    return share.with_columns(pick=pl.when(pl.col("share") != 0.5).then((pl.col("share") > 0.5).cast(pl.Int64)))


def _of_several(samples: pl.DataFrame) -> pl.DataFrame:
    several = samples.filter(pl.col("scores").list.len() > 1)
    means = (
        several.select(*_JUDGE, "order", "scores")
        .explode("order", "scores")
        .group_by(*_JUDGE, "order")
        .agg(mean=pl.col("scores").mean().round(9), samples=pl.len())
    )
    best = means.filter(pl.col("mean") == pl.col("mean").max().over(_JUDGE))
    return best.group_by(_JUDGE).agg(
        samples=pl.col("samples").first(), pick=pl.when(pl.len() == 1).then(pl.col("order").first())
    )
