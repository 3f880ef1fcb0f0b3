"""Retention: the newest versions stay, and the pinned ones, and LATEST; answers are never touched."""

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from pipelines.upkeep.refresh import promote
from storage.published import STAMP
from storage.root import Root
from storage.snapshot_upkeep import pin, remove_version, retain, unpin, write_comparison
from storage.snapshots import latest, versions
from tests.pipelines.upkeep.nights import a_night
from tests.storage.test_snapshots import published

DAYS = [f"2026010{day}T030000Z-cccccccc" for day in range(1, 7)]


def a_root(path: Path) -> Root:
    root = Root.open(str(path))
    for version in DAYS:
        published(root, version)
    return root


def test_the_newest_the_pinned_and_latest_are_kept(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    root.write("snapshots/small/LATEST", f"{DAYS[1]}\n".encode())
    pin(root, "small", DAYS[3])
    assert retain(root, "small", 1) == [DAYS[0], DAYS[2], DAYS[4]]
    assert versions(root, "small") == [DAYS[1], DAYS[3], DAYS[5]]
    unpin(root, "small", DAYS[3])
    assert retain(root, "small", 1) == [DAYS[3]]
    assert retain(root, "small", 1) == []


def test_what_was_published_just_now_is_kept_whatever_its_clock_said(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    assert DAYS[0] not in retain(root, "small", 2, {DAYS[0]})
    assert versions(root, "small") == [DAYS[0], *DAYS[-2:]]


def test_comparisons_go_with_the_version_that_they_were_made_of(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    for old, new in pairwise(DAYS):
        write_comparison(root, "small", old, new, b"{}")
    retain(root, "small", 2)
    assert root.names("snapshots/small/comparisons") == [f"{one}..{two}.json" for one, two in pairwise(DAYS[3:])]


def test_what_a_kill_left_is_swept_a_day_later(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    now = datetime.now(UTC)
    ages = {f"{now - timedelta(hours=hours):{STAMP}}-dddddddd": hours for hours in (1, 23, 25, 1_000)}
    for version in ages:
        root.write(f"snapshots/small/{version}/rft/train.parquet", b"half")
    strange = ["20269999T000000Z-dddddddd", "mine", "pins"]
    for folder in strange:
        root.write(f"snapshots/small/{folder}/file", b"")
    root.remove(f"snapshots/small/{DAYS[0]}/manifest.json")  # a removal that was killed
    retain(root, "small", 10)
    left = set(root.folders("snapshots/small")) - set(strange) - set(DAYS)
    assert sorted(ages[version] for version in left) == [1, 23]
    assert set(strange) < set(root.folders("snapshots/small"))
    assert DAYS[0] not in root.folders("snapshots/small")


def test_a_version_that_latest_names_by_then_is_not_removed(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    root.write("snapshots/small/LATEST", f"{DAYS[2]}\n".encode())
    assert not remove_version(root, "small", DAYS[2])
    assert DAYS[2] in versions(root, "small")


def test_what_latest_named_before_stays_until_the_next_night(tmp_path: Path) -> None:
    nights = []
    for rows in (20, 21, 22):
        nights.append(a_night(tmp_path, rows, keep=1))
        time.sleep(1)  # versions of one second have no order
    assert [night.removed for night in nights] == [(), (), (nights[0].version,)]
    root = Root(tmp_path / "data")
    assert versions(root, "small") == [nights[1].version, nights[2].version]
    promote(root, f"small@{nights[1].version}")
    assert latest(root, "small") == nights[1].version


def test_nights_go_by_and_answers_stay(tmp_path: Path) -> None:
    nights = []
    for rows in (20, 21, 22):
        nights.append(a_night(tmp_path, rows, keep=2))
        time.sleep(1)  # versions of one second have no order
    assert [night.removed for night in nights] == [(), (), (nights[0].version,)]
    root = Root(tmp_path / "data")
    assert versions(root, "small") == [nights[1].version, nights[2].version]
    assert latest(root, "small") == nights[2].version
    back = a_night(tmp_path, 20, keep=2)
    assert back.published.new, "what was removed is published anew, and nothing is asked for it"
    assert all(use.cached == use.requests for use in back.published.snapshot.manifest.models)
