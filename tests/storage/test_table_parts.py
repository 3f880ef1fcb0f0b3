"""Parts of tables: ranges of ids that leave nothing out, narrower than a bucket where it is large; rows by place."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from schemas.record import content_id, table_schema
from storage.root import Root
from storage.table_parts import id_ranges, read_places
from storage.table_writer import ROW_GROUP_ROWS, TableWriter
from storage.tables import LAST_ID, BucketReader

SCHEMA = table_schema("ids", [pa.field("query_id", pa.string()), pa.field("number", pa.int64())])
IDS = sorted(content_id("query", number) for number in range(3 * ROW_GROUP_ROWS))


def written(place: Path) -> list[Path]:
    with TableWriter(Root(place), "stages", "ids", SCHEMA) as writer:
        writer.write(pa.table({"query_id": IDS, "number": range(len(IDS))}, schema=SCHEMA))
    return [place / "stages" / file.path for file in writer.files]


@pytest.mark.parametrize(
    ("rows", "group_rows", "ranges"),
    [(0, 100, 1), (100, 100, 1), (1_000, 100, 11), (25_600, 100, 256), (30_000, 100, 512), (10**9, 1, 65_536)],
)
def test_ranges_are_whole_buckets_or_even_parts_of_one(rows: int, group_rows: int, ranges: int) -> None:
    ends = list(id_ranges(rows, group_rows))
    assert len(ends) == ranges and ends == sorted(ends) and ends[-1] == LAST_ID
    if ranges <= 256:
        assert all(end.endswith("00") for end in ends[:-1])
    else:
        assert {f"{bucket:02x}00" for bucket in range(1, 256)} <= set(ends)


@pytest.mark.parametrize("group_rows", [7, 300, 5_000, 100_000])
def test_a_table_is_read_range_by_range_and_nothing_is_left_out(tmp_path: Path, group_rows: int) -> None:
    reader = BucketReader(written(tmp_path), SCHEMA)
    found = [reader.before(end).column("query_id").to_pylist() for end in id_ranges(len(IDS), group_rows)]
    assert [one for part in found for one in part] == IDS
    assert max(map(len, found)) < 2 * group_rows + 100


@pytest.mark.parametrize("places", [[], [0], [0, 1, 4_095, 4_096, 12_287], [5_000, 5_001], list(range(0, 12_288, 7))])
def test_rows_are_found_by_their_places(tmp_path: Path, places: list[int]) -> None:
    found = read_places(written(tmp_path), SCHEMA, np.array(places, np.uint32), ["number"])
    assert [number for rows in found for number in rows.column("number").to_pylist()] == places
