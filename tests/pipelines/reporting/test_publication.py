"""Publication: immutable versions, files that are what the manifest says, and LATEST last."""

import hashlib
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.judging.rewards_file import rewards_source
from pipelines.reporting.publication import Published
from pipelines.steps import build
from storage.root import Root
from storage.snapshots import latest, versions
from tests.examples import a_recipe, a_run, jsonl_rows, simulated, write_rows


def published(folder: Path, **sections: Any) -> Published:
    recipe = a_recipe(folder, **sections)
    run, _ = a_run(recipe)
    return build(recipe, Root.open(str(folder / "data")), run)


def test_every_file_is_what_the_manifest_says(tmp_path: Path) -> None:
    write_rows(tmp_path / "own.jsonl", jsonl_rows(60))
    snapshot = published(tmp_path).snapshot
    scripts = {f"train/{name}.py" for name in ("sft_trl", "grpo_trl", "meta_rm", "reward_clients")}
    named = {"manifest.json", "README.md", "report.html", "rewards.py", "train/grpo_verl.sh", *scripts}
    for name, table in snapshot.manifest.tables.items():
        assert table.rows == sum(file.rows for file in table.files) > 0
        for file in table.files:
            path = snapshot.path / file.path
            assert file.path.startswith(name)
            assert path.stat().st_size == file.bytes
            assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
            assert pq.ParquetFile(path).metadata.num_rows == file.rows
            named.add(file.path)
    there = {str(path.relative_to(snapshot.path)) for path in snapshot.path.rglob("*") if path.is_file()}
    assert there == named
    rewards = rewards_source().encode()
    assert (snapshot.path / "rewards.py").read_bytes() == rewards


def test_a_secret_is_in_no_published_file(tmp_path: Path) -> None:
    write_rows(tmp_path / "own.jsonl", jsonl_rows(30))
    recipe = a_recipe(
        tmp_path,
        models={"grm": simulated() | {"api_key_env": "MY_KEY"}, "difficulty": simulated(accuracy=0.6, seed=1)},
    )
    run, _ = a_run(recipe, environment={"MY_KEY": "sk-never-published"})
    snapshot = build(recipe, Root.open(str(tmp_path / "data")), run).snapshot
    assert not any(b"sk-never" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert snapshot.manifest.recipe["models"]["grm"]["api_key_env"] == "MY_KEY"


def test_equal_content_is_published_once_and_latest_follows_the_recipe(tmp_path: Path) -> None:
    write_rows(tmp_path / "own.jsonl", jsonl_rows(60))
    root = Root.open(str(tmp_path / "data"))
    first = published(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in first.snapshot.path.rglob("*")}
    other = published(tmp_path, rejection={"drop_too_easy": False})
    assert first.new
    assert other.new
    assert latest(root, "small") == other.snapshot.manifest.version
    again = published(tmp_path)
    assert not again.new
    assert len(versions(root, "small")) == 2
    assert latest(root, "small") == first.snapshot.manifest.version
    assert {path: path.stat().st_mtime_ns for path in first.snapshot.path.rglob("*")} == before


@pytest.mark.slow
def test_the_same_content_in_another_root_has_the_same_hash(tmp_path: Path) -> None:
    hashes = set()
    for name in "ab":
        folder = tmp_path / name
        folder.mkdir()
        write_rows(folder / "own.jsonl", jsonl_rows(40))
        hashes.add(published(folder).snapshot.manifest.content_hash)
    assert len(hashes) == 1
