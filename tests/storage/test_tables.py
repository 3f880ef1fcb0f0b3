"""Tables: bytes that depend on rows and their order alone, and whole files or none."""

import itertools
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import StorageError
from schemas.preference import SETS, sets_of, sets_table
from schemas.record import table_schema
from storage.root import Root
from storage.table_writer import FILE_ROWS, ROW_GROUP_ROWS, TableWriter
from storage.tables import BucketReader, bucket_ranges, read_batches, read_buckets, read_table
from tests.examples import a_set

ROWS = table_schema("rows", [pa.field("query_id", pa.string()), pa.field("numbers", pa.list_(pa.int32()))])


def rows(count: int, start: int = 0) -> pa.Table:
    ids = [f"{number * 256 // 20_000:02x}{number:08}" for number in range(start, start + count)]
    return pa.table([ids, [[number] * (number % 3) for number in range(start, start + count)]], schema=ROWS)


def written(root: Root, folder: str, parts: list[pa.Table]) -> TableWriter:
    with TableWriter(root, folder, "rows", ROWS) as writer:
        for part in parts:
            writer.write(part)
    return writer


@pytest.mark.slow
@given(cuts=st.lists(st.integers(0, 9_000), max_size=6), chunks=st.integers(1, 3_000))
def test_the_same_rows_in_any_batches_and_chunks_are_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], chunks: int
) -> None:
    root = Root(tmp_path_factory.mktemp("root"))
    table = rows(9_000)
    whole = written(root, "whole", [table])
    edges = [0, *sorted(cuts), 9_000]
    parts = [table.slice(start, end - start) for start, end in itertools.pairwise(edges)]
    rechunked = [pa.Table.from_batches(part.to_batches(max_chunksize=chunks), schema=ROWS) for part in parts]
    assert written(root, "cut", rechunked).files == whole.files


def test_sets_keep_their_bytes_through_records_and_slices(tmp_path: Path) -> None:
    root = Root(tmp_path)
    table = sets_table([a_set(number, n=1 + number % 4) for number in range(300)])
    for folder, parts in {
        "a": [table],
        "b": [table.slice(0, 1), table.slice(1, 100), table.slice(101)],
        "c": [sets_table(sets_of(table))],
    }.items():
        with TableWriter(root, folder, "sets", SETS) as writer:
            for part in parts:
                writer.write(part)
    contents = {(tmp_path / folder / "sets-00000.parquet").read_bytes() for folder in "abc"}
    assert len(contents) == 1


def test_a_table_without_rows_has_no_file(tmp_path: Path) -> None:
    assert written(Root(tmp_path), "none", [rows(0)]).files == []
    assert list(tmp_path.rglob("*.parquet")) == []
    assert read_table([], ROWS).num_rows == 0


def test_files_and_row_groups_have_fixed_sizes(tmp_path: Path) -> None:
    writer = written(Root(tmp_path), "t", [rows(FILE_ROWS + 10)])
    assert [file.rows for file in writer.files] == [FILE_ROWS, 10]
    groups = pq.ParquetFile(tmp_path / "t" / writer.files[0].path).metadata
    assert {groups.row_group(index).num_rows for index in range(groups.num_row_groups)} == {ROW_GROUP_ROWS}
    assert read_table([tmp_path / "t" / file.path for file in writer.files], ROWS).num_rows == FILE_ROWS + 10


def test_an_error_in_the_block_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyError), TableWriter(Root(tmp_path), "t", "rows", ROWS) as writer:
        writer.write(rows(5_000))
        raise KeyError
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    newer = rows(3).replace_schema_metadata({"grmforge.format": "2"})
    pq.write_table(newer, tmp_path / "new.parquet")
    with pytest.raises(StorageError, match=r"new\.parquet: written in format 2, .* upgrade it"):
        read_table([tmp_path / "new.parquet"], ROWS)


def test_what_an_older_format_lacks_is_null_and_what_is_not_ours_is_left(tmp_path: Path) -> None:
    older = rows(3).drop_columns(["numbers"]).append_column("stranger", pa.array([1, 2, 3]))
    pq.write_table(older.replace_schema_metadata({"grmforge.format": "0"}), tmp_path / "old.parquet")
    assert read_table([tmp_path / "old.parquet"], ROWS).to_pylist()[0] == {"query_id": "0000000000", "numbers": None}
    assert [table.schema for table in read_batches([tmp_path / "old.parquet"], ROWS)] == [ROWS]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(rows(100), file)
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(StorageError, match=r"rows\.parquet: damaged .* remove it, and build again"):
        read_table([file], ROWS)
    with pytest.raises(StorageError, match="No such file"):
        read_table([tmp_path / "gone.parquet"], ROWS)


@given(
    counts=st.lists(st.integers(0, 5), min_size=1, max_size=40),
    rows=st.integers(0, 2_000_000),
    offset=st.integers(0, 216),
)
def test_ranges_of_buckets_come_whole_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], rows: int, offset: int
) -> None:
    root = Root(tmp_path_factory.mktemp("root"))
    ids = [f"{offset + bucket:02x}{row}" for bucket, count in enumerate(counts) for row in range(count)]
    writer = written(root, "t", [pa.table([ids, [None] * len(ids)], schema=ROWS)])
    reader = BucketReader([root.at(f"t/{file.path}") for file in writer.files], ROWS)
    ranges = list(bucket_ranges(rows))
    assert [bucket for buckets in ranges for bucket in buckets] == list(range(256))
    found = [reader.through(buckets[-1]).column("query_id").to_pylist() for buckets in ranges]
    assert [one for some in found for one in some] == ids
    held = list(read_buckets([root.at(f"t/{file.path}") for file in writer.files], ROWS))
    assert [(bucket - offset, table.num_rows) for bucket, table in held] == [(b, c) for b, c in enumerate(counts) if c]
    assert all(int(one[:2], 16) in buckets for buckets, some in zip(ranges, found, strict=True) for one in some)


def test_ranges_are_as_wide_as_a_table_is_small() -> None:
    assert [len(list(bucket_ranges(rows))) for rows in (0, 1_024, 10_000, 262_144, 10_000_000)] == [1, 1, 5, 128, 256]


FILL = """
import resource, signal, sys
from storage.root import Root
from storage.table_writer import TableWriter
from schemas.errors import StorageError
from tests.storage.test_tables import ROWS, rows
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
root = Root.open(sys.argv[1])
try:
    with TableWriter(root, "t", "rows", ROWS, sys.argv[2]) as writer:
        for start in range(0, 60_000, 4_096):
            writer.write(rows(4_096, start))
except StorageError as error:
    print(error)
"""


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_a_disk_that_takes_no_more_is_one_storage_error_and_leaves_no_half_file(tmp_path: Path, form: str) -> None:
    done = subprocess.run([sys.executable, "-c", FILL, str(tmp_path), form], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert "File too large" in done.stdout
    assert done.stderr == ""
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_flipped_byte_is_found_when_it_is_read(tmp_path: Path) -> None:
    with TableWriter(Root(tmp_path), "t", "rows", ROWS) as writer:
        writer.write(rows(1_000))
    path = tmp_path / "t" / writer.files[0].path
    data = bytearray(path.read_bytes())
    data[200:240] = bytes(byte ^ 0xFF for byte in data[200:240])
    path.write_bytes(data)
    with pytest.raises(StorageError, match=r"rows-00000\.parquet: damaged"):
        read_table([path], ROWS)


def test_an_arrow_file_reads_as_a_parquet_file_does(tmp_path: Path) -> None:
    files = {}
    for form in ("parquet", "arrow"):
        with TableWriter(Root(tmp_path), form, "rows", ROWS, form) as writer:
            writer.write(rows(5_000))
            writer.write(rows(100, start=5_000))
        files[form] = [tmp_path / form / file.path for file in writer.files]
    parquet, arrow = files["parquet"], files["arrow"]
    assert [path.name for path in arrow] == ["rows-00000.arrow"]
    assert read_table(arrow, ROWS).equals(read_table(parquet, ROWS))
    wider = pa.schema([pa.field("later", pa.int64()), ROWS.field(0)], metadata=ROWS.metadata)
    assert read_table(arrow, wider).equals(read_table(parquet, wider))
    found = [table.num_rows for table in read_batches(arrow, ROWS, [ROWS.names[-1]])]
    assert found == [4_096, 904, 100]


@pytest.mark.parametrize("left", [0, 5, 300, -9])
def test_a_damaged_arrow_file_is_named(tmp_path: Path, left: int) -> None:
    with TableWriter(Root(tmp_path), "t", "rows", ROWS, "arrow") as writer:
        writer.write(rows(1_000))
    path = tmp_path / "t" / writer.files[0].path
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(StorageError, match=r"rows-00000\.arrow: damaged .* remove it, and build again"):
        read_table([path], ROWS)
