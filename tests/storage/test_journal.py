"""The journal: what is on disk is read, whatever happened to its writer."""

import errno
import fcntl
import subprocess
import sys
import threading
from itertools import count
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pytest

from schemas.errors import StorageError
from schemas.generation import GENERATIONS
from storage import journal as journals
from storage.generations import Generations
from storage.journal import FOLDER, JournalWriter, claimed, runs_writing, segments
from storage.root import Root
from storage.segments import read_segment
from tests.storage.answers import a_request, an_answer, files, journal


def read(path: Path) -> list[str]:
    return [text for table in read_segment(path) for text in table.column("text").to_pylist()]


@pytest.mark.slow
def test_a_torn_tail_is_read_up_to_the_last_whole_batch_at_every_byte(tmp_path: Path) -> None:
    root = Root(tmp_path)
    journal(root, [(a_request(number), an_answer(a_request(number), f"t{number}")) for number in range(2)], batch=1)
    [path] = files(root, "*.arrows")
    whole = path.read_bytes()
    torn = tmp_path / "torn.arrows"
    reached = []
    for end in range(len(whole) + 1):
        torn.write_bytes(whole[:end])
        reached.append(read(torn))
    assert reached[-1] == ["t0", "t1"]
    assert reached == sorted(reached)  # each a prefix of the next, never a wrong row
    assert {len(texts) for texts in reached} == {0, 1, 2}
    for garbage in (b"\0" * 64, b"\xff" * 64):
        torn.write_bytes(whole[:-8] + garbage)
        assert read(torn) == ["t0", "t1"]


def test_an_answer_is_on_disk_within_a_second_without_asking(tmp_path: Path) -> None:
    root = Root(tmp_path)
    with JournalWriter(root, "run") as writer:
        writer.append(a_request(1), an_answer(a_request(1)))
        waiting = threading.Event()
        for _ in range(100):
            if files(root, "*.arrows") and read(files(root, "*.arrows")[0]):
                break
            waiting.wait(0.05)
        assert read(files(root, "*.arrows")[0]) == ["fine"]


def test_runs_that_write_now_are_named_and_those_that_are_dead_or_wrote_nothing_are_not(tmp_path: Path) -> None:
    root = Root(tmp_path)
    journal(root, [(a_request(1), an_answer(a_request(1)))])
    assert runs_writing(root) == []
    with JournalWriter(root, "first") as first, JournalWriter(root, "first") as again, JournalWriter(root, "idle"):
        for number, writer in enumerate((first, again), 2):
            writer.append(a_request(number), an_answer(a_request(number)))
            writer.flush()
        assert runs_writing(root) == ["first"]
    assert runs_writing(root) == []


def test_a_living_writers_segment_is_nobodys_but_its_own(tmp_path: Path) -> None:
    root = Root(tmp_path)
    with JournalWriter(root, "run") as writer:
        writer.append(a_request(1), an_answer(a_request(1)))
        writer.flush()
        [key] = segments(root)
        with claimed(root.at(key)) as claim:
            assert not claim
        code = "import sys; from storage.root import Root; from storage.generations import Generations; "
        code += "g = Generations(Root.open(sys.argv[1])); print(sum(len(g.lookup(b)) for b in range(256)))"
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
        assert done.stdout == "1\n"
        assert segments(root) == [key]
        writer.append(a_request(2), an_answer(a_request(2)))
    assert read(root.at(key)) == ["fine", "fine"]
    with claimed(root.at(key)) as claim:
        assert claim
    with claimed(root.at(key + "gone")) as claim:
        assert not claim
    assert list(read_segment(root.at(key + "gone"))) == []


def test_no_answer_is_lost_between_two_threads(tmp_path: Path) -> None:
    root = Root(tmp_path)
    asked = a_request(1)
    with JournalWriter(root, "run") as writer:
        flushing = threading.Event()

        def flush() -> None:
            while not flushing.is_set():
                writer.flush()

        other = threading.Thread(target=flush)
        other.start()
        for number in range(20_000):
            writer.append(asked, an_answer(asked, str(number)))
        flushing.set()
        other.join()
    found = [text for path in files(root, "*.arrows") for text in read(path)]
    assert found == [str(number) for number in range(20_000)]


def test_two_writers_of_one_run_share_no_file(tmp_path: Path) -> None:
    root = Root(tmp_path)
    for number in (1, 2):
        journal(root, [(a_request(number, bucket=5), an_answer(a_request(number, bucket=5)))])
        Generations(root)
    assert len(Generations(root).lookup(5)) == 2


def test_a_segment_ends_when_it_is_long(tmp_path: Path) -> None:
    root = Root(tmp_path)
    asked = a_request(1)
    with JournalWriter(root, "run") as writer:
        for number in range(journals.SEGMENT_ROWS + 1):
            writer.append(asked, an_answer(asked))
            if number == 10:
                writer.flush()  # as the background thread does, whenever it gets its turn
    assert [len(read(path)) for path in files(root, "*.arrows")] == [journals.SEGMENT_ROWS, 1]


def test_a_newer_journal_is_refused(tmp_path: Path) -> None:
    root = Root(tmp_path)
    path = root.at(f"{FOLDER}/later-00000.arrows")
    path.parent.mkdir(parents=True)
    schema = GENERATIONS.with_metadata({"grmforge.format": "2"})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema) as stream:
        stream.write_table(schema.empty_table())
        stream.write_batch(pa.record_batch([pa.nulls(1, field.type) for field in schema], schema=schema))
    with pytest.raises(StorageError, match="written in format 2"):
        Generations(root)
    assert path.exists()


def test_an_older_journals_missing_columns_are_null(tmp_path: Path) -> None:
    root = Root(tmp_path)
    path = root.at(f"{FOLDER}/earlier-00000.arrows")
    path.parent.mkdir(parents=True)
    asked = a_request(1)
    table = pa.table({"request_id": [asked.request_id], "query_id": [asked.query_id], "text": ["old"]})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    found = Generations(root).lookup(int(asked.query_id[:2], 16))[asked.request_id]
    assert (found.text, found.error, found.cost_usd) == ("old", None, None)


def test_a_segment_that_cannot_be_locked_takes_no_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They go into another one, since nobody would find them there."""
    lock, tries = fcntl.flock, count()

    def flock(file: BinaryIO, operation: int) -> None:
        if next(tries) == 0:
            raise OSError(errno.ENOLCK, "No locks available")
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(StorageError, match="No locks available"), JournalWriter(Root(tmp_path), "run") as writer:
        writer.append(a_request(1), an_answer(a_request(1)))
        with pytest.raises(StorageError):
            writer.flush()
        writer.append(a_request(2), an_answer(a_request(2)))
    assert [read(path) for path in files(Root(tmp_path), "*.arrows")] == [["fine", "fine"]]


def test_a_segment_that_was_folded_meanwhile_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may fold and remove it after it was opened here, and before it was locked."""
    root = Root(tmp_path)
    journal(root, [(a_request(1), an_answer(a_request(1)))])
    [path] = files(root, "*.arrows")
    monkeypatch.setattr(fcntl, "flock", lambda *_: path.unlink())
    Generations(root)
    assert not [left for left in files(root, "*") if left.is_file()]


FILL = """
import resource, signal, sys
from schemas.errors import StorageError
from storage.journal import JournalWriter
from storage.root import Root
from storage.segments import read_segment
from tests.storage.answers import a_request, an_answer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
try:
    with JournalWriter(Root.open(sys.argv[1]), "run") as writer:
        for number in range(10_000):
            asked = a_request(number)
            writer.append(asked, an_answer(asked, asked.request_id * 4))
            if number % 10 == 9:
                writer.flush()
except StorageError as error:
    print(error)
"""


def test_a_disk_that_takes_no_more_keeps_what_it_took(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FILL, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert "File too large" in done.stdout
    assert done.stderr == ""
    root = Root(tmp_path)
    kept = sum(len(Generations(root).lookup(bucket)) for bucket in range(256))
    assert kept > 0
    assert kept % 10 == 0
    journal(root, [(a_request(20_000), an_answer(a_request(20_000)))])
    assert sum(len(Generations(root).lookup(bucket)) for bucket in range(256)) == kept + 1
