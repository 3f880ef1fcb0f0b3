"""Published versions that lost a file, or a byte: the next build puts it back, doctor finds it, nothing is asked."""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.ahead.doctor import examine
from pipelines.orders import changed, new_run
from pipelines.reporting.publication import Published
from pipelines.steps import build
from pipelines.upkeep.forgetting import forget, request_to_forget
from pipelines.upkeep.leftovers import Kind, leftovers
from schemas.generation import Completion
from schemas.recipe import Recipe
from storage.generations import Generations
from storage.root import Root
from storage.snapshots import latest, versions
from tests.examples import Watcher, a_recipe, a_run, jsonl_rows, write_rows


def a_build(recipe: Recipe) -> tuple[Published, int]:
    """Return what a build ends with, and how many answers it bought."""
    run, watcher = a_run(recipe)
    return build(recipe, Root.open(recipe.build.root), run), watcher.bought


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    write_rows(tmp_path / "own.jsonl", jsonl_rows(36))  # too few for the leak probe, which takes longer than all else
    return changed(a_recipe(tmp_path), root=str(tmp_path / "data"))


def data(published: Published) -> dict[str, bytes]:
    return {str(path.relative_to(published.snapshot.path)): path.read_bytes() for path in parquet(published)}


def parquet(published: Published) -> list[Path]:
    return sorted(published.snapshot.path.rglob("*.parquet"))


def gone(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flipped(path: Path, at: int | None = None) -> None:
    """Flip a byte in place, so that whatever shares the file is damaged too."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 if at is None else at)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 10**9))


def alone(path: Path) -> None:
    """Flip a byte of a file that shares its bytes with none."""
    whole = path.read_bytes()
    path.unlink()
    path.write_bytes(whole)
    flipped(path)


@pytest.mark.parametrize("harm", [gone, cut, flipped, alone])
def test_what_a_version_lost_is_put_back_and_nothing_is_asked(recipe: Recipe, harm: Callable[[Path], None]) -> None:
    first, _ = a_build(recipe)
    whole = data(first)
    for path in parquet(first)[::2]:
        harm(path)
    healed, bought = a_build(recipe)
    assert (healed.new, bought) == (False, 0)
    assert healed.snapshot.manifest.version == first.snapshot.manifest.version
    assert data(healed) == whole
    again, _ = a_build(recipe)
    assert (again.new, again.healed) == (False, ())
    assert all(finding.ok for finding in examine(recipe, {}))


def test_pages_that_are_gone_are_written_again(recipe: Recipe) -> None:
    first, _ = a_build(recipe)
    (first.snapshot.path / "README.md").unlink()
    (first.snapshot.path / "rewards.py").write_bytes(b"")
    healed, _ = a_build(recipe)
    assert set(healed.healed) == {"README.md", "rewards.py"}
    assert (first.snapshot.path / "rewards.py").stat().st_size > 0


def test_damage_that_changes_neither_size_nor_time_is_found_by_doctor_and_its_way_out_works(recipe: Recipe) -> None:
    first, _ = a_build(recipe)
    whole = data(first)
    path = parquet(first)[0]
    before = path.stat()
    flipped(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    looked: list[str] = []
    findings = examine(recipe, {}, looked.append)
    wrong = [finding for finding in findings if not finding.ok]
    version = f"small@{first.snapshot.manifest.version}"
    assert wrong[0].what == f"version {version}"
    assert f"{path} is gone or damaged; build its recipe again, which puts it back" in wrong[0].says
    assert "stages/assembled/" in wrong[1].what
    assert version in looked
    path.unlink()
    healed, bought = a_build(recipe)
    assert (healed.new, bought, data(healed)) == (False, 0, whole)
    assert all(finding.ok for finding in examine(recipe, {}))


def test_a_shard_that_no_version_published_is_found_by_doctor(recipe: Recipe) -> None:
    first, _ = a_build(recipe)
    path = parquet(first)[0]
    foreign = path.with_name("more.parquet")
    foreign.write_bytes(path.read_bytes())
    (wrong,) = [finding for finding in examine(recipe, {}) if not finding.ok]
    assert f"{foreign} is not a part of it, and whoever reads the folder reads it too" in wrong.says
    foreign.unlink()
    assert all(finding.ok for finding in examine(recipe, {}))


@pytest.mark.parametrize("manifest", [None, b"", b'{"format": 1, "name', b"\xff\x00", b"[]"])
def test_a_version_whose_manifest_is_gone_or_none_blocks_no_build(recipe: Recipe, manifest: bytes | None) -> None:
    first, _ = a_build(recipe)
    path = first.snapshot.path / "manifest.json"
    path.unlink() if manifest is None else path.write_bytes(manifest)
    wrong = [finding for finding in examine(recipe, {}) if not finding.ok]
    assert [finding.what.partition(" ")[0] for finding in wrong] == ["LATEST" if manifest is None else "version"]
    second, bought = a_build(recipe)
    root = Root.open(recipe.build.root)
    assert (second.new, bought) == (True, 0)
    assert latest(root, "small") == second.snapshot.manifest.version in versions(root, "small")
    assert data(second) == data(first)


@pytest.mark.parametrize(
    ("at", "says"),
    [
        (40, "answers in it cannot be read: the next build sets it aside"),
        (-4, "every answer in it can be read: the next build writes it anew"),
    ],
    ids=["in a page", "at the end"],
)
def test_damaged_answers_are_named_by_doctor_before_a_build_sets_them_aside(recipe: Recipe, at: int, says: str) -> None:
    a_build(recipe)
    root = Root.open(recipe.build.root)
    file = max(root.path.glob("generations/bucket=*/*.parquet"), key=lambda path: path.stat().st_size)
    flipped(file, at % file.stat().st_size)
    [wrong] = [finding for finding in examine(recipe, {}) if not finding.ok]
    assert f"{file}: damaged" in wrong.says and says in wrong.says
    assert file.exists()


@dataclass
class Listener(Watcher):
    """A watcher that keeps what is said and what is asked in order."""

    events: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        self.events.append(text)

    def answered(self, completion: Completion) -> None:
        self.events.append("asked")


def test_what_is_to_be_paid_again_is_said_before_anything_is_asked_and_only_that_is_paid(
    recipe: Recipe, tmp_path: Path
) -> None:
    first, _ = a_build(recipe)
    root = Root.open(recipe.build.root)
    file = max(root.path.glob("generations/bucket=*/*.parquet"), key=lambda path: path.stat().st_size)
    rows = pq.read_metadata(file).num_rows
    flipped(file, 60)
    shutil.rmtree(root.path / "stages")
    watcher = Listener()
    again = build(recipe, root, new_run(recipe, {}, watcher))
    assert f"{file} is damaged: {rows} answers in it cannot be read" in watcher.events[0]
    assert watcher.events[1:] == ["asked"] * rows
    assert (again.new, data(again)) == (False, data(first))


def test_what_was_set_aside_is_listed_by_gc_and_goes_with_what_is_forgotten(recipe: Recipe) -> None:
    a_build(recipe)
    root = Root.open(recipe.build.root)
    file = next(root.path.glob("generations/bucket=*/*.parquet"))
    flipped(file)
    Generations(root).check()
    key = str(file.with_suffix(".damaged").relative_to(root.path))
    [listed] = [one for one in leftovers(root, 0, time.time() + 10**6).found if one.kind is Kind.DAMAGED]
    assert (listed.key, listed.is_kept) == (key, True)
    forget(root, request_to_forget(root, "own"))
    assert list(root.path.glob("generations/**/*.damaged")) == []
