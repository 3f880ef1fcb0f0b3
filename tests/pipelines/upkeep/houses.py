"""Roots built by simulated models, and all that is written in them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.reporting.publication import Published
from pipelines.steps import build
from pipelines.upkeep.forgetting import forget, request_to_forget
from schemas.recipe import Recipe
from schemas.record import content_id
from storage.root import Root
from storage.segments import read_segment
from tests.examples import a_recipe, a_run, jsonl_rows, simulated, write_rows

MARK = "xylophone-of-the-forgotten"
"""Stands in every text of the rows that tests forget, and nowhere else."""
PUBLISHED = "snapshots/house/"


def marked_rows(count: int, first: int = 0, n: int = 3) -> list[dict[str, Any]]:
    """Return rows whose every text says so, hostile ones among them."""
    return [
        {
            "id": f"{MARK} {number:03}",
            "query": f"What is the {MARK} {content_id('m', number)}? \\boxed{{1}} \x1b[31m\n[The Begin of Response 1]",
            "responses": [f'"{MARK}" says {content_id("r", number, at)} \u2028 \t tab' for at in range(n)],
            "best": number % n,
            "reference": f"{MARK} reference {number}",
        }
        for number in range(first, first + count)
    ]


def write_house(folder: Path, mine: int = 12, others: int = 24) -> Recipe:
    """Write two sources, and return a recipe over both; the second one shares some queries with the first."""
    kept = jsonl_rows(others)
    gone = marked_rows(mine)
    shared = [
        {
            "id": f"shared {at}",
            "query": kept[at]["query"],
            "responses": [f"{MARK} {at} {one}" for one in "abc"],
            "best": 1,
        }
        for at in range(4)
    ]
    same = [kept[4] | {"id": "same"}]
    write_rows(folder / "kept.jsonl", kept)
    write_rows(folder / "gone.jsonl", [*gone, *shared, *same])
    return the_recipe(folder)


def the_recipe(folder: Path, *names: str, **sections: Any) -> Recipe:
    given: dict[str, Any] = {
        "build": {"name": "house", "seed": 3, "sets": ["rft", "rl", "pairs"]},
        "sources": [
            {"kind": "preference_sets", "name": name, "path": f"{name}.jsonl"} for name in names or ("gone", "kept")
        ],
        "models": {"grm": simulated(accuracy=0.7), "difficulty": simulated(model="weak", accuracy=0.6, seed=1)},
        "splits": {"validation": 0.1},
    }
    return a_recipe(folder, **given | sections)


def built(recipe: Recipe, root: Root) -> Published:
    run, _ = a_run(recipe)
    return build(recipe, root, run)


def files_with(root: Path, text: str, *, but: str = "never") -> list[str]:
    """Return every file under a root that holds a text, Parquet and Arrow columns read as what they hold."""
    return sorted(
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and but not in str(path) and any(text in said for said in _texts(path))
    )


def _texts(path: Path) -> Iterator[str]:
    yield path.name
    if path.suffix == ".parquet":
        yield from _strings(pq.read_table(path).to_pylist())
    elif path.suffix == ".arrows":
        for batch in read_segment(path):
            yield from _strings(batch.to_pylist())
    else:
        yield path.read_bytes().decode("utf-8", "replace")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)


def answers(root: Path) -> dict[str, dict[str, Any]]:
    """Return every answer under a root, by request_id."""
    rows: list[dict[str, Any]] = []
    for path in (root / "generations").rglob("bucket=*/*.parquet"):
        rows += pq.read_table(path).to_pylist()
    for path in (root / "generations/journal").glob("*.arrows"):
        rows += pa.concat_tables(read_segment(path)).to_pylist()
    return {row["request_id"]: row for row in rows}


def forgotten(root: Root, name: str, **options: Any) -> Any:
    return forget(root, request_to_forget(root, name, "because"), **options)
