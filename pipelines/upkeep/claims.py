"""Claims: which answers to a query that several sources share are known to be whose."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.upkeep.concerned import Concerned, among
from schemas.errors import StorageError
from storage.root import Root
from storage.snapshots import every_snapshot
from storage.stages import Stage, read_stage
from storage.tables import open_table


def kept_requests(root: Root, concerned: Concerned) -> frozenset[str]:
    """Return the answers to shared queries that remaining sets, and questions of other sources, claim."""
    if not concerned.shared:
        return frozenset()
    claimed: set[str] = set()
    lost: set[str] = set()
    for table in _claims(root, concerned):
        of_query = table.filter(among(table.column("query_id"), concerned.shared))
        gone = (
            among(of_query.column("set_id"), concerned.sets)
            if "set_id" in of_query.column_names
            else pa.repeat(False, of_query.num_rows)
        )
        lost.update(of_query.filter(gone).column("request_id").to_pylist())
        claimed.update(of_query.filter(pc.invert(gone)).column("request_id").drop_null().to_pylist())
    return frozenset(claimed - lost)


def _claims(root: Root, concerned: Concerned) -> Iterator[pa.Table]:
    """Yield (request_id, query_id, and set_id where there is one) of judged sets, and of other sources' candidates."""
    for key, stage in every_stage(root):
        name = key.split("/")[1]
        if stage is None or not name.startswith(("judged-", "candidates-")) or name == f"candidates-{concerned.source}":
            continue
        with contextlib.suppress(StorageError):  # a damaged stage claims nothing, and goes
            for path in (path for table in ("judged", "candidates") for path in stage.paths(table)):
                yield _columns(path)
    for snapshot in every_snapshot(root):
        for table in snapshot.manifest.tables:
            if table.startswith("trajectories/"):
                yield from map(_columns, snapshot.files(table))
            elif table.startswith("answers/"):
                yield from (_of_others(path, concerned) for path in snapshot.files(table))


def _of_others(path: Path, concerned: Concerned) -> pa.Table:
    """Return what other sources claim of a table of graded answers."""
    table = open_table(path).read(columns=["request_id", "query_id", "source"])
    return table.filter(pc.not_equal(table.column("source"), concerned.source or ""))


def _columns(path: Path) -> pa.Table:
    file = open_table(path)
    held = set(file.schema_arrow.names)
    return file.read(columns=[name for name in ("request_id", "query_id", "set_id") if name in held])


def every_stage(root: Root) -> Iterator[tuple[str, Stage | None]]:
    """Yield the key of every stage, and the stage; None for one that cannot be looked into."""
    for name in root.folders("stages"):
        for fingerprint in root.folders(f"stages/{name}"):
            key = f"stages/{name}/{fingerprint}"
            try:
                yield key, read_stage(root, key)
            except StorageError:
                yield key, None
