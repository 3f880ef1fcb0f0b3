"""A snapshot to review, and what people make of it."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pipelines.reviews.drawing import Draw, Item, Wanted, drawn
from pipelines.reviews.exporting import KIND
from schemas.preference import LabelSource, PreferenceSet, Response, Split, preference_set
from schemas.query import user
from storage.snapshots import Snapshot
from tests.pipelines.reporting.small_snapshot import Small, trajectory

Choose = Callable[[Item], int | str | None]


def pair(number: int, source: str = "own", *, model: str | None = None, **given: Any) -> PreferenceSet:
    """Return the number-th set of two responses."""
    texts = given.pop("texts", (f"right {number}", f"wrong {number}"))
    made = [Response(text, float(not place), model=model) for place, text in enumerate(texts)]
    responses = given.pop("responses", made)
    query = given.pop("query", None) or user(f"question {number}")
    return preference_set(query=query, responses=responses, label_source=LabelSource.MODEL, **_facts(source), **given)


def single(number: int, label: int) -> PreferenceSet:
    """Return a set of one response."""
    responses, query = [Response(f"answer {number}")], user(f"alone {number}")
    return preference_set(
        query=query, responses=responses, label=label, label_source=LabelSource.HUMAN, **_facts("own")
    )


def _facts(source: str) -> Any:
    row = {"source_id": "a row", "source_revision": "r1", "license": "MIT", "domain": "telecom"}
    return {"source": source, "split": Split.TRAIN, **row}


def published(
    path: Path, sets: Iterable[PreferenceSet], judge_is_right: Callable[[int], bool] | None = None
) -> Snapshot:
    """Publish these sets; a judge found the best response of each pair, or the other one."""
    made = Small(sets=sorted(sets, key=lambda one: (one.query_id, one.set_id)))
    pairs = [one for one in made.sets if one.best is not None]
    if judge_is_right is not None:
        made.tables["trajectories/rejected"] = [
            trajectory(one, 0, "incorrect", "incorrect", scores=[2.0, 9.0] if judge_is_right(number) else [9.0, 2.0])
            for number, one in enumerate(pairs)
        ]
    return made.published(path)[0]


def a_draw(snapshot: Snapshot, n: int = 100, **wanted: Any) -> Draw:
    return drawn(snapshot, Wanted(n, ("source",), **wanted))


def right(item: Item) -> int | str:
    """Return the choice of a person who finds what the label says."""
    label = item.preference.label
    return item.label_position or ("right" if label else "wrong")


def saved(
    draw: Draw, choose: Choose, *, number: int = 1, reviewer: str = "Ann Smith", **changes: Any
) -> dict[str, Any]:
    """Return what the page of a person saves."""
    manifest = draw.snapshot.manifest
    answers = [
        {
            "set_id": item.preference.set_id, "order": list(item.order), "stratum": item.stratum,
            "stratum_size": item.stratum_size, "weight": item.weight, "choice": choose(item),
            "at": "2026-01-01T00:00:00.000Z", "after_label": False,
        }
        for item in draw.pages[number - 1]
    ]  # fmt: skip
    return {
        "format": 1, "kind": KIND, "draw_id": draw.draw_id, "page": number, "pages": len(draw.pages),
        "snapshot": {"name": manifest.name, "version": manifest.version}, "reviewer": reviewer, "browser": "b1",
        "saved_at": "2026-01-01T00:00:00.000Z", "answers": answers,
    } | changes  # fmt: skip


def written(path: Path, tree: Any) -> Path:
    """Write a tree as a JSON file, and return its path."""
    path.write_text(json.dumps(tree), "utf-8")
    return path
