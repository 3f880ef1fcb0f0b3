"""The root: whole objects or none, and errors that say what to do."""

import errno
import os
from pathlib import Path

import pytest

from schemas.errors import RecipeError, StorageError
from storage.files import storage_errors
from storage.root import Root


def test_a_written_object_is_whole_and_alone(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.write("a/b", b"one")
    root.write("a/b", b"two")
    assert root.read("a/b") == b"two"
    assert root.names("a") == ["b"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["b"]


def test_a_block_that_fails_leaves_the_old_object_and_nothing_else(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.write("a", b"old")
    with pytest.raises(KeyError), root.replacing("a") as temporary:
        temporary.write_bytes(b"half")
        raise KeyError
    assert root.read("a") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_a_killed_writer_left_is_never_listed(tmp_path: Path) -> None:
    (tmp_path / ".a.parquet.1234.tmp").write_bytes(b"half")
    (tmp_path / "folder").mkdir()
    assert Root(tmp_path).names("") == []
    assert Root(tmp_path).names("absent") == []
    assert Root(tmp_path).folders("") == ["folder"]


def test_a_link_is_the_same_bytes_and_may_replace(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.write("data", b"rows")
    root.write("there/data", b"older")
    root.link("data", "there/data")
    assert root.read("there/data") == b"rows"
    with pytest.raises(StorageError, match="No such file"):
        root.link("absent", "there/other")


def test_missing_objects_and_other_places_are_errors_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="absent: No such file"):
        Root(tmp_path).read("absent")
    with pytest.raises(RecipeError, match="a root is a directory or s3"):
        Root.open("ftp://host/root")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"root .*file"):
        Root.open(str(tmp_path / "file"))


@pytest.mark.parametrize(
    ("number", "way_out"),
    [(errno.ENOSPC, "disk is full"), (errno.EDQUOT, "disk is full"), (errno.EROFS, "--root"), (errno.EIO, "Input")],
)
def test_errors_of_the_system_name_the_object_and_the_way_out(number: int, way_out: str) -> None:
    with pytest.raises(StorageError, match=rf"^things: .*{way_out}") as caught, storage_errors("things"):
        raise OSError(number, os.strerror(number))
    assert "\n" not in str(caught.value)


def test_a_full_device_says_so() -> None:
    with pytest.raises(StorageError, match=r"disk is full.*every answer on disk is kept"), storage_errors("/dev/full"):
        Path("/dev/full").write_bytes(b"x")


def test_of_two_that_create_an_object_one_succeeds(tmp_path: Path) -> None:
    root = Root(tmp_path)
    assert root.create("leases/a", b"one")
    assert not root.create("leases/a", b"two")
    assert root.read("leases/a") == b"one"
    assert root.names("leases") == ["a"]


def test_an_object_is_replaced_only_where_it_is_what_was_read(tmp_path: Path) -> None:
    root = Root(tmp_path)
    assert not root.replace_if("a", b"", b"new")
    root.write("a", b"one")
    assert not root.replace_if("a", b"other", b"new")
    assert root.replace_if("a", b"one", b"two")
    assert root.read("a") == b"two"
    assert root.names("") == ["a"]


def test_the_size_of_an_object_is_its_bytes_and_none_without_one(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.write("a", b"four")
    assert root.size("a") == 4
    assert root.size("b") is None


def test_a_link_is_never_followed_where_something_is_removed(tmp_path: Path) -> None:
    (tmp_path / "outside/st").mkdir(parents=True)
    precious = tmp_path / "outside/st/manifest.json"
    precious.write_bytes(b"{}")
    root = Root(tmp_path / "root")
    (root.path / "stages/x").mkdir(parents=True)
    (root.path / "stages/linked").symlink_to(tmp_path / "outside")
    (root.path / "stages/x/abc").symlink_to(tmp_path / "outside/st")
    assert (root.folders("stages"), root.folders("stages/x")) == (["x"], [])
    root.remove_folder("stages/x/abc")
    root.remove_folder("stages")
    assert precious.read_bytes() == b"{}"
    assert root.folders("") == []


def test_a_directory_where_a_file_belongs_is_said_and_waited_for_by_nobody(tmp_path: Path) -> None:
    (tmp_path / "leases/a.json").mkdir(parents=True)
    with pytest.raises(StorageError, match="a directory stands where a file belongs"):
        Root(tmp_path).create("leases/a.json", b"")


@pytest.mark.parametrize("address", ["s3:/bucket/x", "gs://bucket", "file:/tmp/x"])
def test_an_address_that_is_no_directory_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match=r"a directory or s3://bucket/prefix"):
        Root.open(address)
    assert list(tmp_path.iterdir()) == []
