"""The rubrics of a root, and which criteria each question was given.

    rubrics/*.parquet                      the truth that every index is a copy of
    rubrics/given/<settings>/*.parquet     one file for each run that had new questions

The pools grow from night to night. What a question was given must not change with them, since a changed prompt is paid
for again: so it is kept, and the next run gives it the same.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import pyarrow as pa

from schemas.record import content_id, table_schema
from schemas.rubric import RUBRICS, Rubric, rubrics_of, rubrics_table
from storage.root import Root
from storage.table_files import add_numbered, read_folder

FOLDER = "rubrics"
GIVEN_FOLDER = f"{FOLDER}/given"

GIVEN = table_schema(
    "given_criteria",
    [
        pa.field("query_id", pa.string()),
        pa.field("criterion_ids", pa.list_(pa.string())),
        pa.field("text", pa.string()),
        pa.field("origins", pa.list_(pa.string())),
    ],
)


def read_rubrics(root: Root) -> list[Rubric]:
    """Return every rubric of a root once, by rubric_id; of one written again, what was written last."""
    latest = {rubric.rubric_id: rubric for rubric in rubrics_of(read_folder(root, FOLDER, RUBRICS))}
    return [latest[rubric_id] for rubric_id in sorted(latest)]


def add_rubrics(root: Root, rubrics: Iterable[Rubric]) -> int:
    """Write the rubrics that a root does not hold yet, or holds with other findings; return how many.

    One file a call, whole or not at all. Equal rubrics given again are no file.
    """
    known = {rubric.rubric_id: rubric for rubric in read_rubrics(root)}
    given = {rubric.rubric_id: rubric for rubric in rubrics}
    new = [given[rubric_id] for rubric_id in sorted(given) if known.get(rubric_id) != given[rubric_id]]
    if new:
        add_numbered(root, FOLDER, rubrics_table(new), content_id("rubrics", new))
    return len(new)


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
    kept: dict[str, Given] = {}
    columns = read_folder(root, f"{GIVEN_FOLDER}/{settings_id}", GIVEN).to_pydict()
    for query_id, ids, text, origins in zip(*columns.values(), strict=True):
        if query_id in own and query_id not in kept and own[query_id].isdisjoint(origins):
            kept[query_id] = Given(tuple(ids), text, tuple(origins))
    return kept


def add_given(root: Root, settings_id: str, given: Mapping[str, Given]) -> None:
    """Write what further questions are given, whole or not at all."""
    if not given:
        return
    rows = sorted(given.items())
    columns = {name: [getattr(criteria, name) for _, criteria in rows] for name in GIVEN.names[1:]}
    table = pa.table({"query_id": [query_id for query_id, _ in rows], **columns}, GIVEN)
    add_numbered(root, f"{GIVEN_FOLDER}/{settings_id}", table, content_id("given", [list(row) for row in rows]))
