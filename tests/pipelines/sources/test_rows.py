"""One bad row is an unreadable row; a file that is no such file is one clear line."""

import gzip
import io
import json
import lzma
import os
import tracemalloc
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.sources.rows import MAX_LINE, rows_of
from schemas.errors import SourceError
from schemas.preference import UnreadableRow


def reasons(path: Path) -> list[str]:
    return [row.reason if isinstance(row, UnreadableRow) else "read" for _, row in rows_of(path)]


def arrow(table: pa.Table, is_file: bool = False) -> bytes:
    """Return a table as an Arrow stream or file."""
    sink = io.BytesIO()
    with (pa.ipc.new_file if is_file else pa.ipc.new_stream)(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


LINES = {
    b'{"a": 1}': "read",
    b'{"a": "\\ud800"}': "read",
    b'{"a": NaN}': "read",
    b'{"a": 1': "bad_json",
    b'{"a": "\xff"}': "invalid_utf8",
    b"[1, 2]": "not_an_object",
    b"null": "not_an_object",
    b"[" * 200_000: "nested_too_deep",
    b'{"a": ' * 200_000: "nested_too_deep",
    b'{"a": ' + b"9" * 5000 + b"x}": "bad_json",
}


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz"])
def test_each_bad_line_is_one_unreadable_row(tmp_path: Path, ending: str) -> None:
    content = b"\n".join(LINES) + b"\n\n"
    path = tmp_path / f"rows{ending}"
    path.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    assert reasons(path) == list(LINES.values())
    assert [location for location, _ in rows_of(path)][:2] == [f"rows{ending}:1", f"rows{ending}:2"]


def test_blank_lines_count_in_locations_and_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": 2}')
    assert list(rows_of(path)) == [("rows.jsonl:1", {"a": 1}), ("rows.jsonl:3", {"a": 2})]


def test_a_line_beyond_the_cap_is_skipped_and_the_next_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b'{"a": "')
        for _ in range((MAX_LINE >> 20) + 2):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n{"a": 1}\n')
    assert path.stat().st_size < MAX_LINE / 50
    assert reasons(path) == ["line_too_long", "read"]


def test_json_is_one_list(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{"a": 1}, 3]))
    assert reasons(path) == ["read", "not_an_object"]
    for content, says in (
        ("{}", "no list of rows"),
        ('[{"a": 1}', "truncated or not valid JSON"),
        ("[]", "no rows"),
        ("[" * 100_000, "too deep"),
    ):
        path.write_text(content)
        with pytest.raises(SourceError, match=says):
            list(rows_of(path))


def test_parquet_is_read_with_its_bad_texts_set_apart(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    texts = pa.array([b"good", b"\xff\xfe", b"fine"], pa.binary())
    bad = pa.StringArray.from_buffers(len(texts), texts.buffers()[1], texts.buffers()[2])
    pq.write_table(pa.table({"a": bad}), path)
    assert [row for _, row in rows_of(path) if isinstance(row, dict)] == [{"a": "good"}, {"a": "fine"}]
    assert reasons(path) == ["read", "invalid_utf8", "read"]


def test_a_parquet_value_beyond_python_costs_its_own_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    times = pa.array([0] * 30 + [2**61] + [1] * 21, pa.timestamp("us"))
    pq.write_table(pa.table({"time": times}), path)
    assert Counter(reasons(path)) == {"read": 51, "bad_value": 1}
    assert [location for location, row in rows_of(path) if isinstance(row, UnreadableRow)] == ["rows.parquet:31"]


def test_times_to_the_nanosecond_are_read_to_the_microsecond(tmp_path: Path) -> None:
    times = {"a": pa.array([1_001], pa.timestamp("ns", "UTC")), "b": pa.array([1_001], pa.time64("ns"))}
    pq.write_table(pa.table(times), tmp_path / "rows.parquet")
    ((_, row),) = rows_of(tmp_path / "rows.parquet")
    assert row == {"a": "1970-01-01T00:00:00.000001+00:00", "b": "00:00:00.000001"}


CSV = {
    b'\xef\xbb\xbf,a,b\r\n0,"x, ""y""\nz",\r\n': [{"": "0", "a": 'x, "y"\nz', "b": None}],
    b"a,b\n1,2\n1,2,\n1\n\n3,4": [{"a": "1", "b": "2"}, "lengths_differ", "lengths_differ", {"a": "3", "b": "4"}],
    b"a,b\n1,\xe9\n1,NA\n": ["invalid_utf8", {"a": "1", "b": "NA"}],
    b"a,b\nx,%b,z\n1,2\n" % (b"y" * MAX_LINE): ["line_too_long", {"a": "1", "b": "2"}],
    b"a\n%b\n1\n" % (b"y" * 200_000): [{"a": "y" * 200_000}, {"a": "1"}],
}


@pytest.mark.parametrize("content", CSV, ids=range(len(CSV)))
def test_each_row_of_a_csv_file_is_itself_or_an_unreadable_one(tmp_path: Path, content: bytes) -> None:
    """A row with a value too many would otherwise give its first one away as the file's index."""
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    found = [row.reason if isinstance(row, UnreadableRow) else row for _, row in rows_of(path)]
    assert found == CSV[content]
    packed = tmp_path / "rows.csv.zst"
    with pa.CompressedOutputStream(str(packed), "zstd") as file:
        file.write(content)
    assert reasons(packed) == reasons(path)


@pytest.mark.parametrize("is_file", [True, False])
def test_an_arrow_file_or_stream_is_read_with_its_bad_texts_set_apart(tmp_path: Path, is_file: bool) -> None:
    texts = pa.Array.from_buffers(pa.string(), 2, pa.array([b"\xff", b"good"]).buffers())
    (tmp_path / "rows.arrow").write_bytes(arrow(pa.table({"a": texts, "b": [1, 2]}), is_file))
    assert reasons(tmp_path / "rows.arrow") == ["invalid_utf8", "read"]


def test_a_packed_json_list_is_read(tmp_path: Path) -> None:
    (tmp_path / "rows.json.gz").write_bytes(gzip.compress(json.dumps([{"a": 1}, 2], indent=1).encode(), mtime=0))
    assert reasons(tmp_path / "rows.json.gz") == ["read", "not_an_object"]


def test_items_of_a_json_list_may_stand_at_every_border_of_what_is_read_at_once(tmp_path: Path) -> None:
    rows = [{"n": n, "x": -1.5e-7 * n, "text": 'é"\\\U0001f600' * (n % 7), "more": [None, True]} for n in range(60_000)]
    rows[777]["text"] = "long " * 1_000_000
    path = tmp_path / "rows.json"
    for indent, is_ascii in ((None, False), (1, True)):
        path.write_text("\ufeff" + json.dumps(rows, indent=indent, ensure_ascii=is_ascii), "utf-8")
        assert path.stat().st_size > 8 << 20
        assert [row for _, row in rows_of(path)] == rows


def test_a_json_list_is_never_held_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text("[" + ",\n".join(json.dumps({"text": f"{n} " * 5_000}) for n in range(2_000)) + "]")
    assert path.stat().st_size > 40 << 20
    tracemalloc.start()
    try:
        assert sum(1 for _ in rows_of(path)) == 2_000
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_an_item_that_is_too_long_or_holds_a_key_twice_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text('[{"a": 1}, {"a": "%s"}, {"a": {"b": 1, "b": 2}}, {"a": 2}]' % ("x" * (MAX_LINE + 1)))
    assert reasons(path) == ["read", "line_too_long", "repeated_key", "read"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.json", b'[{"a": 1}, {"a": tru}, {"a": 3}' + b" " * (3 << 20), "not valid JSON: item 2: Expecting value"),
        ("a.json", b'[{"a": 1} {"a": 2}]', "item 1: '{' stands behind it"),
        ("a.json", b'[{"a": 1}] []', "item 1: something stands behind the list"),
        ("a.json", b'[{"a": 1}, {"a": "' + b"x" * (2 << 20) + b'\xff"}]', "byte 2097170 is not UTF-8"),
        ("a.json", b'[{"a": 1}, {"a": "\xc3', "is not UTF-8"),
        ("a.jsonl", b"", "holds no rows"),
        ("a.jsonl", b"\n \n", "holds no rows"),
        ("a.jsonl.gz", gzip.compress(b"", mtime=0), "holds no rows"),
        ("a.json", b"", "holds no rows"),
        ("a.jsonl.gz", b"", "holds no rows"),
        ("a.jsonl.gz", b'{"a": 1}\n', "not a gzip file"),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 1000, mtime=0)[:-20], "truncated"),
        ("a.parquet", b"PAR1", "not a Parquet file"),
        ("a.parquet", b"", "not a Parquet file"),
        ("a.txt", b"a,b", "not a .jsonl"),
        ("a.csv", b"a,b", "holds no rows"),
        ("a.csv", b"", "holds no rows"),
        ("a.csv", b"a,a\n1,2\n", "two columns are called 'a'"),
        ("a.csv", b'a,b\n1,2\n\n1,"2\n3,4\n', r"the quotation mark opened in line 4 is never closed"),
        ("a.csv", b"a,\xe9\n1,2\n", "the names of its columns are not UTF-8"),
        ("a.csv", "a,b\n1,2\n".encode("utf-16"), "the names of its columns are not UTF-8"),
        ("a.csv.gz", b"a,b\n1,2\n", "not a gzip file"),
        ("a.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 1000, mtime=0)[:-20], "truncated"),
        ("a.arrow", b"ARROW1", "not an Arrow file"),
        ("a.arrow", arrow(pa.table([[1], [2]], ["a", "a"])), "two columns are called 'a'"),
        ("a.arrow", arrow(pa.table({"a": range(1000)}))[:3000], "damaged one"),
        ("a.jsonl.bz2", b'{"a": 1}\n', "not a bzip2 file"),
        ("a.jsonl.xz", lzma.compress(b'{"a": 1}\n' * 1000)[:-20], "truncated"),
        ("a.jsonl.zst", b'{"a": 1}\n', "not a zstd file"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError, match=says) as raised:
        list(rows_of(path))
    assert str(raised.value).startswith(f"{name}: ")
    assert "\n" not in str(raised.value)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows.jsonl")
    with pytest.raises(SourceError, match=r"^rows\.jsonl: not a regular file; write its rows to one$"):
        list(rows_of(tmp_path / "rows.jsonl"))


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"a\.jsonl: cannot be read: No such file"):
        list(rows_of(tmp_path / "a.jsonl"))
