"""A root that one may only read: looking at it works, and leaves nothing in it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.root import Root, root_to_look_at
from tests.end_to_end.commands import grmforge, write_recipe

ROWS = "".join(
    f'{{"query": "Name item {number}.", "responses": ["Item {number}.", "No item."], "best": 0}}\n'
    for number in range(20)
)


def recipe(directory: Path, **source: object) -> Path:
    (directory / "rows.jsonl").write_text(ROWS)
    return write_recipe(
        directory / "small.toml",
        build={"name": "small", "sets": ["rft"]},
        sources=[{"kind": "preference_sets", "path": "rows.jsonl", **source}],
        models={"grm": {"engine": "simulated"}},
    )


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A root with a build in it that nobody can write to, root included."""
    root = tmp_path / "data"
    assert grmforge("build", recipe(tmp_path), "--root", root).code == 0
    lock, unlock = (["chmod", "-R", "a-w"], ["chmod", "-R", "u+w"])
    if os.geteuid() == 0:
        lock, unlock = (["chattr", "-R", "+i"], ["chattr", "-R", "-i"])
    if shutil.which(lock[0]) is None or subprocess.run([*lock, root], capture_output=True).returncode:
        pytest.skip("nothing here makes a directory read-only for this user")
    yield root
    subprocess.run([*unlock, root], check=True)


def files_under(root: Path) -> dict[str, float]:
    return {str(path): path.stat().st_mtime for path in root.rglob("*")}


def test_plan_works_on_a_root_that_cannot_be_written_and_build_says_so(tmp_path: Path, locked: Path) -> None:
    before = files_under(locked)
    same = grmforge("plan", tmp_path / "small.toml", "--root", locked)
    assert (same.code, same.errors) == (0, [])
    assert "everything is there already" in same.out
    fewer = grmforge("plan", recipe(tmp_path, limit=5), "--root", locked, "--json")
    assert (fewer.code, fewer.errors) == (0, [])
    build = grmforge("build", recipe(tmp_path, limit=5), "--root", locked)
    assert build.code == 1
    assert build.errors == [f"error: root {locked}: not permitted; choose a root you may write to with --root"]
    assert files_under(locked) == before


def test_plan_works_where_no_root_can_be_made() -> None:
    with root_to_look_at("/proc/nobody/makes/this") as root:
        root.write("stages/a/b/manifest.json", b"{}")
        scratch = root.path
        assert root.exists("stages/a/b/manifest.json")
    assert not scratch.exists()


def test_a_root_that_can_be_written_is_the_root_itself(tmp_path: Path) -> None:
    with root_to_look_at(str(tmp_path / "data")) as root:
        assert root == Root(tmp_path / "data")
