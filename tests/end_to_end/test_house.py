"""`grmforge gc` and `grmforge forget` as a user runs them: dry runs, bad input, kills, a disk that refuses."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands import GRMFORGE, grmforge, paid, start, write_recipe
from tests.examples import jsonl_rows, write_rows
from tests.pipelines.upkeep.houses import MARK, answers, files_with, marked_rows

PUBLISHED = "snapshots/"


def write_house(folder: Path, *names: str, rows: int = 60, **model: Any) -> Path:
    write_rows(folder / "kept.jsonl", jsonl_rows(rows))
    write_rows(folder / "gone.jsonl", marked_rows(rows))
    return write_recipe(
        folder / f"{'-'.join(names)}.toml",
        build={"name": "house", "sets": ["rft", "pairs"]},
        sources=[{"kind": "preference_sets", "name": name, "path": f"{name}.jsonl"} for name in names],
        models={"grm": {"engine": "simulated"} | model},
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a recipe and its root, to be copied by each test."""
    folder = tmp_path_factory.mktemp("house")
    assert grmforge("build", write_house(folder, "gone", "kept"), "--root", folder / "data").code == 0
    return folder


@pytest.fixture
def root(model: Path, tmp_path: Path) -> Path:
    subprocess.run(["cp", "-a", model, tmp_path / "house"], check=True)  # with its hard links
    return tmp_path / "house" / "data"


@pytest.mark.slow
def test_a_source_is_shown_first_then_forgotten_and_refused_from_then_on(root: Path) -> None:
    folder = root.parent
    shown = grmforge("forget", "gone", "--root", root)
    assert shown.code == 0
    assert "source gone: 60 sets of 60 queries" in shown.out
    assert "(LATEST): pairs/train" in shown.out
    assert "stages as a whole: builds make them again" in shown.out
    assert shown.out.splitlines()[-1] == "nothing was changed: add --yes to forget it"
    assert len(files_with(root, MARK)) > 10
    done = grmforge("forget", "gone", "--root", root, "--yes", "--reason", "licence\n withdrawn \x1b[31m", "--json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert (told["removed"], told["kind"], told["sets"], len(told["versions"])) == (True, "source", 60, 1)
    assert MARK not in done.out
    assert files_with(root, MARK, but=PUBLISHED) == []
    refused = grmforge("build", folder / "gone-kept.toml", "--root", root)
    assert refused.code == 2
    (error,) = refused.errors
    assert "gone: this source was forgotten on 20" in error and "\x1b" not in error
    assert f"allow it again: grmforge forget gone --undo --root {root} --yes" in error
    doctor = grmforge("doctor", folder / "gone-kept.toml", "--root", root)
    assert doctor.code == 1
    assert "WRONG  source gone: gone: this source was forgotten on 20" in doctor.out
    before = paid(root)
    assert grmforge("build", write_house(folder, "kept"), "--root", root).code == 0
    assert paid(root) == before, "nothing of the other source is asked again"
    assert grmforge("forget", "gone", "--undo", "--root", root).out.endswith("add --yes to let it come back\n")
    assert grmforge("forget", "gone", "--undo", "--yes", "--root", root).code == 0
    assert grmforge("build", folder / "gone-kept.toml", "--root", root).code == 0


@pytest.mark.slow
def test_what_is_not_there_is_named_with_what_there_is(root: Path) -> None:
    for words, said in (
        (["forget", "nobody"], "there are: gone, kept"),
        (["forget", "nobody", "--undo"], "'nobody' was not forgotten"),
        (["forget", "nobody", "--undo", "--yes"], "'nobody' was not forgotten"),
        (["forget", " "], "forget what?"),
        (["forget", "../../etc"], "there are: gone, kept"),
        (["forget", "\x1b[31m" + "x" * 300], "there are: gone, kept"),
        (["forget", "f" * 32], "the set or the query ffff"),
        (["forget", "f" * 64], "there are: gone, kept"),
        (["gc", "--older-than", "-1"], "--older-than"),
    ):
        done = grmforge(*words, "--root", root)
        assert done.code == 2, words
        assert said in done.errors[0], done.err
        assert "\x1b" not in done.err
    assert not (root / "forgotten").exists()
    for words in (["gc"], ["forget", "gone"]):
        done = grmforge(*words, "--root", root / "nowhere")
        assert (done.code, (root / "nowhere").exists()) == (2, False)
        assert "no such directory" in done.errors[0]


@pytest.mark.slow
def test_killed_at_any_moment_the_same_request_finishes_it(root: Path) -> None:
    """Started over and over, and killed a little later each time, until it ends by itself."""
    kept = {one for one, row in answers(root).items() if MARK not in row["request"]}
    wait = 0.3
    for _ in range(40):
        with start("forget", "gone", "--root", root, "--yes") as process:
            try:
                process.communicate(timeout=wait)
                break
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        wait += 0.1
    assert grmforge("forget", "gone", "--root", root, "--yes").code == 0
    assert files_with(root, MARK, but=PUBLISHED) == []
    assert answers(root).keys() == kept
    (tombstone,) = (root / "forgotten").iterdir()
    assert json.loads(tombstone.read_bytes())["finished_at"]


@pytest.mark.slow
def test_a_disk_that_refuses_loses_nothing(root: Path) -> None:
    """Buckets are rewritten as new files first; the shell's limit refuses them as a full disk does."""
    before = answers(root)
    limited = ["bash", "-c", 'ulimit -f 1; exec "$@"', "-", GRMFORGE, "forget", "gone", "--root", str(root), "--yes"]
    done = subprocess.run(limited, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert "ulimit -f" in done.stderr and "Traceback" not in done.stderr
    left = answers(root)
    assert {one for one, row in before.items() if MARK not in row["request"]} <= left.keys()
    assert grmforge("forget", "gone", "--root", root, "--yes").code == 0
    assert files_with(root, MARK, but=PUBLISHED) == []
    assert answers(root).keys() == {one for one, row in before.items() if MARK not in row["request"]}


@pytest.mark.slow
def test_gc_shows_then_removes_and_says_what_that_frees(root: Path) -> None:
    assert grmforge("gc", "--root", root).out == "nothing to remove\n"
    old = time.time() - 30 * 86_400
    (root / ".probe-00112233").write_bytes(b"123")
    for path in root.rglob("*"):
        os.utime(path, (old, old))
    shown = grmforge("gc", "--root", root)
    assert "stages/leaks/" in shown.out and ".probe-00112233" in shown.out
    assert shown.out.splitlines()[-1] == "nothing was changed: add --yes to remove it"
    assert (root / ".probe-00112233").exists()
    done = json.loads(grmforge("gc", "--root", root, "--yes", "--json").out)
    assert [one["kind"] for one in done["leftovers"]] == ["stage", "temporary file"]
    assert done["bytes"] == done["freed"] > 3
    assert not (root / ".probe-00112233").exists()
    assert not (root / "stages/leaks").exists() or not list((root / "stages/leaks").iterdir())


@pytest.mark.slow
def test_gc_beside_a_running_build_takes_nothing_from_it(tmp_path: Path) -> None:
    slowly: dict[str, Any] = {"max_concurrency": 8, "simulated": {"latency_s": 0.15}}
    recipe = write_house(tmp_path, "gone", "kept", rows=30, **slowly)
    root = tmp_path / "data"
    root.mkdir()
    with start("build", recipe, "--root", root, "--json") as process:
        runs = 0
        while process.poll() is None:
            done = grmforge("gc", "--root", root, "--yes", "--older-than", "0.5")
            assert done.code == 0
            runs += 1
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert runs > 1
    assert json.loads(out)["new"]
