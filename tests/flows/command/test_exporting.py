"""`grmforge export` as a user runs it."""

import json
from pathlib import Path

import pytest

from storage.snapshots import Snapshot
from tests.end_to_end.commands import grmforge, latest
from tests.flows.command.small_recipes import write_small
from tests.trainers.tokenizers import save_tokenizer


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """Return a small snapshot of rft, rl and pairs."""
    home = tmp_path_factory.mktemp("export")
    build = {"name": "small", "root": str(home / "data"), "sets": ["rft", "rl", "pairs"]}
    done = grmforge("build", write_small(home, build=build))
    assert done.code == 0, done.err
    return latest(home / "data", "small")


def test_an_export_says_what_it_wrote_and_what_not(snapshot: Snapshot, tmp_path: Path) -> None:
    done = grmforge("export", "small", "--to", "verl", "--root", snapshot.root.where(), cwd=tmp_path)
    assert done.code == 0, done.err
    assert "written: small-verl (README.md says what to run; FILL: marks what is yours)" in done.out
    assert "pairs: not written: verl trains no reward model" in done.out
    assert {file.name for file in (tmp_path / "small-verl").iterdir()} >= {
        "README.md",
        "rft",
        "rl",
        "grpo.sh",
        "sft.sh",
    }

    again = grmforge("export", "small", "--to", "verl", "--root", snapshot.root.where(), cwd=tmp_path)
    assert again.code == 2 and "is not empty" in again.errors[0]
    other = ("--sets", "rl", "--out", tmp_path / "other", "--json")
    facts = json.loads(grmforge("export", snapshot.location, "--to", "verl", *other).out)
    assert list(facts["sets"]) == ["rl"] and facts["check"] is None


def test_a_check_that_cannot_be_run_says_so(snapshot: Snapshot, tmp_path: Path) -> None:
    tokenizer = save_tokenizer(tmp_path / "tokenizer")
    options = ("--out", tmp_path / "out", "--check", "--tokenizer", tokenizer)
    done = grmforge("export", snapshot.location, "--to", "slime", *options)
    assert done.code == 0, done.err
    assert "check: not run: slime is not installed here" in done.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--to", "openrhlf"), "did you mean openrlhf"),
        (("--to", "trl", "--sets", "traces"), "has no rows of it"),
        (("--to", "trl", "--sets", "rft,tracse"), "did you mean traces"),
        (("--to", "trl", "--train-on", "thoughts"), "there are answer and thoughts_and_answer"),
        (("--to", "trl", "--check"), "add --tokenizer"),
        (("--to", "trl", "--tokenizer", "no-such-folder/model"), "cannot be loaded"),
    ],
)
def test_bad_input_is_one_line(snapshot: Snapshot, tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    done = grmforge("export", snapshot.location, *options, cwd=tmp_path, env={"HF_HUB_OFFLINE": "1"})
    assert done.code == 2 and words in done.errors[0], done.err
    assert not list(tmp_path.iterdir())
