"""Stored answers that cannot be read any more: a plan says how many samples take their place; no other is asked."""

import shutil
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from pipelines.ahead.plan import plan_of
from pipelines.steps import build
from schemas.generation import GENERATIONS
from schemas.recipe import Recipe
from storage.root import Root
from tests.examples import a_recipe, a_run, jsonl_rows, simulated, write_rows

SETS, LOST = 40, 7


def rewritten(folder: Path, text: str, count: int) -> int:
    """Give `count` stored answers another text; as if the reader had changed its mind about them."""
    changed = 0
    for path in sorted((folder / "data" / "generations").glob("bucket=*/*.parquet")):
        rows = pl.read_parquet(path)
        texts = rows["text"].to_list()
        for at in range(len(texts)):
            if changed < count:
                texts[at], changed = text, changed + 1
        pq.write_table(rows.with_columns(pl.Series("text", texts)).to_arrow().cast(GENERATIONS), path)
    return changed


def a_small_recipe(folder: Path) -> Recipe:
    write_rows(folder / "own.jsonl", jsonl_rows(SETS))
    no_faults = dict.fromkeys(
        ("tied", "truncated", "wrong_count", "out_of_range", "unparsed", "refused", "thinks_aloud"), 0.0
    )
    return a_recipe(
        folder,
        build={"name": "small", "seed": 7, "sets": ["rft"], "root": str(folder / "data")},
        models={"grm": simulated(**no_faults)},
    )


def test_just_those_samples_are_asked_and_the_plan_says_how_many(tmp_path: Path) -> None:
    recipe, root = a_small_recipe(tmp_path), Root.open(str(tmp_path / "data"))
    run, watcher = a_run(recipe)
    build(recipe, root, run)
    bought = watcher.bought
    assert rewritten(tmp_path, "No verdict at all.", LOST) == LOST
    shutil.rmtree(tmp_path / "data" / "stages")
    run, watcher = a_run(recipe)
    planned = plan_of(recipe, root, run)
    (role,) = planned.roles
    assert (role.again, role.requests - role.cached, role.cached) == (LOST, LOST, bought)
    assert f"{LOST} are asked again, since a stored answer cannot be read" in planned.as_text()
    assert watcher.bought == 0
    run, watcher = a_run(recipe)
    build(recipe, root, run)
    assert (watcher.bought, watcher.stored) == (LOST, bought)
    run, watcher = a_run(recipe)
    role = plan_of(recipe, root, run).roles[0]
    assert role.requests == role.cached


def test_answers_refused_before_are_read_with_no_request(tmp_path: Path) -> None:
    recipe, root = a_small_recipe(tmp_path), Root.open(str(tmp_path / "data"))
    run, watcher = a_run(recipe)
    first = build(recipe, root, run).snapshot
    texts = [
        text
        for path in sorted((tmp_path / "data" / "generations").glob("bucket=*/*.parquet"))
        for text in pl.read_parquet(path)["text"]
    ]
    assert rewritten(tmp_path, "No verdict at all.", LOST) == LOST
    shutil.rmtree(tmp_path / "data" / "stages")
    run, watcher = a_run(recipe)
    poorer = build(recipe, root, run).snapshot
    assert watcher.bought == LOST and poorer.manifest.content_hash != first.manifest.content_hash
    put_back(tmp_path, texts[:LOST])
    shutil.rmtree(tmp_path / "data" / "stages")
    run, watcher = a_run(recipe)
    assert build(recipe, root, run).snapshot.manifest.content_hash == first.manifest.content_hash
    assert watcher.bought == 0


def put_back(folder: Path, texts: list[str]) -> None:
    """Give the unreadable answers their texts again, in the order in which they lost them."""
    left = iter(texts)
    for path in sorted((folder / "data" / "generations").glob("bucket=*/*.parquet")):
        rows = pl.read_parquet(path)
        whole = [next(left) if text == "No verdict at all." else text for text in rows["text"]]
        pq.write_table(rows.with_columns(pl.Series("text", whole)).to_arrow().cast(GENERATIONS), path)
