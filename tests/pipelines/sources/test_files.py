"""Local paths and the hub become files with a revision and a hash; everything else becomes one clear line."""

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.sources import preference_sets
from pipelines.sources.files import is_here, open_files
from pipelines.sources.preference_sets import PreferenceSets
from pipelines.sources.teleqna import TeleQnA
from pipelines.sources.ultrafeedback import UltraFeedback
from schemas.errors import SourceError
from schemas.preference import PreferenceSet
from tests.pipelines.engines.stand_in_server import Received, Reply
from tests.pipelines.sources.stand_in_hub import COMMIT, StandInHub

PATTERNS = ("*.jsonl", "*.jsonl.gz")
ROW = b'{"query": "q", "responses": ["a", "b"], "best": 1}\n'


def one_line(raised: pytest.ExceptionInfo[SourceError]) -> str:
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_a_local_file_is_taken_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_bytes(ROW)
    files = open_files(UltraFeedback(kind="ultrafeedback", path="mine.txt"), "hub/id", PATTERNS, tmp_path)
    assert files.paths == (tmp_path / "mine.txt",)
    assert files.origin == "mine.txt"
    assert files.revision == f"sha256:{files.sha256[:12]}"


def test_a_local_directory_is_filtered_and_sorted(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "deep/c.jsonl", "README.md", ".cache/d.jsonl"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(ROW)
    place = UltraFeedback(kind="ultrafeedback", path="set", revision="v2")
    files = open_files(place, "hub/id", PATTERNS, tmp_path)
    assert [files.name(path) for path in files.paths] == ["a.jsonl", "b.jsonl", "deep/c.jsonl"]
    assert (files.revision, files.origin) == ("v2", "set")


def test_the_hash_covers_names_and_contents_and_not_the_place(tmp_path: Path) -> None:
    def digest(place: str, name: str, content: bytes) -> str:
        (tmp_path / place).mkdir()
        (tmp_path / place / name).write_bytes(content)
        return open_files(UltraFeedback(kind="ultrafeedback", path=place), "", PATTERNS, tmp_path).sha256

    first = digest("one", "a.jsonl", ROW)
    assert digest("two", "a.jsonl", ROW) == first
    assert digest("three", "b.jsonl", ROW) != first
    assert digest("four", "a.jsonl", ROW + b"\n") != first


@pytest.mark.parametrize(
    ("path", "says"),
    [("missing.jsonl", "teleqna: missing.jsonl: no such file or directory"), ("empty", "has no file that matches")],
)
def test_a_local_path_without_data_is_named(tmp_path: Path, path: str, says: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=says) as raised:
        open_files(TeleQnA(kind="teleqna", path=path), "netop/TeleQnA", PATTERNS, tmp_path)
    assert str(tmp_path) not in one_line(raised)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.symlink_to("nowhere"), "is a link to nothing"),
        (os.mkfifo, "is no regular file"),
        (Path.mkdir, "is a directory without such files"),
        (lambda path: path.symlink_to(path.parents[1]), "is a link to a directory"),
    ],
)
def test_nothing_in_a_directory_that_should_hold_rows_is_skipped_in_silence(
    tmp_path: Path, make: Callable[[Path], None], said: str
) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    (folder / "a.jsonl").write_text("{}\n")
    make(folder / "b.jsonl")
    with pytest.raises(SourceError, match=rf"b.jsonl {said}; put a file in its place, or remove it"):
        open_files(UltraFeedback(kind="ultrafeedback", path="rows"), "", ("*.jsonl",), tmp_path)


def test_files_in_a_directory_with_such_a_name_are_read(tmp_path: Path) -> None:
    part = tmp_path / "rows.jsonl" / "part-0.jsonl"
    part.parent.mkdir()
    part.write_text("{}\n")
    assert open_files(UltraFeedback(kind="ultrafeedback", path="."), "", ("*.jsonl",), tmp_path).paths == (part,)


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    for path in ("pipe.jsonl", "/dev/zero"):
        with pytest.raises(SourceError, match="not a regular file") as raised:
            open_files(TeleQnA(kind="teleqna", path=path), "netop/TeleQnA", PATTERNS, tmp_path)
        assert one_line(raised).startswith(f"teleqna: {path}: ")


@pytest.fixture(scope="module")
def hub() -> StandInHub:
    return StandInHub(
        datasets={
            "maker/sets": {"train.jsonl": ROW, "more/part.jsonl.gz": gzip.compress(ROW), "README.md": b"# card"},
            "maker/images": {"cat.png": b"png"},
        },
        gated=frozenset({"maker/gated"}),
        failing=frozenset({"maker/failing"}),
    )


def test_a_data_set_of_the_hub_is_downloaded_at_its_commit(hub: StandInHub, tmp_path: Path) -> None:
    place = PreferenceSets(kind="preference_sets", hub="maker/sets")
    with hub:
        files = open_files(
            place, "", preference_sets.SOURCE.patterns, tmp_path, endpoint=hub.endpoint, cache=tmp_path / "hf"
        )
    assert (files.revision, files.origin) == (COMMIT, "maker/sets")
    assert [files.name(path) for path in files.paths] == ["more/part.jsonl.gz", "train.jsonl"]
    assert not any("README" in path for path in hub.paths)
    rows = list(preference_sets.SOURCE.read(place, files))
    assert [row.source_id for row in rows] == ["more/part.jsonl.gz:1", "train.jsonl:1"]
    assert all(isinstance(row, PreferenceSet) and row.source_revision == COMMIT for row in rows)


def test_a_commit_in_the_cache_needs_no_hub(hub: StandInHub, tmp_path: Path) -> None:
    place = PreferenceSets(kind="preference_sets", hub="maker/sets", revision=COMMIT)
    with hub:
        online = open_files(place, "", PATTERNS, tmp_path, endpoint=hub.endpoint, cache=tmp_path / "hf")
    offline = open_files(place, "", PATTERNS, tmp_path, endpoint=hub.endpoint, cache=tmp_path / "hf")
    assert offline == online


@pytest.mark.parametrize(
    ("name", "revision", "says"),
    [
        ("maker/nothing", None, "no such data set on the hub"),
        ("maker/sets", "v9", "maker/sets@v9: no such revision"),
        ("maker/gated", None, "is gated: accept its terms"),
        ("maker/failing", None, "hub"),
        ("maker/images", None, "matches"),
        ("not a hub id", None, "not a hub id"),
    ],
)
def test_what_the_hub_refuses_is_one_line(
    hub: StandInHub, tmp_path: Path, name: str, revision: str | None, says: str
) -> None:
    place = PreferenceSets(kind="preference_sets", hub=name, revision=revision)
    with hub, pytest.raises(SourceError, match=says) as raised:
        open_files(place, "", PATTERNS, tmp_path, endpoint=hub.endpoint, cache=tmp_path / "hf")
    assert one_line(raised).startswith("preference_sets: ")


def test_a_hub_that_is_down_is_one_line(tmp_path: Path) -> None:
    place = PreferenceSets(kind="preference_sets", hub="maker/sets")
    with pytest.raises(SourceError, match="the hub cannot be reached") as raised:
        open_files(place, "", PATTERNS, tmp_path, endpoint="http://127.0.0.1:9", cache=tmp_path / "hf")
    assert "path = '..'" in one_line(raised)


class BreakingHub(StandInHub):
    """A hub whose connection closes half way through a file, so often."""

    breaks = 0

    def reply(self, received: Received) -> Reply:
        reply = super().reply(received)
        if received.method == "GET" and "/resolve/" in received.path and self.breaks:
            self.breaks -= 1
            return replace(reply, ends="cut")
        return reply


@pytest.mark.parametrize("breaks", [1, 100])
def test_a_hub_that_breaks_off_is_asked_again_and_no_half_file_is_read(tmp_path: Path, breaks: int) -> None:
    place, content = PreferenceSets(kind="preference_sets", hub="maker/sets"), ROW * 5_000
    hub = BreakingHub({"maker/sets": {"train.jsonl": content}})
    hub.breaks, cache = breaks, tmp_path / "hf"
    with hub:
        if breaks > 1:
            with pytest.raises(SourceError, match="cannot be reached, or broke off"):
                open_files(place, "", PATTERNS, tmp_path, endpoint=hub.endpoint, cache=cache)
            assert not is_here(place, "", PATTERNS, cache=cache)
            hub.breaks = 0
        files = open_files(place, "", PATTERNS, tmp_path, endpoint=hub.endpoint, cache=cache)
    assert [path.read_bytes() for path in files.paths] == [content]


def test_hf_endpoint_of_the_environment_is_the_hub(hub: StandInHub, tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from pipelines.sources.files import is_here, open_files; "
        "from pipelines.sources.ultrafeedback import UltraFeedback; "
        "print(open_files(UltraFeedback(kind='ultrafeedback'), 'maker/sets', ('*.jsonl',), Path('.')).revision)"
    )
    with hub:
        environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
        )
    assert done.stdout.split() == [COMMIT], done.stderr


def test_is_here_downloads_nothing(tmp_path: Path) -> None:
    place, cache = PreferenceSets(kind="preference_sets", hub="mine/sets"), tmp_path / "cache"
    assert is_here(PreferenceSets(kind="preference_sets", path="wrong.jsonl"), "", PATTERNS)
    assert not is_here(place, "", PATTERNS, cache=cache)
    with StandInHub({"mine/sets": {"a.jsonl": ROW, "README.md": b""}}) as hub:
        open_files(place, "", PATTERNS, tmp_path, endpoint=hub.endpoint, cache=cache)
        asked = len(hub.paths)
        assert is_here(place, "", PATTERNS, cache=cache)
        assert not is_here(place, "", ("*.parquet",), cache=cache)
        assert len(hub.paths) == asked
