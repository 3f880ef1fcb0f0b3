"""A refresh as functions: LATEST moves when nothing speaks against it, and only for who holds the lease."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.reporting.publication import Published
from pipelines.steps import build
from pipelines.upkeep.refresh import promote, refresh, settle, take_lease
from schemas.errors import ForgeError, RecipeError, StorageError
from storage.leases import Lease
from storage.root import Root
from storage.snapshots import find_snapshot, latest, versions
from tests.examples import a_run, jsonl_rows, write_rows
from tests.pipelines.upkeep.nights import a_night, a_nightly_recipe


def test_a_first_night_has_nothing_to_compare_with(tmp_path: Path) -> None:
    done = a_night(tmp_path, 30)
    assert done.published.new
    assert (done.before, done.comparison, done.tripped) == (None, None, ())
    assert latest(Root(tmp_path / "data"), "small") == done.version
    assert done.verdict().endswith("(there was none before, and nothing to compare with)")


def test_equal_content_is_published_once(tmp_path: Path) -> None:
    first, second = a_night(tmp_path, 30), a_night(tmp_path)
    assert (second.published.new, second.version, second.comparison) == (False, first.version, None)
    assert second.verdict().startswith("nothing new to publish")


def test_a_source_that_becomes_what_it_was_brings_its_version_back(tmp_path: Path) -> None:
    first = a_night(tmp_path, 30)
    second = a_night(tmp_path, 31)
    back = a_night(tmp_path, 30)
    assert (back.published.new, back.version, back.before) == (False, first.version, second.version)
    assert back.comparison is not None
    assert latest(Root(tmp_path / "data"), "small") == first.version


def test_a_build_that_moves_latest_meanwhile_is_compared_with(tmp_path: Path) -> None:
    """It ends between the comparison and the move of LATEST."""
    a_night(tmp_path, 30)
    recipe, root = a_nightly_recipe(tmp_path), Root.open(str(tmp_path / "data"))
    write_rows(tmp_path / "own.jsonl", jsonl_rows(33))
    run, _ = a_run(recipe)
    built = build(recipe, root, run)
    lookups: list[str] = []

    def build_meanwhile() -> None:
        """The first look at the lease comes when the comparison is done."""
        if not lookups:
            write_rows(tmp_path / "own.jsonl", jsonl_rows(33))
            build(recipe, root, a_run(recipe)[0])
        lookups.append(str(latest(root, "small")))

    night = a_night(tmp_path, 31)
    held = Published(night.published.snapshot, True, (), "")
    a_night(tmp_path, 30)
    done = settle(recipe, root, held, build_meanwhile)
    assert done.before == built.snapshot.manifest.version
    assert done.comparison is not None
    assert done.comparison.old == f"small@{built.snapshot.manifest.version}"
    assert len(lookups) == 2
    assert latest(root, "small") == night.version


def test_who_lost_the_lease_publishes_nothing(tmp_path: Path) -> None:
    write_rows(tmp_path / "own.jsonl", jsonl_rows(30))
    recipe, root = a_nightly_recipe(tmp_path), Root.open(str(tmp_path / "data"))
    run, _ = a_run(recipe)
    lease = take_lease(recipe, root, run.run_id, run.watcher.said)
    assert isinstance(lease, Lease)
    root.write("leases/small.json", lease.holder.as_json().replace(b'"token":"', b'"token":"another'))
    with pytest.raises(StorageError, match="publishes nothing further"), lease:
        refresh(recipe, root, run, lease)
    assert versions(root, "small") == []
    assert latest(root, "small") is None


def test_a_damaged_lease_is_named_and_taken_over(tmp_path: Path) -> None:
    recipe, root = a_nightly_recipe(tmp_path), Root.open(str(tmp_path / "data"))
    write_rows(tmp_path / "own.jsonl", jsonl_rows(1))
    run, _ = a_run(recipe)
    lease = take_lease(recipe, root, run.run_id, run.watcher.said)
    assert isinstance(lease, Lease)
    damaged = replace(lease.holder, term_s=86_400.0)
    root.write("leases/small.json", damaged.as_json())
    said: list[str] = []
    assert isinstance(take_lease(recipe, root, "next", said.append), Lease)
    assert said == [f"{root.where('leases/small.json')}: a damaged lease: watching it for 0 s, then it is taken over"]


def test_who_loses_the_lease_while_it_asks_stops_asking(tmp_path: Path) -> None:
    write_rows(tmp_path / "own.jsonl", jsonl_rows(200))
    recipe, root = a_nightly_recipe(tmp_path, latency_s=0.1), Root.open(str(tmp_path / "data"))
    run, watcher = a_run(recipe)
    lease = take_lease(recipe, root, run.run_id, run.watcher.said)
    assert isinstance(lease, Lease)

    def taken_over() -> None:
        while watcher.bought < 20:
            time.sleep(0.01)
        # A renewal that is under way may write over it: no lock is held here.
        while b'"token":"another' not in (data := root.read("leases/small.json")):
            root.write("leases/small.json", data.replace(b'"token":"', b'"token":"another'))
            time.sleep(0.05)

    other = threading.Thread(target=taken_over)
    with pytest.raises(StorageError, match="this run stops"), lease:
        other.start()
        refresh(recipe, root, run, lease)
    other.join()
    assert 20 <= watcher.bought < 400, "of 800 and more"
    assert versions(root, "small") == []


def test_who_loses_the_lease_while_it_compares_moves_nothing(tmp_path: Path) -> None:
    first = a_night(tmp_path, 30)
    second = a_night(tmp_path, 31)
    root = Root(tmp_path / "data")

    def lost() -> None:
        raise StorageError("the lease is another's")

    old = Published(find_snapshot(root, f"small@{first.version}"), False, (), "")
    with pytest.raises(StorageError):
        settle(a_nightly_recipe(tmp_path), root, old, lost)
    assert latest(root, "small") == second.version


def test_a_version_without_a_set_of_the_recipe_is_never_latest(tmp_path: Path) -> None:
    first = a_night(tmp_path, 30)
    rows = [row | {"best": 0, "responses": [*row["responses"][:1], row["responses"][0]]} for row in jsonl_rows(30)]
    write_rows(tmp_path / "own.jsonl", rows)
    done = a_night(tmp_path)
    assert done.published.missing == ("rft",)
    with pytest.raises(ForgeError, match=r"no row for rft: LATEST was not moved"):
        done.check()
    root = Root(tmp_path / "data")
    assert latest(root, "small") == first.version
    with pytest.raises(RecipeError, match="has no row for rft"):
        promote(root, f"small@{done.version}")


def test_a_latest_that_is_gone_is_said_with_the_way_out(tmp_path: Path) -> None:
    first = a_night(tmp_path, 30)
    root = Root(tmp_path / "data")
    root.remove_folder(f"snapshots/small/{first.version}")
    with pytest.raises(
        StorageError, match=r"LATEST of small cannot be compared with .* grmforge promote small@\S+ --root "
    ):
        a_night(tmp_path, 31)


def test_what_a_guard_prints_can_be_pasted(tmp_path: Path) -> None:
    first = a_night(tmp_path, 30)
    held_back = a_night(tmp_path, 20)
    flag = f"--root {tmp_path / 'data'}"
    with pytest.raises(ForgeError) as caught:
        held_back.check()
    assert f"(grmforge compare small@{first.version} small@{held_back.version} {flag})" in str(caught.value)
    assert str(caught.value).endswith(f"grmforge promote small@{held_back.version} {flag}")


def test_a_damaged_table_of_latest_is_said_in_one_line(tmp_path: Path) -> None:
    first = a_night(tmp_path, 30)
    (path,) = first.published.snapshot.files("sets/kept")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StorageError, match="cannot be compared, a file is not whole"):
        a_night(tmp_path, 31)
    assert latest(Root(tmp_path / "data"), "small") == first.version
