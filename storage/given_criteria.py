"""Which criteria each question was given, kept so that the next build gives it the same.

Under `rubrics/given/<settings>/`, a file a build that had new questions: the pools grow from night to night, and what
a question was given must not change with them, since a changed prompt is paid for again.
"""

from collections.abc import Mapping, Sequence

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
    ],
)

Given = tuple[tuple[str, ...], str]
"""The ids of the criteria, and their text as it is shown."""


def read_given(root: Root, settings_id: str) -> dict[str, Given]:
    """Return what each question was given under these settings; of one given twice, what was given first."""
    folder = _folder(settings_id)
    found: dict[str, Given] = {}
    for name in root.names(folder, ".parquet"):
        columns = read_table([root.at(f"{folder}/{name}")], GIVEN).to_pydict()
        for query_id, ids, text in zip(columns["query_id"], columns["criterion_ids"], columns["text"], strict=True):
            found.setdefault(query_id, (tuple(ids), text))
    return found


def add_given(root: Root, settings_id: str, given: Mapping[str, Given]) -> None:
    """Write what further questions are given, whole or not at all."""
    if not given:
        return
    rows: Sequence[str] = sorted(given)
    table = pa.table(
        [
            pa.array(rows, pa.string()),
            pa.array([given[query_id][0] for query_id in rows], pa.list_(pa.string())),
            pa.array([given[query_id][1] for query_id in rows], pa.string()),
        ],
        schema=GIVEN,
    )
    number = len(root.names(_folder(settings_id), ".parquet"))
    name = f"{number:05}-{content_id('given', [[query_id, given[query_id]] for query_id in rows])}"
    with root.replacing(f"{_folder(settings_id)}/{name}.parquet") as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def _folder(settings_id: str) -> str:
    return f"rubrics/given/{settings_id}"
