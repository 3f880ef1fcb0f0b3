"""Which criteria each question was given, kept so that the next run gives it the same.

Under `rubrics/given/<settings>/`, a file a run that had new questions: the pools grow from night to night, and what
a question was given must not change with them, since a changed prompt is paid for again.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.record import content_id, table_schema
from storage.root import Root
from storage.tables import read_table

GIVEN = table_schema(
    "given_criteria",
    [
        pa.field("query_id", pa.string()),
        pa.field("criterion_ids", pa.list_(pa.string())),
        pa.field("text", pa.string()),
        pa.field("origins", pa.list_(pa.string())),
    ],
)


@dataclass(frozen=True, slots=True)
class Given:
    """What one question was given."""

    criterion_ids: tuple[str, ...]
    text: str
    """The criteria as they are shown."""
    origins: tuple[str, ...]
    """Queries and clusters whose labelled answers had a part in them, ascending."""


def read_given(root: Root, settings_id: str, own: Mapping[str, AbstractSet[str]]) -> dict[str, Given]:
    """Return what the questions of `own` were given under these settings; of what was given twice, the first.

    `own` has, for each question, the queries that are near-duplicates of it now. What one of these had a part in is
    given no longer: a run over fewer rows could not know of it.
    """
    folder = _folder(settings_id)
    found: dict[str, Given] = {}
    for name in root.names(folder, ".parquet"):
        columns = read_table([root.at(f"{folder}/{name}")], GIVEN).to_pydict()
        for query_id, ids, text, origins in zip(*columns.values(), strict=True):
            if query_id in own and query_id not in found and own[query_id].isdisjoint(origins):
                found[query_id] = Given(tuple(ids), text, tuple(origins))
    return found


def add_given(root: Root, settings_id: str, given: Mapping[str, Given]) -> None:
    """Write what further questions are given, whole or not at all."""
    if not given:
        return
    rows = sorted(given)
    columns = {name: [getattr(given[query_id], name) for query_id in rows] for name in GIVEN.names[1:]}
    table = pa.table({"query_id": rows, **columns}, GIVEN)
    number = len(root.names(_folder(settings_id), ".parquet"))
    name = f"{number:05}-{content_id('given', [[query_id, given[query_id]] for query_id in rows])}"
    with root.replacing(f"{_folder(settings_id)}/{name}.parquet") as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def _folder(settings_id: str) -> str:
    return f"rubrics/given/{settings_id}"
