"""Forgetting: what goes, what stays, and that nothing brings it back."""

import shutil
from pathlib import Path

import orjson
import polars as pl
import pytest

from pipelines.steps import build
from pipelines.upkeep.forgetting import forget, look, request_to_forget, undo
from schemas.errors import RecipeError, SourceError, StorageError
from schemas.generation import Completion, request
from schemas.preference import SETS, sets_of
from schemas.query import query_id, user
from storage.journal import JournalWriter
from storage.leases import Lease, take
from storage.root import Root
from storage.snapshot_upkeep import pin, pins
from storage.snapshots import every_snapshot, latest
from storage.tables import read_table
from tests.examples import a_run, jsonl_rows
from tests.pipelines.upkeep.houses import (
    MARK,
    PUBLISHED,
    answers,
    built,
    files_with,
    forgotten,
    the_recipe,
)


def test_a_source_goes_with_all_that_only_it_has_and_nothing_else_does(house: tuple[Path, Root]) -> None:
    _, root = house
    before = answers(root.path)
    (snapshot,) = every_snapshot(root)
    assert len(files_with(root.path, MARK)) > 10
    done = forgotten(root, "gone")
    assert files_with(root.path, MARK, but=PUBLISHED) == []
    left = answers(root.path)
    assert before.keys() - left.keys() == {one for one, row in before.items() if MARK in row["request"]}
    assert all(before[one] == row for one, row in left.items())
    (version,) = done.findings.versions
    assert (version.version, version.is_latest) == (snapshot.manifest.version, True)
    for table, rows in version.tables.items():
        found = pl.read_parquet(snapshot.files(table)).to_dicts()
        holding = [row for row in found if MARK in str(row) or "'source': 'gone'" in str(row)]
        assert rows == len(holding), table
    assert not forgotten(root, "gone").findings.parts, "once is enough"


def test_a_dry_run_changes_nothing(house: tuple[Path, Root]) -> None:
    _, root = house
    before = {str(path): path.read_bytes() for path in root.path.rglob("*") if path.is_file()}
    looked = look(root, request_to_forget(root, "gone"))
    assert {str(path): path.read_bytes() for path in root.path.rglob("*") if path.is_file()} == before
    done = forgotten(root, "gone")
    assert [one.as_json() for one in looked.findings.parts] == [one.as_json() for one in done.findings.parts]
    assert looked.findings.roles == done.findings.roles


def test_what_others_have_too_is_not_asked_for_again(house: tuple[Path, Root]) -> None:
    """Among it the sets of shared queries, and a set that stands in both sources."""
    folder, root = house
    forgotten(root, "gone")
    recipe = the_recipe(folder, "kept")
    run, watcher = a_run(recipe)
    published = build(recipe, root, run)
    assert watcher.bought == 0
    assert published.snapshot.rows("sets/kept") == 24
    fresh = Root.open(str(folder / "fresh"))
    assert built(recipe, fresh).snapshot.manifest.content_hash == published.snapshot.manifest.content_hash


def test_a_forgotten_source_is_refused_until_that_is_undone(house: tuple[Path, Root]) -> None:
    folder, root = house
    first = latest(root, "house")
    forgotten(root, "gone")
    recipe = the_recipe(folder)
    run, watcher = a_run(recipe)
    with pytest.raises(SourceError) as refused:
        build(recipe, root, run)
    assert "gone: this source was forgotten on 20" in str(refused.value)
    assert "(because)" in str(refused.value)
    assert "grmforge forget gone --undo" in str(refused.value)
    assert watcher.bought == watcher.stored == 0
    undo(root, "gone")
    assert built(recipe, root).snapshot.manifest.version == first, "the same content, bought once more"
    with pytest.raises(RecipeError, match="was not forgotten"):
        undo(root, "gone")


def test_a_set_is_dropped_where_it_is_read_and_counted_without_its_words(house: tuple[Path, Root]) -> None:
    folder, root = house
    (snapshot,) = every_snapshot(root)
    rows = pl.read_parquet(snapshot.files("sets/kept")).filter(pl.col("source_id").str.starts_with(MARK))
    one = rows.filter(split="train").row(0, named=True)
    words = one["responses"][0]["text"]
    before = answers(root.path)
    forgotten(root, one["set_id"])
    assert files_with(root.path, words, but=PUBLISHED) == []
    gone = before.keys() - answers(root.path).keys()
    assert gone == {request_id for request_id, row in before.items() if row["query_id"] == one["query_id"]} != set()
    published = built(the_recipe(folder), root)
    manifest = published.snapshot.manifest
    (given,) = [found for found in manifest.inputs if found.source == "gone"]
    assert given.rows == given.kept + given.dropped + given.unreadable == 17
    ((reason, count),) = [(found.reason, found.rows) for found in given.unreadable_reasons]
    assert (reason, count) == ("forgotten", 1)
    (example,) = given.unreadable_reasons[0].examples
    assert example["source_id"] == f"set {one['set_id']}"
    assert example["detail"].startswith("forgotten on 20")
    assert files_with(published.snapshot.path, words) == files_with(published.snapshot.path, one["source_id"]) == []
    assert {other.manifest.version for other in every_snapshot(root)} != {manifest.version}


def test_of_two_sets_of_one_query_the_other_keeps_its_answers(house: tuple[Path, Root]) -> None:
    _, root = house
    (snapshot,) = every_snapshot(root)
    sets = sets_of(read_table(snapshot.files("sets/kept"), SETS))
    shared = next(one for one in sets if one.source_id == "shared 0")
    other = next(one for one in sets if one.query_id == shared.query_id and one.source == "kept")
    before = answers(root.path)
    done = forgotten(root, shared.set_id)
    assert done.findings.concerned.shared == {shared.query_id}
    gone = before.keys() - answers(root.path).keys()
    assert gone == {
        request_id
        for request_id, row in before.items()
        if row["query_id"] == shared.query_id and MARK in row["request"]
    }
    assert any(row["query_id"] == other.query_id for row in answers(root.path).values())


def test_answers_to_a_shared_query_that_nothing_claims_go(house: tuple[Path, Root]) -> None:
    """Without judged tables nobody knows whose they are."""
    _, root = house
    shutil.rmtree(root.path / "snapshots")
    for name in ("judged-rft", "judged-difficulty"):
        shutil.rmtree(root.path / "stages" / name)
    forgotten(root, "gone")
    shared = {query_id(user(row["query"])) for row in jsonl_rows(4)}
    assert shared.isdisjoint(row["query_id"] for row in answers(root.path).values())
    assert files_with(root.path, MARK) == []


def test_a_query_goes_with_all_its_sets(house: tuple[Path, Root]) -> None:
    folder, root = house
    asked = query_id(user(jsonl_rows(1)[0]["query"]))
    done = forgotten(root, asked)
    assert done.request.tombstone.kind == "query"
    assert len(done.findings.concerned.sets) == 2
    assert asked not in {row["query_id"] for row in answers(root.path).values()}
    manifest = built(the_recipe(folder), root).snapshot.manifest
    assert [(one.source, one.unreadable) for one in manifest.inputs] == [("gone", 1), ("kept", 1)]


def test_forgetting_goes_on_after_a_kill_at_any_moment(house: tuple[Path, Root]) -> None:
    """A folder that cannot be removed or written stops it where it stands; then it is asked for again."""
    folder, root = house
    before = answers(root.path)
    mine = {one for one, row in before.items() if MARK in row["request"]}
    steps = sorted({part.key.rpartition("/")[0] for part in look(root, request_to_forget(root, "gone")).findings.parts})
    for number, step in enumerate([steps[0], steps[len(steps) // 2], steps[-1]]):
        copy = Root.open(str(shutil.copytree(root.path, folder / f"copy {number}")))
        moved = copy.path / "elsewhere"
        (copy.path / step).rename(moved)
        (copy.path / step).write_bytes(b"in the way")
        with pytest.raises((StorageError, NotADirectoryError)):
            forgotten(copy, "gone")
            raise StorageError("where nothing was in the way, it is as if it was killed after the end")
        (copy.path / step).unlink(missing_ok=True)
        moved.rename(copy.path / step)
        forgotten(copy, "gone")
        assert files_with(copy.path, MARK, but=PUBLISHED) == []
        assert answers(copy.path).keys() == before.keys() - mine


def test_it_waits_for_no_run_that_is_writing(house: tuple[Path, Root]) -> None:
    _, root = house
    asked = request(role="grm", identity={}, query_id="ab" * 16, body={"model": "m", "messages": []}, sample_index=0)
    with JournalWriter(root, "run") as journal:
        journal.append(asked, Completion(asked.request_id, text="so"))
        journal.flush()
        with pytest.raises(StorageError, match="another run is writing answers"):
            forgotten(root, "gone")
        assert len(files_with(root.path, MARK)) > 10, "nothing was changed"
    forgotten(root, "gone")
    assert asked.request_id in answers(root.path)


def test_published_versions_go_where_that_is_asked_and_latest_moves_back(house: tuple[Path, Root]) -> None:
    folder, root = house
    clean = built(the_recipe(folder, "kept"), root).snapshot.manifest.version
    with_it = built(the_recipe(folder, general=None), root).snapshot.manifest.version
    assert latest(root, "house") == with_it
    done = forgotten(root, "gone", remove_versions=True)
    assert done.removed_versions == (f"house@{with_it}",)
    assert done.latest == (f"house: LATEST is now {clean}",)
    assert latest(root, "house") == clean
    assert files_with(root.path, MARK) == []
    done = forgotten(root, "kept", remove_versions=True)
    assert "LATEST is gone" in done.latest[0]
    assert latest(root, "house") is None
    assert list(every_snapshot(root)) == []


def test_a_refresh_at_work_is_waited_for_and_no_pin_holds_a_version(house: tuple[Path, Root]) -> None:
    _, root = house
    (snapshot,) = every_snapshot(root)
    lease = take(root, "house", "run", watching=lambda seconds, holder: None)
    assert isinstance(lease, Lease)
    with lease, pytest.raises(StorageError, match=r"a refresh is at work: run run since .* ends at 20"):
        forgotten(root, "gone")
    pin(root, "house", snapshot.manifest.version)
    forgotten(root, "gone", remove_versions=True)
    assert (list(every_snapshot(root)), pins(root, "house")) == ([], frozenset())


def test_a_name_that_nothing_has_lists_what_there_is(house: tuple[Path, Root]) -> None:
    _, root = house
    with pytest.raises(RecipeError, match="nothing here is of the source 'gnoe'; there are: gone, kept"):
        request_to_forget(root, "gnoe")
    with pytest.raises(RecipeError, match="nothing here is, or has, the set or the query 0000"):
        request_to_forget(root, "0" * 32)
    with pytest.raises(RecipeError, match="the root holds no sets"):
        request_to_forget(Root.open(str(root.path / "empty")), "gone")


def test_a_stage_that_cannot_be_looked_into_goes(house: tuple[Path, Root]) -> None:
    _, root = house
    damaged = [
        path for name in ("source-kept/*/sets", "judged-rft/*/judged") for path in root.path.glob(f"stages/{name}-*")
    ]
    assert len(damaged) == 2
    for path in damaged:
        path.write_bytes(b"x" * path.stat().st_size)
    done = forgotten(root, "gone")
    notes = {part.key.split("/")[1]: part.note for part in done.findings.parts if part.place == "stage"}
    assert notes["source-kept"] == notes["judged-rft"] == "it cannot be looked into"
    assert not any(path.exists() for path in damaged)
    assert files_with(root.path, MARK, but=PUBLISHED) == []


def test_what_killed_runs_left_goes_unseen(house: tuple[Path, Root]) -> None:
    _, root = house
    (snapshot,) = every_snapshot(root)
    half = root.path / "snapshots/house/20250101T000000Z-0123abcd"
    shutil.copytree(snapshot.path, half)
    (half / "manifest.json").unlink()
    (stage,) = (root.path / "stages/curated").iterdir()
    shutil.copytree(stage, root.path / "stages/curated/half")
    (root.path / "stages/curated/half/manifest.json").unlink()
    shutil.copyfile(next(stage.glob("*.parquet")), root.path / "stages/curated/.sets.parquet.0a1b2c3d.tmp")
    forgotten(root, "gone", remove_versions=True)
    assert [str(path) for path in root.path.rglob("*.tmp")] == []
    assert not half.exists()
    assert files_with(root.path, MARK) == []


def test_a_damaged_tombstone_stops_every_build_and_says_so(house: tuple[Path, Root]) -> None:
    folder, root = house
    forgotten(root, "gone")
    (path,) = (root.path / "forgotten").iterdir()
    assert MARK.encode() not in path.read_bytes()
    path.write_bytes(b"{")
    with pytest.raises(StorageError, match="names something that must not come back"):
        built(the_recipe(folder, "kept"), root)


@pytest.mark.parametrize("reason", ['"quoted" \x1b[31m', "é" * 500])
def test_a_reason_is_kept_as_it_was_given(house: tuple[Path, Root], reason: str) -> None:
    _, root = house
    forget(root, request_to_forget(root, "gone", reason))
    (path,) = (root.path / "forgotten").iterdir()
    assert orjson.loads(path.read_bytes())["reason"] == reason
    assert path.stat().st_size < 4_000
