"""Origins: which query and which set came from which source, by their ids.

Stages and published versions say so themselves. What one of them said is put down here before it goes, without any
text, so that `grmforge forget` finds the answers of a source for as long as they are kept:

    origins/<stage>-<fingerprint>.parquet
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import StorageError
from schemas.record import content_id, table_schema
from storage.root import Root
from storage.snapshots import every_snapshot
from storage.stages import read_stage
from storage.tables import open_parquet, read_table

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


def remember_origins(root: Root, stage: str) -> None:
    """Put down what a stage that is about to go says of its rows' origins."""
    name, fingerprint = stage.split("/")[1:]
    table = _of_stage(root, stage) if name.startswith(_MAKERS) else None
    if table is None or not table.num_rows:
        return
    with root.replacing(f"{FOLDER}/{name}-{fingerprint}.parquet") as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def read_origins(root: Root) -> pl.DataFrame:
    """Return every (source, row_id, query_id, set_id) that a root knows of, once."""
    found = [ORIGINS.empty_table(), *_every(root)]
    frame = pl.from_arrow(pa.concat_tables(found))
    assert isinstance(frame, pl.DataFrame)
    return frame.unique()


def origin_files(root: Root) -> list[str]:
    """Return the keys of what was put down."""
    return [f"{FOLDER}/{name}" for name in root.names(FOLDER, ".parquet")]


def _every(root: Root) -> Iterator[pa.Table]:
    yield from (read_table([root.at(key)], ORIGINS) for key in origin_files(root))
    for name in root.folders("stages"):
        if name.startswith(_MAKERS):
            for fingerprint in root.folders(f"stages/{name}"):
                if (table := _of_stage(root, f"stages/{name}/{fingerprint}")) is not None:
                    yield table
    for snapshot in every_snapshot(root):
        yield _origins([path for table in ("sets/kept", "sets/dropped") for path in snapshot.files(table)])


def _of_stage(root: Root, key: str) -> pa.Table | None:
    """Return the origins of a stage's rows; None where it cannot be looked into."""
    try:
        stage = read_stage(root, key)
        return None if stage is None else _origins([path for name in _TABLES for path in stage.paths(name)])
    except StorageError:
        return None


def _origins(paths: Sequence[Path]) -> pa.Table:
    found = [ORIGINS.empty_table()]
    for path in paths:
        file = open_parquet(path)
        held = set(file.schema_arrow.names)
        table = file.read(columns=[name for name in ("source", "source_id", "query_id", "set_id") if name in held])
        rows = zip(table.column("source").to_pylist(), table.column("source_id").to_pylist(), strict=True)
        columns = {
            "source": table.column("source"),
            "row_id": pa.array([content_id("row", *row) for row in rows], pa.string()),
            "query_id": table.column("query_id"),
            "set_id": table.column("set_id") if "set_id" in held else pa.nulls(table.num_rows, pa.string()),
        }
        found.append(pa.table(columns, schema=ORIGINS))
    return pa.concat_tables(found)
