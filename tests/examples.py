"""Small hand-made sets, recipes and runs, for the tests of whatever stands behind the sources."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from pipelines.curation import curation
from pipelines.engines.answering import Run
from pipelines.engines.early_stop import BUILD
from pipelines.orders import new_run
from schemas.generation import Completion
from schemas.preference import SETS, LabelSource, PreferenceSet, Response, preference_set, sets_table
from schemas.query import MESSAGES, user
from schemas.recipe import Recipe, recipe_of
from schemas.record import content_id, unit_interval
from schemas.training import GENERAL
from storage.root import Root
from storage.stages import Stage, finish_stage, stage_key
from storage.table_writer import TableWriter

NO_FAULTS = {
    "tied": 0.0,
    "truncated": 0.0,
    "wrong_count": 0.0,
    "out_of_range": 0.0,
    "unparsed": 0.0,
    "refused": 0.0,
    "thinks_aloud": 0.0,
    "hint_leak": 0.0,
}


def a_set(number: int, n: int = 3, best: int = 0, *, source: str = "own", **given: Any) -> PreferenceSet:
    """Return the number-th set: no query is near to another. `best` counts as the responses are written here."""
    label = given.pop("label", None)
    return preference_set(
        query=given.pop("query", None) or user(question(number)),
        responses=given.pop("responses", None)
        or [Response(f"answer {index} to {number}", float(index == best)) for index in range(n)],
        source=source,
        source_id=given.pop("source_id", f"row {number:05}"),
        source_revision="r1",
        license=given.pop("license", "MIT"),
        domain="telecom",
        label_source=LabelSource.HUMAN,
        label=(number % 2 if label is None else label) if n == 1 else None,
        **given,
    )


def question(number: int) -> str:
    """Return a question that shares hardly a syllable with another."""
    return f"{content_id('question', number)} {content_id('more', number)}?"


def source_stage(root: Root, sets: Sequence[PreferenceSet], source: str = "own", unreadable: int = 0) -> Stage:
    """Return a finished source stage of these sets, as ingestion leaves one."""
    ordered = sorted(sets, key=lambda one: (one.query_id, one.set_id, one.source_id))
    reasons = [{"reason": "broken", "rows": unreadable, "examples": []}] if unreadable else []
    return _stage(root, f"source-{source}", "sets", sets_table(ordered), SETS, source, unreadable, reasons)


def general_stage(root: Root, rows: Sequence[tuple[str, str]], license: str = "CC0-1.0") -> Stage:
    """Return a finished stage of general rows, given as (question, answer)."""
    made = sorted((a_general_row(index, *row, license) for index, row in enumerate(rows)), key=lambda r: r["query_id"])
    return _stage(root, "general", "general", pa.Table.from_pylist(made, GENERAL), GENERAL, "general", 0, [])


def a_general_row(index: int, asked: str, answered: str, license: str) -> dict[str, Any]:
    prompt = [{"role": "user", "content": asked}]
    return {
        "query_id": content_id("query", prompt),
        "source": "general",
        "source_id": f"chat {index:05}",
        "license": license,
        "prompt": pa.scalar(prompt, MESSAGES).as_py(),
        "completion": answered,
    }


def _stage(
    root: Root, stage: str, name: str, table: pa.Table, schema: pa.Schema, source: str, unreadable: int, reasons: Any
) -> Stage:
    key = stage_key(stage, 1, table.num_rows, [content_id("rows", str(table.to_pylist()))])
    with TableWriter(root, key, name, schema) as writer:
        writer.write(table)
    facts = {
        "source": source,
        "kind": source,
        "license": "by row",
        "redistribution": "open",
        "unit": "row",
        "origin": "by hand",
        "revision": "r1",
        "sha256": "0" * 64,
        "rows": table.num_rows + unreadable,
        "sampled_out": 0,
        "unreadable": unreadable,
        "unreadable_reasons": reasons,
    }
    return finish_stage(root, key, {name: writer.files}, facts)


def curate(recipe: Recipe, root: Root, sources: Sequence[Stage], general: Stage | None) -> Stage:
    """Return the curated sets, by the rules of a recipe."""
    return curation.curate(curation.rules_of(recipe), root, sources, general)


def simulated(**settings: Any) -> dict[str, Any]:
    """Return a simulated model's section; without settings of its own it makes no faults."""
    return {"engine": "simulated", "model": settings.pop("model", "judge"), "simulated": NO_FAULTS | settings}


def a_recipe(directory: Path = Path(), **sections: Any) -> Recipe:
    """Return a recipe over the source "own" with simulated models; `sections` replace its sections."""
    tree = {
        "build": {"name": "small", "seed": 7},
        "sources": [{"kind": "preference_sets", "name": "own", "path": "own.jsonl"}],
        "models": {"grm": simulated(), "difficulty": simulated(model="weak", accuracy=0.6, seed=1)},
        "splits": {"validation": 0.2},
    }
    return recipe_of(tree | sections, directory)


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))


def jsonl_rows(count: int, n: int = 3) -> list[dict[str, Any]]:
    """Return rows of the plain schema, each best response at another place, with ids and texts of their own."""
    return [
        {
            "id": f"row {number:05}",
            "query": question(number),
            "responses": [f"answer {content_id('a', number, index)[:12]}" for index in range(n)],
            "best": int(unit_interval("best", number) * n),
        }
        for number in range(count)
    ]


@dataclass
class Watcher:
    """Who watches a run, and remembers it."""

    bought: int = 0
    stored: int = 0
    stages: list[str] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)

    def stage(self, name: str, total: int | None) -> None:
        self.stages.append(name)

    def found(self, completion: Completion) -> None:
        self.stored += 1

    def judged(self, outcome: str, is_kept: bool = False) -> None:
        self.outcomes.append(outcome)

    def answered(self, completion: Completion) -> None:
        self.bought += 1

    def retried(self, reason: str) -> None: ...

    def in_flight(self, requests: int, room: int) -> None: ...

    def warn(self, text: str) -> None: ...

    def said(self, text: str) -> None: ...


def a_run(
    recipe: Recipe, retry_failed: bool = False, environment: dict[str, str] | None = None, keep_going: bool = False
) -> tuple[Run, Watcher]:
    """Return a run of a recipe, and its watcher."""
    watcher = Watcher()
    run = new_run(recipe, environment or {}, watcher, retry_failed, looks=() if keep_going else BUILD)
    return run, watcher
