"""Stages: finished when their manifest is there, and named after all they depend on."""

from pathlib import Path

import pytest

from schemas.errors import StorageError
from schemas.manifest import TableFile
from storage.files import sha256_of
from storage.root import Root
from storage.stages import check_bytes, content_hash, find_stage, finish_stage, stage_key

FILE = TableFile("rows-00000.parquet", 3, 10, "ab")


def test_a_key_changes_with_version_settings_and_inputs_alone() -> None:
    key = stage_key("judged", 1, {"n": 3, "a": 1}, ["x", "y"])
    assert key == stage_key("judged", 1, {"a": 1, "n": 3}, ["x", "y"])
    others = {
        stage_key("judged", 2, {"n": 3, "a": 1}, ["x", "y"]),
        stage_key("judged", 1, {"n": 4, "a": 1}, ["x", "y"]),
        stage_key("judged", 1, {"n": 3, "a": 1}, ["y", "x"]),
        stage_key("curated", 1, {"n": 3, "a": 1}, ["x", "y"]),
    }
    assert len(others | {key}) == 5


def test_a_stage_is_what_its_manifest_says(tmp_path: Path) -> None:
    root = Root(tmp_path)
    assert find_stage(root, "stages/a/1") is None
    root.write("stages/a/1/rows-00000.parquet", b"x" * FILE.bytes)
    assert find_stage(root, "stages/a/1") is None
    stage = finish_stage(root, "stages/a/1", {"rows": [FILE], "none": []}, {"counts": 3})
    assert find_stage(root, "stages/a/1") == stage
    assert stage.paths("rows") == [tmp_path / "stages/a/1/rows-00000.parquet"]
    assert (stage.rows("rows"), stage.rows("none"), stage.paths("none")) == (3, 0, [])
    assert list(stage.tables) == ["rows"]
    assert stage.content == content_hash(["ab"])


def test_a_stage_beside_another_has_its_tables_and_copies_none(tmp_path: Path) -> None:
    root = Root(tmp_path)
    for key in ("stages/a/1", "stages/b/1", "stages/b/2"):
        root.write(f"{key}/rows-00000.parquet", b"x" * FILE.bytes)
    below = finish_stage(root, "stages/a/1", {"rows": [FILE]}, {})
    stage = finish_stage(root, "stages/b/1", {"more": [FILE]}, {}, [below], beside=below)
    assert find_stage(root, "stages/b/1") == stage
    assert (stage.paths("rows"), stage.rows("rows")) == (below.paths("rows"), 3)
    assert stage.paths("more") == [tmp_path / "stages/b/1/rows-00000.parquet"]
    assert (stage.paths("none"), list(stage.tables)) == ([], ["more"])
    alone = finish_stage(root, "stages/b/2", {"more": [FILE]}, {})
    assert stage.content not in (below.content, alone.content), "what is made of it is made of both"
    root.remove_folder("stages/a/1")
    alone = find_stage(root, "stages/b/1")
    assert alone is not None
    with pytest.raises(StorageError, match="stages/a/1: the stage has gone; build again"):
        alone.paths("rows")


def test_a_newer_manifest_is_refused_by_name(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.write("stages/a/1/manifest.json", b'{"format": 2}')
    with pytest.raises(StorageError, match="stages/a/1: written in format 2"):
        find_stage(root, "stages/a/1")


@pytest.mark.parametrize(
    "broken", [b'{"format": ', b"[]", b"{}", b'{"format": "x"}', b'{"format": 1, "tables": 3}', b"\xff"]
)
def test_a_stage_with_a_broken_manifest_is_made_anew(tmp_path: Path, broken: bytes) -> None:
    root = Root(tmp_path)
    root.write("stages/a/1/manifest.json", broken)
    assert find_stage(root, "stages/a/1") is None


def test_a_stage_that_lost_a_file_or_the_end_of_one_is_made_anew(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.write("stages/a/1/rows-00000.parquet", b"x" * FILE.bytes)
    finish_stage(root, "stages/a/1", {"rows": [FILE]}, {})
    assert find_stage(root, "stages/a/1") is not None
    root.write("stages/a/1/rows-00000.parquet", b"x" * (FILE.bytes - 1))
    assert find_stage(root, "stages/a/1") is None
    root.remove("stages/a/1/rows-00000.parquet")
    assert find_stage(root, "stages/a/1") is None


def test_a_file_whose_bytes_have_changed_is_named(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.write("stages/a/1/rows-00000.parquet", b"0123456789")
    whole = TableFile(FILE.path, FILE.rows, FILE.bytes, sha256_of(tmp_path / "stages/a/1/rows-00000.parquet"))
    stage = finish_stage(root, "stages/a/1", {"rows": [whole]}, {})
    check_bytes(stage, "rows")
    check_bytes(stage, "none")
    root.write("stages/a/1/rows-00000.parquet", b"0123456780")
    with pytest.raises(StorageError, match=r"rows-00000\.parquet: damaged .* remove it, and build again"):
        check_bytes(stage, "rows")
