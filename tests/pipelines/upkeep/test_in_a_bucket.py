"""The same in a bucket: what goes there, and this machine's copies with it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.loopback_s3 import LoopbackS3, serving_s3
from pipelines.upkeep.forgetting import forget, request_to_forget
from pipelines.upkeep.leftovers import DAY_S, Kind, leftovers, remove
from storage.root import Root
from storage.snapshots import every_snapshot
from storage.stages import find_stage, last_used
from tests.pipelines.upkeep.houses import MARK, built, files_with, write_house

WEEKS = 30 * DAY_S


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackS3]:
    with serving_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


def downloaded(root: Root, to: Path) -> Path:
    """Return a directory with every object of a bucket."""
    for top in root.folders(""):
        for key in root.every(top):
            path = to / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(root.read(key))
    return to


@pytest.mark.slow
def test_gc_and_forget_do_the_same_in_a_bucket(s3: LoopbackS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.environment(tmp_path.name).items():
        monkeypatch.setenv(name, value)
    root = Root.open(f"s3://forge/{tmp_path.name}")
    recipe = write_house(tmp_path)
    built(recipe, root)
    (snapshot,) = every_snapshot(root)
    later = time.time() + WEEKS
    found = leftovers(root, now=later)
    assert {(one.kind, one.key.split("/")[1]) for one in found.found} == {(Kind.STAGE, "leaks")}
    (stage,) = [one for one in snapshot.manifest.stages if "curated" in one]
    before = last_used(root, stage)
    time.sleep(1.1)  # the storage counts seconds
    root.touch(f"{stage}/manifest.json")
    assert last_used(root, stage) > before
    assert find_stage(root, stage) is not None
    assert len(list(remove(root, found.found, now=later))) == 1
    assert not list(root.every("stages/leaks"))

    copy = snapshot.files("sets/kept")[0]
    assert copy.is_file()
    before_forgetting = files_with(downloaded(root, tmp_path / "before"), MARK)
    assert len(before_forgetting) > 10
    forget(root, request_to_forget(root, "gone"), remove_versions=True)
    assert files_with(downloaded(root, tmp_path / "after"), MARK) == []
    assert files_with(root.path, MARK) == [], "nor is there a copy on this machine"

    stale = root.place("generations/bucket=00/old.parquet")
    stale.parent.mkdir(parents=True, exist_ok=True)
    stale.write_bytes(b"copied once, and folded away by another machine")
    assert Kind.COPY not in {one.kind for one in leftovers(root).found}, "it may be on its way"
    found = leftovers(root, now=later)
    assert [one.key for one in found.found if one.kind is Kind.COPY] == ["objects/generations/bucket=00/old.parquet"]
    list(remove(root, found.found, now=later))
    assert not stale.exists()
