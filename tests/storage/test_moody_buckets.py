"""Whatever becomes of a flush, every answer handed over is in the bucket, or on this machine, when the run ends."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.loopback_s3 import LoopbackS3
from schemas.errors import StorageError
from storage.files import temporary_files
from storage.generations import Generations
from storage.journal import FOLDER, UNSENT, JournalWriter
from storage.root import Root
from tests.storage.answers import a_request, an_answer
from tests.storage.moody_s3 import Mood, moody

ANSWERS = 100


@pytest.fixture
def mood(s3: LoopbackS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mood]:
    with moody(s3.endpoint) as server:
        for name, value in (s3.environment(tmp_path.name) | {"AWS_ENDPOINT_URL": server.endpoint}).items():
            monkeypatch.setenv(name, value)
        yield server


def hand_over(root: Root, mood: Mood, then: str) -> str:
    """Hand 100 answers over, a few every flush, to a server in a mood; return the error that the run ends with."""
    try:
        with JournalWriter(root, "run") as writer:
            for number in range(ANSWERS):
                if number == 10:
                    mood.now = then
                with contextlib.suppress(StorageError):
                    writer.append(a_request(number), an_answer(a_request(number)))
                time.sleep(0.02)
    except StorageError as error:
        return str(error)
    return ""


def kept(root: Root) -> int:
    found = Generations(root)
    return sum(found.table(bucket).num_rows for bucket in range(256))


@pytest.mark.slow
def test_a_bucket_that_refuses_loses_nothing_and_the_next_run_brings_all_in(mood: Mood, tmp_path: Path) -> None:
    root = Root.open(f"s3://forge/{tmp_path.name}")
    said = hand_over(root, mood, "denied")
    here = root.scratch(f"{UNSENT}/_").parent
    assert f"answers are kept in {here}, and the next run here brings them in" in said
    assert "\n" not in said
    assert kept_here(said) + 10 >= ANSWERS
    mood.now = "fine"
    assert kept(root) == ANSWERS
    assert list(here.glob("*")) == []
    assert list(temporary_files(root.path)) == []


def kept_here(said: str) -> int:
    return int(said.partition(" answers are kept")[0].rpartition(" ")[2])


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["broken", "busy", "down", "slow"])
def test_a_bucket_in_trouble_for_a_while_gets_all_in_the_end(mood: Mood, tmp_path: Path, trouble: str) -> None:
    root = Root.open(f"s3://forge/{tmp_path.name}")
    with JournalWriter(root, "run") as writer:
        mood.now = trouble
        for number in range(ANSWERS):
            writer.append(a_request(number), an_answer(a_request(number)))
            time.sleep(0.02)
        mood.now = "fine"
    there = len(root.names(FOLDER, ".arrows"))
    assert there >= 2
    assert list(root.scratch(f"{UNSENT}/_").parent.glob("*")) == []
    assert kept(root) == ANSWERS


KILLED = """
import sys, time
from storage.journal import JournalWriter
from storage.root import Root
from tests.storage.answers import a_request, an_answer
with JournalWriter(Root.open(sys.argv[1]), "run") as writer:
    for number in range(100):
        writer.append(a_request(number), an_answer(a_request(number)))
    print("handed over", flush=True)
    time.sleep(60)
"""


def test_a_run_that_is_killed_while_its_bucket_hangs_loses_nothing_older_than_a_second(
    mood: Mood, tmp_path: Path
) -> None:
    root = Root.open(f"s3://forge/{tmp_path.name}")
    mood.now = "down"
    with subprocess.Popen([sys.executable, "-c", KILLED, root.where()], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        until = time.monotonic() + 30
        while not list(root.scratch(f"{UNSENT}/_").parent.glob("*.arrows")) and time.monotonic() < until:
            time.sleep(0.1)  # a process's first flush loads pandas
        time.sleep(1)
        os.kill(process.pid, signal.SIGKILL)
    mood.now = "fine"
    assert kept(root) == ANSWERS


NO_ROOM = """
import contextlib, resource, signal, sys
from schemas.errors import StorageError
from storage.journal import JournalWriter
from storage.root import Root
from tests.storage.answers import a_request, an_answer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
root = Root.open(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
with JournalWriter(root, "run") as writer:
    for number in range(100):
        writer.append(a_request(number), an_answer(a_request(number)))
        if number % 25 == 0:
            writer.flush()
"""


def test_where_this_machines_disk_is_full_answers_go_into_the_bucket_at_once(mood: Mood, tmp_path: Path) -> None:
    root = Root.open(f"s3://forge/{tmp_path.name}")
    subprocess.run([sys.executable, "-c", NO_ROOM, root.where()], check=True)
    assert kept(root) == ANSWERS


def test_where_neither_takes_them_the_number_that_is_lost_is_said(mood: Mood, tmp_path: Path) -> None:
    root = Root.open(f"s3://forge/{tmp_path.name}")
    mood.now = "denied"
    done = subprocess.run(
        [sys.executable, "-c", NO_ROOM, root.where()], capture_output=True, text=True, check=False, timeout=60
    )
    assert "File too large" in done.stderr and "refuses these credentials" in done.stderr
    assert "1 answers could be kept nowhere" in done.stderr
