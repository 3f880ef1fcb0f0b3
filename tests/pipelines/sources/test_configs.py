"""A configuration and a split are found by `datasets`, from a directory or the hub, with the ids that files have."""

import gzip
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.sources.files import is_here, open_files
from pipelines.sources.preference_sets import SOURCE, PreferenceSets
from schemas.errors import SourceError
from schemas.preference import PreferenceSet
from tests.pipelines.engines.stand_in_server import Received, Reply
from tests.pipelines.sources.readings import json_lines
from tests.pipelines.sources.stand_in_hub import COMMIT, StandInHub

CARD = b"""---
configs:
- config_name: plain
  data_files:
  - split: train
    path: plain/train*
  - split: test
    path: plain/test*
- config_name: hard
  data_files: hard/*.jsonl
---
# A card
"""


def rows(name: str) -> bytes:
    return json_lines([{"prompt": f"{name} {n}", "chosen": "a", "rejected": "b"} for n in range(2)])


FILES = {
    "README.md": CARD,
    "plain/train-0.jsonl": rows("first"),
    "plain/train-1.jsonl.gz": gzip.compress(rows("second"), mtime=0),
    "plain/test.jsonl": rows("third"),
    "hard/all.jsonl": rows("hard"),
    "notes.txt": b"no rows",
}


def on_disk(directory: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    return directory


def names(place: Path, **keys: Any) -> list[str]:
    section = PreferenceSets(kind="preference_sets", path=place.name, **keys)
    files = open_files(section, "", SOURCE.patterns, place.parent)
    return [files.name(path) for path in files.paths]


def test_a_configuration_and_its_splits_name_the_files(tmp_path: Path) -> None:
    place = on_disk(tmp_path / "set", FILES)
    assert names(place, config="plain", split="train") == ["plain/train-0.jsonl", "plain/train-1.jsonl.gz"]
    assert names(place, config="plain", split="test") == ["plain/test.jsonl"]
    assert names(place, config="plain", split="train + test") == names(place, config="plain")
    assert names(place, config="hard", split="train") == ["hard/all.jsonl"]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"config": "soft"}, "no config 'soft'; there are 'hard', 'plain'"),
        ({"config": "plain", "split": "dev"}, "no split 'dev'; there are 'test', 'train'"),
        (
            {"config": "hard", "split": "train[:10%]"},
            r"no split 'train\[:10%\]'; there is 'train'; a part .* by limit",
        ),
        ({"split": "train"}, r"give config = '\.\.'; there are 'hard', 'plain'"),
    ],
)
def test_a_wrong_name_says_which_there_are(tmp_path: Path, keys: dict[str, str], says: str) -> None:
    with pytest.raises(SourceError, match=says) as raised:
        names(on_disk(tmp_path / "set", FILES), **keys)
    assert str(tmp_path) not in str(raised.value) and "\n" not in str(raised.value)


def test_without_a_card_files_are_found_by_their_names_and_a_folder_is_a_configuration(tmp_path: Path) -> None:
    place = on_disk(tmp_path / "set", {"one/train.jsonl": rows("a"), "two/test.jsonl": rows("b")})
    assert names(place, split="test") == ["two/test.jsonl"]
    assert names(place, config="one") == ["one/train.jsonl"]
    with pytest.raises(SourceError, match="no config 'three'; there are 'default', 'one', 'two'"):
        names(place, config="three")


def test_scripts_files_and_directories_without_rows_are_refused_in_words(tmp_path: Path) -> None:
    script = on_disk(tmp_path / "script", {"script.py": b"raise SystemExit", "data.bin": b""})
    with pytest.raises(SourceError, match="its rows are made by a script, which is not run"):
        names(script, split="train")
    with pytest.raises(SourceError, match=r"is a file; config and split choose among files: leave them out"):
        names(on_disk(tmp_path, FILES) / "notes.txt", config="plain")
    with pytest.raises(SourceError, match="no file of rows that `datasets` knows"):
        names(on_disk(tmp_path / "empty", {".hidden": b""}), split="train")


def test_packed_files_beside_plain_ones_are_read_and_hidden_ones_are_not(tmp_path: Path) -> None:
    packed = {f"{name}.jsonl.{name}": b"" for name in ("gz", "bz2", "xz", "zst")}
    place = on_disk(tmp_path / "set", {"a.jsonl": b"", "b.ndjson": b"", ".git/x.jsonl": b"", "d.json": b"", **packed})
    assert names(place) == sorted(["a.jsonl", "b.ndjson", *packed])


def test_a_directory_of_other_tables_alone_is_read_too(tmp_path: Path) -> None:
    place = on_disk(tmp_path / "set", {"train.csv": FILES["plain/test.jsonl"], "notes.txt": b"no rows"})
    assert names(place) == ["train.csv"]


def test_a_name_of_the_hub_cannot_lead_out_of_the_directory(tmp_path: Path) -> None:
    with StandInHub({"maker/set": {**FILES, "../../evil.jsonl": b"", "/abs.jsonl": b""}}) as hub:
        section = PreferenceSets(kind="preference_sets", hub="maker/set", config="hard")
        files = open_files(section, "", SOURCE.patterns, tmp_path, endpoint=hub.endpoint, cache=tmp_path / "hf")
    assert [files.name(path) for path in files.paths] == ["hard/all.jsonl"]
    assert not list(tmp_path.rglob("evil*"))


def test_the_hub_gives_the_same_rows_by_name_as_by_its_files(tmp_path: Path) -> None:
    cache, read = tmp_path / "hf", []
    with StandInHub({"maker/set": FILES}) as hub:
        for keys in ({}, {"config": "plain"}, {"config": "hard"}):
            section = PreferenceSets(kind="preference_sets", hub="maker/set", **keys)
            files = open_files(section, "", SOURCE.patterns, tmp_path, endpoint=hub.endpoint, cache=cache)
            assert (files.revision, files.origin) == (COMMIT, "maker/set")
            read.append(list(SOURCE.read(section, files)))
    assert all(isinstance(row, PreferenceSet) for rows in read for row in rows)
    assert sorted(read[0], key=lambda row: row.source_id) == sorted(read[1] + read[2], key=lambda row: row.source_id)


def test_what_is_in_the_cache_needs_no_hub(tmp_path: Path) -> None:
    cache = tmp_path / "hf"
    section = PreferenceSets(kind="preference_sets", hub="maker/set", config="plain", split="train")
    with StandInHub({"maker/set": FILES}) as hub:
        files = open_files(section, "", SOURCE.patterns, tmp_path, endpoint=hub.endpoint, cache=cache)
    assert is_here(section, "", SOURCE.patterns, cache=cache)
    again = open_files(section, "", SOURCE.patterns, tmp_path, endpoint="http://127.0.0.1:9", cache=cache)
    assert again.sha256 == files.sha256
    for other in ({"hub": "maker/other", "config": "plain"}, {"hub": "maker/set", "config": "plain", "split": "test"}):
        assert not is_here(PreferenceSets(kind="preference_sets", **other), "", (), cache=cache)


@pytest.mark.parametrize("keys", [{}, {"config": "plain"}])
def test_a_gated_set_without_a_token_says_what_to_do(tmp_path: Path, keys: dict[str, str]) -> None:
    section = PreferenceSets(kind="preference_sets", hub="maker/set", **keys)
    with (
        StandInHub({"maker/set": FILES}, gated={"maker/set"}) as hub,
        pytest.raises(SourceError, match="is gated: accept its terms on the hub and set HF_TOKEN"),
    ):
        open_files(section, "", SOURCE.patterns, tmp_path, endpoint=hub.endpoint, cache=tmp_path / "hf")


class Breaking(StandInHub):
    """A hub whose files end in the middle."""

    def reply(self, received: Received) -> Reply:
        reply = super().reply(received)
        return reply if "/resolve/" not in received.path else Reply(500, b"broken off")


def test_a_hub_that_breaks_off_ends_in_a_line_and_nothing_half_read(tmp_path: Path) -> None:
    section = PreferenceSets(kind="preference_sets", hub="maker/set", config="hard")
    with Breaking({"maker/set": FILES}) as hub, pytest.raises(SourceError) as raised:
        open_files(section, "", SOURCE.patterns, tmp_path, endpoint=hub.endpoint, cache=tmp_path / "hf")
    assert "\n" not in str(raised.value) and "hub" in str(raised.value)
    assert not [path for path in tmp_path.rglob("*.jsonl") if path.is_file()]


PROGRAM = """
from pathlib import Path
from pipelines.sources.files import names_on_the_hub
from pipelines.sources.preference_sets import PreferenceSets
print(*names_on_the_hub(PreferenceSets(kind="preference_sets", hub="maker/set", config="plain", split="train"), ""))
"""


def test_the_doctor_finds_the_names_without_a_download_of_rows(tmp_path: Path) -> None:
    with StandInHub({"maker/set": FILES}) as hub:
        environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path)}
        done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["plain/train-0.jsonl", "plain/train-1.jsonl.gz"], done.stderr
    assert not any(path.endswith((".jsonl", ".gz")) for path in hub.paths)
