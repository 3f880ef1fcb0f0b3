"""Forgetting: what goes, what stays, and that nothing brings it back."""

from pathlib import Path

import polars as pl
import pytest

from pipelines.housekeeping.forgetting import forget, look, request_to_forget, undo
from schemas.errors import RecipeError, SourceError
from storage.root import Root
from storage.snapshots import latest
from tests.pipelines.housekeeping.houses import MARK, answers, built, files_with, the_recipe, write_house


def test_a_source_goes_with_all_that_only_it_has_and_nothing_else_does(tmp_path: Path) -> None:
    recipe = write_house(tmp_path)
    root = Root.open(str(tmp_path / "data"))
    first = built(recipe, root)
    before = answers(root.path)
    done = forget(root, request_to_forget(root, "gone", "licence withdrawn"))
    assert files_with(root.path, MARK, but="snapshots/house/") == []
    left = answers(root.path)
    assert {one for one, row in before.items() if MARK in row["request"]} == before.keys() - left.keys()
    (version,) = done.findings.versions
    assert version.version == first.snapshot.manifest.version and version.is_latest
    counted = {
        table: sum(MARK in str(row) or row.get("source") == "gone" for row in pl.read_parquet(first.snapshot.files(table)).to_dicts())
        for table in first.snapshot.manifest.tables
        if not table.startswith("rl/")
    }
    assert {name: rows for name, rows in version.tables.items() if not name.startswith("rl/")} == {
        name: rows for name, rows in counted.items() if rows
    }
