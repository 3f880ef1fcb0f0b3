"""Segments: no byte that is flipped changes an answer, and costs more than the batch that it stands in."""

import random
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.generation import GENERATIONS
from storage.generations import Generations
from storage.journal import FOLDER
from storage.root import Root
from storage.segments import END, HEAD, message_of, read_segment
from tests.storage.answers import a_request, an_answer, files, journal

BATCHES, ANSWERS = 4, 3


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    root = Root(tmp_path_factory.mktemp("root"))
    asked = [a_request(number) for number in range(BATCHES * ANSWERS)]
    journal(root, [(one, an_answer(one, f"text {number}")) for number, one in enumerate(asked)], batch=ANSWERS)
    return files(root, "*.arrows")[0].read_bytes()


@pytest.fixture(scope="module")
def file(whole: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("file") / "x.arrows"
    path.write_bytes(whole)
    return path


def read(path: Path, damage: list[int | None] | None = None) -> list[list[str]]:
    return [table.column("text").to_pylist() for table in read_segment(path, damage)]


def as_written(batch: int) -> list[str]:
    return [f"text {batch * ANSWERS + number}" for number in range(ANSWERS)]


ALL = [as_written(batch) for batch in range(BATCHES)]


@settings(max_examples=400, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), by=st.integers(1, 255))
def test_any_byte_may_flip_and_every_batch_that_it_does_not_stand_in_is_read(
    file: Path, tmp_path_factory: pytest.TempPathFactory, place: float, by: int
) -> None:
    whole = file.read_bytes()
    at = int(place * len(whole))
    flipped = bytearray(whole)
    flipped[at] ^= by
    path = tmp_path_factory.mktemp("flip") / "x.arrows"
    path.write_bytes(flipped)
    damage: list[int | None] = []
    found = read(path, damage)
    assert all(batch in ALL for batch in found)
    assert len(found) >= BATCHES - 1
    if len(HEAD) <= at < len(whole) - len(END):
        assert len(found) == BATCHES - 1
        assert damage in ([ANSWERS], [None])  # None: it is the number itself that was hit
    else:
        assert (found, damage) == (ALL, [])


def test_several_batches_may_be_damaged_and_those_between_them_are_kept(whole: bytes, tmp_path: Path) -> None:
    size = (len(whole) - len(HEAD) - len(END)) // BATCHES
    broken = bytearray(whole)
    for batch in (0, 2):
        broken[len(HEAD) + batch * size + size - 100] ^= 255
    (tmp_path / "x.arrows").write_bytes(broken)
    damage: list[int | None] = []
    assert read(tmp_path / "x.arrows", damage) == [ALL[1], ALL[3]]
    assert damage == [ANSWERS, ANSWERS]


def test_a_piece_that_is_gone_or_overwritten_costs_what_it_held(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.arrows"
    draw = random.Random(7)
    for _ in range(100):
        start = draw.randrange(len(HEAD), len(whole) - 400)
        for other in (b"", draw.randbytes(300), bytes(300), b"\xff" * 300):
            path.write_bytes(whole[:start] + other + whole[start + 300 :])
            found = read(path, damage := [])
            assert damage and all(batch in ALL for batch in found) and len(found) >= BATCHES - 2


def test_a_page_of_nothing_but_marks_is_passed_in_time(whole: bytes, tmp_path: Path) -> None:
    broken = whole[: len(HEAD)] + b"\xff" * 2**22 + b"\xff\xff\xff\xff\x10\x00\x00\x00" * 2**17 + whole[len(HEAD) :]
    (tmp_path / "x.arrows").write_bytes(broken)
    read(tmp_path / "x.arrows", damage := [])
    assert damage


def _old(path: Path, batches: int) -> bytes:
    """Write a segment as it was written before batches had hashes."""
    with pa.OSFile(str(path), "wb") as file:
        stream = pa.ipc.new_stream(file, GENERATIONS, options=pa.ipc.IpcWriteOptions(compression="zstd"))
        for number in range(batches):
            asked = [a_request(number * ANSWERS + one) for one in range(ANSWERS)]
            rows = {field.name: [None] * ANSWERS for field in GENERATIONS}
            rows |= {"request_id": [one.request_id for one in asked], "query_id": [one.query_id for one in asked]}
            rows |= {"text": as_written(number)}
            stream.write_batch(
                pa.record_batch([pa.array(rows[field.name], field.type) for field in GENERATIONS], schema=GENERATIONS)
            )
        stream.close()
    return path.read_bytes()


def test_segments_of_before_are_read_and_their_damage_is_found_as_far_as_it_can_be(tmp_path: Path) -> None:
    path = tmp_path / "old.arrows"
    whole = _old(path, BATCHES)
    assert read(path) == ALL
    draw = random.Random(3)
    for _ in range(400):
        flipped = bytearray(whole)
        flipped[draw.randrange(len(whole))] ^= draw.randrange(1, 256)
        path.write_bytes(flipped)
        found = read(path, damage := [])  # never a crash
        assert len(found) >= BATCHES - 1
        assert sum(batch in ALL for batch in found) >= BATCHES - 1
        assert damage or len(found) == BATCHES


def test_a_batch_without_its_hash_is_none_where_others_have_theirs(tmp_path: Path) -> None:
    asked = a_request(1)
    rows = {field.name: [None] for field in GENERATIONS} | {"request_id": [asked.request_id]}
    rows |= {"query_id": [asked.query_id], "text": ["no hash"]}
    batch = pa.record_batch([pa.array(rows[field.name], field.type) for field in GENERATIONS], schema=GENERATIONS)
    (tmp_path / "x.arrows").write_bytes(HEAD + batch.serialize().to_pybytes() + message_of(batch) + END)
    assert read(tmp_path / "x.arrows", damage := []) == [["no hash"]]
    assert damage == [None]


def test_a_damaged_segment_is_folded_but_for_its_damage_stays_and_is_said(whole: bytes, tmp_path: Path) -> None:
    root = Root(tmp_path)
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    broken = bytearray(whole)
    broken[len(HEAD) + (len(whole) - len(HEAD)) // 2 - 200] ^= 1
    (folder / "x-00000.arrows").write_bytes(broken)
    said: list[str] = []
    found = Generations(root, said.append)
    assert sum(found.table(bucket).num_rows for bucket in range(256)) == (BATCHES - 1) * ANSWERS
    [line] = said
    assert f"{folder / 'x-00000.arrows'} is damaged: 3 answers in it cannot be read and are paid for again" in line
    assert line.endswith("the file stays as x-00000.damaged")
    assert [path.name for path in folder.iterdir()] == ["x-00000.damaged"]
    assert (folder / "x-00000.damaged").read_bytes() == broken
    Generations(root, said.append)
    assert len(said) == 1


def test_a_torn_tail_is_no_damage(whole: bytes, tmp_path: Path) -> None:
    root = Root(tmp_path)
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "x-00000.arrows").write_bytes(whole[:-300])
    said: list[str] = []
    found = Generations(root, said.append)
    assert sum(found.table(bucket).num_rows for bucket in range(256)) == (BATCHES - 1) * ANSWERS
    assert said == [] and files(root, "*.damaged") == [] and files(root, "*.arrows") == []
    shutil.rmtree(tmp_path / FOLDER)
