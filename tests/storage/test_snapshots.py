"""Snapshots: whole versions under a name, found the way people name them."""

import multiprocessing
import time
from pathlib import Path

import pytest

from schemas.errors import StorageError
from schemas.manifest import Manifest
from storage.published import new_version
from storage.root import Root
from storage.snapshots import (
    find_snapshot,
    latest,
    publish,
    read_snapshot,
    set_latest,
    versions,
    with_content,
)


def a_manifest(
    version: str, content: str = "c" * 32, name: str = "small", created_at: str = "2026-01-01T00:00:00Z"
) -> Manifest:
    return Manifest(
        name=name,
        version=version,
        content_hash=content,
        created_at=created_at,
        package_version="0",
        seed=0,
        recipe={},
        inputs=[],
        models=[],
        funnel=[],
        checks={},
        tables={"rft/train": {"rows": 1, "files": [{"path": "rft/t.parquet", "rows": 1, "bytes": 4, "sha256": ""}]}},
    )


def published(root: Root, version: str, content: str = "c" * 32, name: str = "small") -> None:
    root.write("stage/t.parquet", b"rows")
    publish(root, a_manifest(version, content, name), {"rft/t.parquet": "stage/t.parquet"}, {"README.md": "card"})


def test_a_published_version_is_whole(tmp_path: Path) -> None:
    root = Root(tmp_path)
    published(root, "20260101T000000Z-cccccccc")
    snapshot = find_snapshot(root, "small")
    assert [path.read_bytes() for path in snapshot.files("rft/train")] == [b"rows"]
    assert (snapshot.rows("rft/train"), snapshot.rows("rl/train"), snapshot.files("rl/train")) == (1, 0, [])
    assert (snapshot.path / "README.md").read_text() == "card"
    root.remove("stage/t.parquet")
    assert snapshot.files("rft/train")[0].read_bytes() == b"rows"


class SweptRoot(Root):
    """A root in which someone removes a file of a version just before its manifest is written."""

    def write(self, key: str, data: bytes) -> None:
        if key.endswith("manifest.json"):
            self.remove(key.replace("manifest.json", "rft/t.parquet"))
        super().write(key, data)


def test_a_version_whose_files_were_swept_meanwhile_is_none(tmp_path: Path) -> None:
    root = SweptRoot(tmp_path)
    with pytest.raises(StorageError, match=r"rft/t\.parquet: was removed while it was published; run again"):
        published(root, "20260101T000000Z-cccccccc")
    assert versions(root, "small") == []


def test_a_version_without_its_manifest_does_not_exist(tmp_path: Path) -> None:
    root = Root(tmp_path)
    published(root, "20260101T000000Z-cccccccc")
    root.write("snapshots/small/20270101T000000Z-dddddddd/rft/t.parquet", b"half")
    assert versions(root, "small") == ["20260101T000000Z-cccccccc"]
    assert find_snapshot(root, "small").manifest.version == "20260101T000000Z-cccccccc"
    with pytest.raises(StorageError, match="not a snapshot, it has no manifest"):
        read_snapshot(tmp_path / "snapshots/small/20270101T000000Z-dddddddd")


def test_a_name_means_latest_and_a_version_may_be_shortened(tmp_path: Path) -> None:
    root = Root(tmp_path)
    old, middle, new = (f"2026010{day}T000000Z-{digit * 8}" for day, digit in ((1, "a"), (2, "b"), (3, "c")))
    for version in (old, middle, new):
        published(root, version, version[-1] * 32)
    assert find_snapshot(root, "small").manifest.version == new
    set_latest(root, "small", middle)
    assert latest(root, "small") == middle
    assert find_snapshot(root, "small").manifest.version == middle
    for given, version in {old: old, "20260101": old, "cccccccc": new, "": middle}.items():
        assert find_snapshot(root, f"small@{given}").manifest.version == version
    assert find_snapshot(None, str(tmp_path / "snapshots/small" / old)).manifest.version == old
    with pytest.raises(StorageError, match="small has no version '2025'; it has: 20260101"):
        find_snapshot(root, "small@2025")
    with pytest.raises(
        StorageError, match=f"'2026' fits 3 versions of small; give more of one: {old}, {middle}, {new}$"
    ):
        find_snapshot(root, "small@2026")


def test_versions_of_one_second_stand_in_the_order_in_which_they_were_published(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.write("stage/t.parquet", b"rows")
    seconds = {"c": "00.001", "a": "00.02", "e": "00.3", "b": "00", "d": "00"}
    for digit, second in seconds.items():
        made = a_manifest(f"20260101T000000Z-{digit * 8}", digit * 32, created_at=f"2026-01-01T00:00:{second}Z")
        publish(root, made, {"rft/t.parquet": "stage/t.parquet"}, {})
    published(root, "20260101T000001Z-00000000")
    published(root, "20251231T235959Z-ffffffff")
    root.write("snapshots/small/20260101T000000Z-eeeeeeee/manifest.json", b"{")
    digits = [version[-1] for version in versions(root, "small")]
    assert digits == list("febdca0"), "e is damaged; an older grmforge wrote b and d, to the second"


def test_who_publishes_twice_in_a_second_finds_the_later_one_last(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.write("stage/t.parquet", b"rows")
    made = []
    for digit in "fedcba9876543210":
        version, created_at = new_version(digit * 32)
        publish(root, a_manifest(version, digit * 32, created_at=created_at), {"rft/t.parquet": "stage/t.parquet"}, {})
        made.append(version)
        time.sleep(0.002)
    assert versions(root, "small") == made
    assert find_snapshot(root, "small").manifest.version == made[-1]


def test_an_unknown_name_is_answered_with_those_there_are(tmp_path: Path) -> None:
    root = Root(tmp_path)
    with pytest.raises(StorageError, match=r"no snapshot 'small' under .*; none yet"):
        find_snapshot(root, "small")
    published(root, "20260101T000000Z-cccccccc")
    published(root, "20260101T000000Z-cccccccc", name="other")
    with pytest.raises(StorageError, match="there are: other, small"):
        find_snapshot(root, "smal")
    with pytest.raises(StorageError, match="no such snapshot directory"):
        find_snapshot(None, "smal")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("s3://forge/some/where/snapshots/small", "small --root s3://forge/some/where"),
        ("s3://forge/snapshots/small/20260101T000000Z-cccccccc/", "small@20260101T000000Z-cccccccc --root s3://forge"),
        ("data/snapshots/small", "small --root data"),
        ("data/snapshots/small/LATEST", "small --root data"),
        ("snapshots/small/", "small --root ."),
        ("/snapshots/small", "small --root /"),
        ("my data/snapshots/snapshots", "snapshots --root 'my data'"),
    ],
)
def test_a_place_given_as_a_name_is_answered_with_what_to_write(tmp_path: Path, given: str, said: str) -> None:
    for root in (Root(tmp_path), None):
        with pytest.raises(StorageError) as fault:
            find_snapshot(root, given)
        why = "an address is no name of a snapshot" if "://" in given else "no version's own directory"
        assert str(fault.value) == f"{given}: {why}; write {said}"


@pytest.mark.parametrize("given", ["s3://forge/prefix", "no/where", "data/snapshots"])
def test_another_place_is_answered_with_the_form_of_a_name(tmp_path: Path, given: str) -> None:
    with pytest.raises(StorageError, match=f"{given}: .*; write a name or name@version, and where it lies with --root"):
        find_snapshot(Root(tmp_path), given)


def test_content_is_found_again(tmp_path: Path) -> None:
    root = Root(tmp_path)
    content = "c" * 32
    version, _ = new_version(content)
    published(root, version, content)
    found = with_content(root, "small", content)
    assert found is not None
    assert found.manifest.version == version
    assert with_content(root, "small", "c" * 31 + "d") is None
    assert with_content(root, "other", content) is None


def test_a_manifest_of_a_newer_format_is_refused_whatever_else_it_says(tmp_path: Path) -> None:
    for text, message in {
        '{"format": 2, "everything": "else"}': "written in format 2",
        "{": "not a manifest",
        "[]": "not a manifest",
        '{"format": 1}': "not a manifest of a snapshot: name: Field required; restore the file",
    }.items():
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(StorageError, match=message):
            read_snapshot(tmp_path)


def _publish_many(path: str) -> None:
    for _ in range(20):
        published(Root(Path(path)), "20260101T000000Z-cccccccc")


def test_two_builds_may_publish_the_same_in_the_same_second(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    builds = [context.Process(target=_publish_many, args=(str(tmp_path),)) for _ in range(2)]
    for build in builds:
        build.start()
    for build in builds:
        build.join()
    assert [build.exitcode for build in builds] == [0, 0]
    folder = tmp_path / "snapshots/small/20260101T000000Z-cccccccc"
    assert sorted(path.name for path in folder.rglob("*")) == ["README.md", "manifest.json", "rft", "t.parquet"]
    assert find_snapshot(Root(tmp_path), "small").files("rft/train")[0].read_bytes() == b"rows"


def test_an_empty_latest_names_no_version_at_all(tmp_path: Path) -> None:
    root = Root(tmp_path)
    published(root, "20260101T000000Z-cccccccc")
    root.write("snapshots/small/LATEST", b"\n")
    with pytest.raises(StorageError, match="small has no version ''"):
        find_snapshot(root, "small")
    set_latest(root, "small", "20260101T000000Z-cccccccc")
    assert find_snapshot(root, "small").manifest.version == "20260101T000000Z-cccccccc"
