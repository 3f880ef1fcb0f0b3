"""Ingestion: a limit leaves the same questions of every form of a data set."""

import json
from pathlib import Path

import polars as pl

from pipelines.sources.ingestion import ingest
from schemas.recipe import recipe_of
from storage.root import Root
from tests.examples import simulated
from tests.pipelines.sources.test_teleqna import question

FORMS = ("teleqna", "teleqna_short", "teleqna_traces")


def ids_by_form(directory: Path, limit: int | None) -> dict[str, list[str]]:
    """Return, of each form of one file of 40 questions, which rows a limit leaves."""
    rows = {f"question {n}": question(f"What is port {n} for?", f"Data {n}", f"Control {n}") for n in range(40)}
    (directory / "TeleQnA.txt").write_text(json.dumps(rows), "utf-8")
    tree = {
        "build": {"name": "small", "sets": ["rft"]},
        "sources": [{"kind": kind, "path": "TeleQnA.txt"} | ({"limit": limit} if limit else {}) for kind in FORMS],
        "models": {"grm": simulated(), "responder": simulated()},
    }
    recipe, found = recipe_of(tree, directory), {}
    for section in recipe.sources:
        stage = ingest(recipe, Root(directory / "data"), section)
        paths = stage.paths("questions") or stage.paths("sets")
        found[section.source] = sorted(pl.read_parquet(paths)["source_id"])
    return found


def test_a_limit_leaves_the_same_questions_in_all_forms(tmp_path: Path) -> None:
    ten, twenty = (ids_by_form(tmp_path, limit) for limit in (10, 20))
    assert ten["teleqna"] == ten["teleqna_short"] == ten["teleqna_traces"]
    assert twenty["teleqna"] == twenty["teleqna_short"] == twenty["teleqna_traces"]
    assert len(ten["teleqna"]) == 10 and set(ten["teleqna"]) < set(twenty["teleqna"])
    assert len(ids_by_form(tmp_path, None)["teleqna_traces"]) == 40
