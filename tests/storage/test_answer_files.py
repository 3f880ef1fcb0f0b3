"""Files of answers: no byte that is flipped changes an answer, and costs more than the row group that it stands in."""

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.generation import GENERATIONS
from schemas.record import FORMAT, bucket_of, content_id
from storage.answer_files import FOLD_ROWS, GROUP_ANSWERS, by_bucket, is_whole, sound_answers, write_answers
from storage.generations import Generations
from storage.root import Root
from tests.storage.answers import a_request, an_answer, files, journal


def answers(count: int) -> pa.Table:
    asked = [a_request(number, bucket=9) for number in range(count)]
    rows: dict[str, list[object]] = {field.name: [None] * count for field in GENERATIONS}
    rows |= {"request_id": [one.request_id for one in asked], "query_id": [one.query_id for one in asked]}
    rows |= {"text": [f"text {number}" for number in range(count)], "created_at": [5] * count}
    return pa.table([pa.array(rows[field.name], field.type) for field in GENERATIONS], schema=GENERATIONS)


TABLE = answers(3 * GROUP_ANSWERS - 1)
TEXTS = set(TABLE.column("text").to_pylist())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "x.parquet"
    write_answers(TABLE, path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def file(whole: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("file") / "x.parquet"
    path.write_bytes(whole)
    return path


def test_row_groups_hold_512_answers_at_most_and_any_reader_reads_them(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(whole)
    file = pq.ParquetFile(path, page_checksum_verification=True)
    assert [file.metadata.row_group(group).num_rows for group in range(3)] == [512, 512, 511]
    assert file.read().equals(TABLE)
    assert is_whole(path)
    assert file.schema_arrow.metadata[b"grmforge.format"] == str(FORMAT).encode()


@settings(max_examples=300, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), by=st.integers(1, 255))
def test_any_byte_may_flip_and_every_row_group_that_it_does_not_stand_in_is_read(
    file: Path, tmp_path_factory: pytest.TempPathFactory, place: float, by: int
) -> None:
    whole = file.read_bytes()
    # Footer and seal are small beside the pages: aim at them half the time.
    at = int(2 * place * len(whole)) if place < 0.5 else len(whole) - 1 - int((2 * place - 1) * 12_000)
    flipped = bytearray(whole)
    flipped[at] ^= by
    path = tmp_path_factory.mktemp("flip") / "x.parquet"
    path.write_bytes(flipped)
    assert not is_whole(path)
    rows, lost = sound_answers(path)
    found = dict(zip(rows.column("request_id").to_pylist(), rows.column("text").to_pylist(), strict=True))
    expected = dict(zip(TABLE.column("request_id").to_pylist(), TABLE.column("text").to_pylist(), strict=True))
    assert found.items() <= expected.items()
    assert lost in (0, 511, 512)
    assert rows.num_rows + lost == TABLE.num_rows


def test_a_file_that_lost_its_end_is_damaged_and_never_a_crash(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    for end in (0, 3, 100, len(whole) // 2, len(whole) - 5_000, len(whole) - 1):
        path.write_bytes(whole[:end])
        assert not is_whole(path)
        rows, _ = sound_answers(path)
        assert set(rows.column("text").to_pylist()) <= TEXTS


def test_the_rows_of_some_buckets_are_sorted_out_of_many_batches() -> None:
    count = 3 * FOLD_ROWS
    ids = sorted(content_id("query", number) for number in range(count))  # as requests come: bucket by bucket
    rows = {field.name: pa.nulls(count, field.type) for field in GENERATIONS} | {"query_id": pa.array(ids, pa.string())}
    table = pa.table([rows[name] for name in GENERATIONS.names], schema=GENERATIONS)
    batches = [table.slice(start, 1_000) for start in range(0, count, 1_000)]
    found: dict[int, list[str]] = {}
    for buckets in (range(200), range(200, 201), range(201, 256)):
        parts = by_bucket(batches, buckets)
        assert set(parts) <= set(buckets)
        found |= {bucket: part.column("query_id").to_pylist() for bucket, part in parts.items()}
    assert found == {bucket: [one for one in ids if bucket_of(one) == bucket] for bucket in range(256)}


def _old(path: Path) -> bytes:
    """Write a file as it was written before: no checksum, no seal, one row group."""
    pq.write_table(TABLE, path, compression="zstd", compression_level=1, use_dictionary=False, write_statistics=False)
    return path.read_bytes()


def test_files_of_before_are_read_and_their_damage_is_found_as_far_as_it_can_be(tmp_path: Path) -> None:
    path = tmp_path / "old.parquet"
    whole = _old(path)
    assert is_whole(path)
    draw = random.Random(5)
    noticed = 0
    for _ in range(200):
        flipped = bytearray(whole)
        flipped[draw.randrange(len(whole))] ^= draw.randrange(1, 256)
        path.write_bytes(flipped)
        rows, lost = sound_answers(path)  # never a crash
        assert lost is None or rows.num_rows + lost == TABLE.num_rows
        noticed += not is_whole(path)
    assert noticed > 20  # a letter that became another inside compressed text is no fault to Arrow


def test_a_damaged_file_is_set_aside_its_sound_answers_kept_and_the_others_asked_again(tmp_path: Path) -> None:
    root = Root(tmp_path)
    asked = [a_request(number, bucket=9) for number in range(1_200)]
    journal(root, [(one, an_answer(one, one.request_id)) for one in asked])
    Generations(root)
    [file] = files(root, "*.parquet")
    broken = bytearray(file.read_bytes())
    broken[len(broken) // 2] ^= 1
    file.write_bytes(broken)
    said: list[str] = []
    generations = Generations(root, said.append)
    generations.check()
    [line] = said
    assert f"{file} is damaged: 512 answers in it cannot be read and are paid for again where they are wanted" in line
    found = generations.lookup(9)
    assert len(found) == 1_200 - 512
    assert all(found[one.request_id].text == one.request_id for one in asked if one.request_id in found)
    assert file.with_suffix(".damaged").read_bytes() == broken
    again = [one for one in asked if one.request_id not in found]
    journal(root, [(one, an_answer(one, one.request_id)) for one in again])
    healed = Generations(root, said.append)
    healed.check()
    assert {key: one.text for key, one in healed.lookup(9).items()} == {one.request_id: one.request_id for one in asked}
    assert len(said) == 1
