"""Signatures: what stands in them, and what becomes of damaged ones."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.curation.contamination.signatures import (
    Signature,
    known_signatures,
    put_signature,
    read_signature,
    sign,
    write_signature,
)
from schemas.errors import SourceError, StorageError
from storage.root import Root

LONG = "Which of the two towers by the river was built first, and who paid for the other one?"


def signed(*queries: str, name: str = "towers") -> Signature:
    return sign(name, queries, source="towers.jsonl", revision="1", license="MIT")


def test_a_signature_holds_hashes_and_no_word_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "towers.parquet"
    signature = write_signature(signed(LONG, "Too short"), path)

    assert sorted(signature.table["words"].to_pylist()) == [2, 18]
    grams = {len(row["grams3"]): row for row in signature.table.to_pylist()}
    assert [len(grams[16][column]) for column in ("grams3", "grams5", "grams13")] == [16, 14, 6]
    assert [grams[0][column] for column in ("grams3", "grams5", "grams13")] == [[], [], []]
    assert grams[16]["grams3"] == sorted(grams[16]["grams3"])
    assert b"river" not in path.read_bytes()


def test_equal_queries_and_those_without_a_word_leave_one_row_and_none(tmp_path: Path) -> None:
    one, other = tmp_path / "one.parquet", tmp_path / "other.parquet"
    write_signature(signed(LONG, "?", LONG.upper(), "b"), one)
    write_signature(signed("b", LONG), other)

    assert read_signature(one).rows == 2
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("queries", [[], ["", "?!"]])
def test_a_benchmark_without_rows_is_refused(queries: list[str]) -> None:
    with pytest.raises(SourceError, match=r"towers\.jsonl: a benchmark without rows"):
        signed(*queries)


def test_a_roots_own_signature_stands_in_place_of_one_that_ships(tmp_path: Path) -> None:
    root = Root.open(str(tmp_path))
    put_signature(root, signed(LONG))

    found = known_signatures(root)

    assert found["towers"] == tmp_path / "signatures/towers.parquet"
    assert list(found) == sorted(found)
    assert read_signature(found["towers"]).source == "towers.jsonl"


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 8] ^= 0xFF  # a page: what stands behind them has no checksum
    path.write_bytes(data)


def _with_metadata(**changes: str) -> "object":
    def change(path: Path) -> None:
        table = pq.read_table(path)
        changed = {key.replace("_", ".").encode(): value for key, value in changes.items()}
        metadata = {**table.schema.metadata, **changed}
        pq.write_table(table.replace_schema_metadata(metadata), path)

    return change


def _of_another_kind(path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), path)


def _without_a_column(path: Path) -> None:
    pq.write_table(pq.read_table(path).drop_columns(["grams5"]), path)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_cut, "damaged"),
        (_flipped, "damaged"),
        (lambda path: path.write_bytes(b""), "damaged"),
        (lambda path: path.unlink(), "there is no such file"),
        (_with_metadata(grmforge_signature="2"), "of version 2, and 1 is due: upgrade grmforge"),
        (_with_metadata(words="1"), "of version 1, and 2 is due"),
        (_with_metadata(rows="7"), "rows are missing"),
        (_of_another_kind, "is no signature of a benchmark"),
        (_without_a_column, "it has no column 'grams5'"),
    ],
)
def test_a_damaged_file_is_named_with_the_way_out(tmp_path: Path, damage: object, said: str) -> None:
    path = tmp_path / "towers.parquet"
    write_signature(signed(LONG), path)
    assert callable(damage)
    damage(path)

    with pytest.raises(StorageError, match=said) as caught:
        read_signature(path)

    assert str(path) in str(caught.value)
    assert "grmforge signatures add" in str(caught.value)
    assert "\n" not in str(caught.value)
