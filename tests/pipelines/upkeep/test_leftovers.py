"""Leftovers: what goes is needed by nobody, and a build beside it never notices."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from pipelines.steps import build
from pipelines.upkeep.forgetting import forget, request_to_forget
from pipelines.upkeep.leftovers import DAY_S, Kind, leftovers, remove
from schemas.errors import StorageError
from schemas.generation import Completion, request
from storage.batch_jobs import BatchedRequest, intend
from storage.journal import JournalWriter
from storage.root import Root, write_record
from storage.snapshots import every_snapshot
from storage.stages import find_stage, last_used
from tests.examples import a_run
from tests.pipelines.upkeep.houses import MARK, answers, built, files_with, the_recipe


def aged(root: Root, days: float) -> None:
    """Make everything under a root older."""
    then = time.time() - days * DAY_S
    for path in [*root.path.rglob("*"), root.path]:
        os.utime(path, (then,) * 2, follow_symlinks=False)


def kinds(root: Root, days: float = 7) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in leftovers(root, days).found:
        found.setdefault(one.kind, set()).add("/".join(one.key.split("/")[:2]))
    return found


@pytest.mark.slow
def test_what_a_published_version_was_made_of_stays(house: tuple[Path, Root]) -> None:
    folder, root = house
    aged(root, 30)
    (snapshot,) = every_snapshot(root)
    assert kinds(root) == {Kind.STAGE: {"stages/leaks"}}
    assert {key.split("/")[1] for key in snapshot.manifest.stages} == {
        *("assembled", "curated", "judged-difficulty", "judged-rft", "source-gone", "source-kept"),
        *("contamination-gone", "contamination-kept"),
    }
    shutil.rmtree(root.path / "snapshots")
    assert len(kinds(root)[Kind.STAGE]) == 9
    before = answers(root.path)
    gone = list(remove(root, leftovers(root).found))
    assert {one.kind for one in gone} == {Kind.STAGE}
    assert list((root.path / "stages").rglob("*.parquet")) == []
    assert answers(root.path) == before
    run, watcher = a_run(the_recipe(folder))
    again = build(the_recipe(folder), root, run)
    assert (watcher.bought, again.snapshot.manifest.content_hash) == (0, snapshot.manifest.content_hash)


def test_a_version_of_an_older_grmforge_keeps_its_assembled_stage(house: tuple[Path, Root]) -> None:
    _, root = house
    (snapshot,) = every_snapshot(root)
    path = snapshot.path / "manifest.json"
    manifest = json.loads(path.read_bytes())
    del manifest["stages"]
    path.write_text(json.dumps(manifest))
    aged(root, 30)
    assert "stages/assembled" not in kinds(root)[Kind.STAGE]
    assert "stages/curated" in kinds(root)[Kind.STAGE]


def test_what_a_build_finds_is_young_again(house: tuple[Path, Root]) -> None:
    folder, root = house
    shutil.rmtree(root.path / "snapshots")
    aged(root, 30)
    found = leftovers(root).found
    built(the_recipe(folder), root)
    shutil.rmtree(root.path / "snapshots")
    assert {one.key.split("/")[1] for one in remove(root, found)} == {"leaks"}, "the others were taken up meanwhile"
    assert kinds(root) == {}


def test_bytes_that_a_published_version_shares_are_not_freed(house: tuple[Path, Root]) -> None:
    _, root = house
    (snapshot,) = every_snapshot(root)
    path = snapshot.path / "manifest.json"
    manifest = json.loads(path.read_bytes()) | {"stages": ["stages/none"]}
    path.write_text(json.dumps(manifest))
    aged(root, 30)
    (assembled,) = [one for one in leftovers(root).found if "assembled" in one.key]
    assert assembled.bytes > 20_000
    manifest_bytes = (root.path / assembled.key / "manifest.json").stat().st_size
    assert assembled.freed == manifest_bytes
    path.unlink()
    of_both = [one for one in leftovers(root).found if one.kind == Kind.UNFINISHED_SNAPSHOT or "assembled" in one.key]
    free = shutil.disk_usage(root.path).free
    shared = assembled.bytes - manifest_bytes
    assert sum(one.freed for one in of_both) == sum(one.bytes for one in of_both) - shared, "counted once"
    assert len(list(remove(root, of_both))) == 2
    assert shutil.disk_usage(root.path).free >= free


def test_what_killed_runs_left_goes_after_a_day(house: tuple[Path, Root]) -> None:
    _, root = house
    shutil.copytree(root.path / "stages/curated", root.path / "stages/broken")
    (broken,) = (root.path / "stages/broken").iterdir()
    (broken / "manifest.json").unlink()
    (root.path / "stages/empty/ab").mkdir(parents=True)
    (root.path / "snapshots/house/20250101T000000Z-0123abcd").mkdir()
    (root.path / "snapshots/house/my own folder").mkdir()
    for name in (
        ".probe-0a1b2c3d",
        "stages/curated/.sets.parquet.0a1b2c3d.tmp",
        "generations/.x-0.arrows.tmp",
        ".mine",
    ):
        (root.path / name).write_bytes(b"12")
    (root.path / "rubrics/.milvus-0a1b-77.db").mkdir(parents=True)
    (root.path / "rubrics/.milvus-0a1b-77.db/LOCK").write_bytes(b"")
    assert kinds(root) == {}
    aged(root, 1.5)
    found = leftovers(root)
    assert {(one.kind, one.key.rpartition("/")[2]) for one in found.found} == {
        (Kind.UNFINISHED_STAGE, broken.name),
        (Kind.UNFINISHED_STAGE, "ab"),
        (Kind.UNFINISHED_SNAPSHOT, "20250101T000000Z-0123abcd"),
        (Kind.TEMPORARY, ".probe-0a1b2c3d"),
        (Kind.TEMPORARY, ".sets.parquet.0a1b2c3d.tmp"),
        (Kind.TEMPORARY, ".x-0.arrows.tmp"),
        (Kind.TEMPORARY, ".milvus-0a1b-77.db"),
    }
    assert len(list(remove(root, found.found))) == 7
    assert leftovers(root).found == ()
    assert (root.path / ".mine").exists() and (root.path / "snapshots/house/my own folder").exists()


def test_batches_keep_what_keeps_them_from_being_paid_again(house: tuple[Path, Root]) -> None:
    _, root = house
    asked = request(role="grm", identity={}, query_id="ab" * 16, body={"model": "m", "messages": []}, sample_index=0)
    batched = [BatchedRequest(asked, 1, 0.0, 1)]
    waiting = intend(root, "m", "http://localhost", 0.0, batched)
    done = write_record(root, intend(root, "m", "http://localhost", 0.0, batched), collected_at=1.0)
    (root.scratch(f"{done.key}/results-0.jsonl")).write_bytes(b"{}")
    never = intend(root, "m", "http://localhost", 0.0, batched)
    (root.path / never.key / "job.json").unlink()
    damaged = intend(root, "m", "http://localhost", 0.0, batched)
    (root.path / damaged.key / "job.json").write_bytes(b"{")
    aged(root, 30)
    found = leftovers(root)
    assert {one.key for one in found.found if one.kind == Kind.BATCH} == {done.key, never.key}
    assert any(damaged.submission in note and "may be paid for" in note for note in found.notes)
    list(remove(root, found.found))
    left = {
        str(path.relative_to(root.path / "batches")) for path in (root.path / "batches").rglob("*") if path.is_file()
    }
    assert left == {
        f"{waiting.submission}/job.json",
        f"{waiting.submission}/requests.parquet",
        f"{done.submission}/job.json",
        f"{damaged.submission}/job.json",
        f"{damaged.submission}/requests.parquet",
    }


def test_event_logs_stay_for_ninety_days_and_odd_journals_for_ever(house: tuple[Path, Root]) -> None:
    _, root = house
    (root.path / "runs").mkdir()
    (root.path / "runs/20250101T000000-00.jsonl").write_bytes(b"{}\n")
    (root.path / "runs/20250101T000000-00").mkdir()
    (root.path / "runs/20250101T000000-00/server.log").write_bytes(b"INFO\n")
    (root.path / "generations/journal").mkdir(exist_ok=True)
    (root.path / "generations/journal/odd.unreadable").write_bytes(b"what?")
    aged(root, 89)
    assert kinds(root, 1000) == {Kind.JOURNAL: {"generations/journal"}}
    aged(root, 91)
    assert kinds(root, 90).keys() == {Kind.STAGE, Kind.EVENTS, Kind.JOURNAL}
    list(remove(root, leftovers(root, 90).found))
    assert (root.path / "generations/journal/odd.unreadable").exists()
    assert list((root.path / "runs").iterdir()) == []


def test_a_run_at_work_keeps_what_it_may_have_found(house: tuple[Path, Root]) -> None:
    _, root = house
    shutil.rmtree(root.path / "snapshots")
    asked = request(role="grm", identity={}, query_id="ab" * 16, body={"model": "m", "messages": []}, sample_index=0)
    with JournalWriter(root, "run") as journal:
        journal.append(asked, Completion(asked.request_id, text="so"))
        journal.flush()
        found = leftovers(root, 0, now=time.time() + 3600)
        assert [one.key for one in found.found if one.kind == Kind.STAGE] == []
        assert found.notes == ("a run is at work: what it may have found when it began is left alone",)
    assert len(leftovers(root, 0, now=time.time() + 3600).found) == 9


def test_a_stage_that_goes_in_mid_build_costs_that_build_and_the_next_one_heals(house: tuple[Path, Root]) -> None:
    folder, root = house
    (snapshot,) = every_snapshot(root)
    recipe = the_recipe(folder, build={"name": "other", "seed": 4, "sets": ["rft"]})
    run, watcher = a_run(recipe)

    def stage(name: str, total: int | None) -> None:
        if name == "assembling":
            for key in snapshot.manifest.stages:
                root.remove_folder(key)

    watcher.stage = stage  # type: ignore[method-assign]
    with pytest.raises(StorageError):
        build(recipe, root, run)
    assert list((root.path / "snapshots").iterdir()) == [root.path / "snapshots/house"]
    again, watcher = a_run(recipe)
    assert build(recipe, root, again).new
    assert watcher.bought == 0


def test_a_version_that_cannot_be_read_keeps_every_stage(house: tuple[Path, Root]) -> None:
    _, root = house
    (snapshot,) = every_snapshot(root)
    (snapshot.path / "manifest.json").write_bytes(b"{")
    aged(root, 30)
    found = leftovers(root)
    assert found.found == ()
    assert "stages are left alone" in found.notes[0] and "manifest.json" in found.notes[0]


def test_what_gc_removed_can_still_be_forgotten(house: tuple[Path, Root]) -> None:
    """Its ids are put down before it goes: else nobody could tell whose answers are whose."""
    _, root = house
    shutil.rmtree(root.path / "snapshots")
    aged(root, 30)
    list(remove(root, leftovers(root).found))
    assert not list((root.path / "stages").rglob("*.parquet"))
    assert len(list((root.path / "origins").iterdir())) == 2
    assert all(MARK not in found for found in files_with(root.path, MARK) if found.startswith("origins"))
    assert {found.split("/")[0] for found in files_with(root.path, MARK)} == {"generations"}
    left = {one for one, row in answers(root.path).items() if MARK not in row["request"]}
    forget(root, request_to_forget(root, "gone"))
    assert files_with(root.path, MARK) == []
    assert answers(root.path).keys() <= left


def test_finding_a_stage_marks_it_at_most_twice_a_day(house: tuple[Path, Root]) -> None:
    _, root = house
    (key,) = [key for key in every_snapshot(root).__next__().manifest.stages if "curated" in key]
    aged(root, 0.25)
    before = last_used(root, key)
    assert find_stage(root, key) is not None
    assert last_used(root, key) == before
    aged(root, 3)
    assert find_stage(root, key) is not None
    assert last_used(root, key) > before
