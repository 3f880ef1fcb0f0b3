"""Origins: which query and which set came from which source, by their ids.

Stages and published versions say so themselves. Before one of them is removed, its origins are put down here, without
any text, so that `grmforge forget` finds the answers of a source for as long as they are kept:

    origins/<stage>-<fingerprint>.parquet
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa

from schemas.errors import StorageError
from schemas.record import content_id, table_schema
from storage.root import Root
from storage.snapshots import every_snapshot
from storage.stages import Stage, every_stage, read_stage
from storage.tables import filled, open_parquet, parquet_keys, put_table, read_folder

FOLDER = "origins"

ORIGINS = table_schema(
    "origins",
    [
        pa.field("source", pa.string()),
        pa.field("row_id", pa.string()),
        pa.field("query_id", pa.string()),
        pa.field("set_id", pa.string()),
    ],
)
"""`row_id` is a hash of the row's own id in its source; `set_id` is null for questions and general rows."""

_MAKERS = ("source-", "general", "synthesized-", "rephrased-")
"""Stages that give rows their ids; all others pass them on."""
_TABLES = ("sets", "questions", "general")


def remember_origins(root: Root, key: str) -> None:
    """Put down what a stage that is about to go says of its rows' origins."""
    name, fingerprint = key.split("/")[1:]
    if not name.startswith(_MAKERS):
        return
    try:
        table = _of_stage(read_stage(root, key))
    except StorageError:
        return
    if table.num_rows:
        put_table(root, f"{FOLDER}/{name}-{fingerprint}.parquet", table)


def read_origins(root: Root) -> pl.DataFrame:
    """Return every (source, row_id, query_id, set_id) that a root knows of, once."""
    tables = [read_folder(root, FOLDER, ORIGINS)]
    for _, stage in every_stage(root, _MAKERS):
        with contextlib.suppress(StorageError):
            tables.append(_of_stage(stage))
    for snapshot in every_snapshot(root):
        tables.append(_origins([path for table in ("sets/kept", "sets/dropped") for path in snapshot.files(table)]))
    return pl.DataFrame(pa.concat_tables(tables)).unique()


def origin_files(root: Root) -> list[str]:
    """Return the keys of what was put down."""
    return parquet_keys(root, FOLDER)


def _of_stage(stage: Stage | None) -> pa.Table:
    return _origins([path for name in _TABLES for path in stage.paths(name)] if stage else [])


def _origins(paths: Sequence[Path]) -> pa.Table:
    tables = [ORIGINS.empty_table()]
    for path in paths:
        table = open_parquet(path).read(columns=["source", "source_id", "query_id", "set_id"])  # those that it has
        rows = zip(table.column("source").to_pylist(), table.column("source_id").to_pylist(), strict=True)
        row_ids = pa.array([content_id("row", *row) for row in rows], pa.string())
        tables.append(filled(table.append_column("row_id", row_ids), ORIGINS))
    return pa.concat_tables(tables)
