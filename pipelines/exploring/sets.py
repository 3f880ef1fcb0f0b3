"""A set with all its samples, and a trajectory with what the reader found in it."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.exploring.conversations import responses_of, turns_of
from pipelines.exploring.opening import Opened
from pipelines.exploring.rows import number, row_of, rows_with, whole_row
from pipelines.exploring.verdict_words import reference_is_shown, why
from pipelines.judging.marks import marks_of
from pipelines.reporting.meanings import meaning
from schemas.errors import RecipeError
from schemas.trajectory import Mode

SAMPLE = (
    *("trajectory_id", "status", "purpose", "mode", "sample_index", "model", "order", "scores", "outcome"),
    *("accepted", "reject_reason", "margin", "verdict_form", "prompt_tokens", "completion_tokens"),
)
Row = dict[str, Any]


def set_answer(opened: Opened, query: Mapping[str, str], stop: threading.Event) -> Row:
    """Return a set with its responses and every sample of it."""
    row = _set_row(opened, query.get("id", ""))
    if row is None:
        raise RecipeError(f"{opened.name} has no set {query.get('id', '')[:80]!r}")
    return {"set": row, **set_parts(row, _samples(opened, row["set_id"]))}


def set_parts(row: Row, samples: Sequence[Row]) -> Row:
    """Return what is made of a set's row, and of what is known of its samples."""
    return {
        "responses": responses_of(row),
        "query": turns_of(row["query"]),
        "samples": [_in_set_order({name: sample[name] for name in SAMPLE}) for sample in samples],
    }


def trajectory_answer(opened: Opened, query: Mapping[str, str], stop: threading.Event) -> Row:
    """Return a trajectory with its set, the places of what was read from it, and why it was accepted or rejected.

    Of an evaluation, `id` is the number of a judgement, and what its item is stands in the place of the set.
    """
    if opened.is_evaluation:
        return _judgement(opened, number(query, "id", 0))
    columns = opened.columns("trajectories")
    row = whole_row(columns, row_of(columns, query.get("id", "")))
    of_set = _set_row(opened, row["set_id"])
    return {
        "row": row,
        "set": of_set,
        "responses": responses_of(of_set) if of_set else [],
        "query": turns_of(of_set["query"]) if of_set else [],
        **trajectory_parts(row, of_set, _samples(opened, row["set_id"]), opened.version.manifest.recipe),
    }


def trajectory_parts(row: Row, of_set: Row | None, samples: Sequence[Row], recipe: Mapping[str, Any]) -> Row:
    """Return what is made of a trajectory's row: its marks, and why it was accepted or rejected."""
    said, otherwise = why(row, of_set, samples, recipe)
    best = of_set["best"] if of_set else None
    return {
        "spans": spans_of(row, recipe),
        "why": said,
        "else": otherwise,
        "meta_rm": None,
        "best_position": row["order"].index(best) if best in row["order"] else None,
    }


def _judgement(opened: Opened, place: int) -> Row:
    """Return a judgement of an evaluation as a trajectory is returned."""
    columns, items = opened.columns("judgements"), opened.columns("items")
    if place >= columns.view.rows:
        raise RecipeError(f"judgements has {columns.view.rows:,} rows, and no row {place}")
    row = whole_row(columns, place)
    same_id = (whole_row(items, at) for at in rows_with(items, "item_id", row["item_id"]))
    item = next(one for one in same_id if one["benchmark"] == row["benchmark"])
    responses = [
        {"index": index, "text": text, "model": name, "best": index in item["right"], "conversation": None}
        for index, (text, name) in enumerate(zip(item["responses"], item["names"], strict=True))
    ]
    shown = [index in item["right"] for index in row["order"]]
    if row["scores"] and None not in row["scores"]:
        highest = [place + 1 for place, score in enumerate(row["scores"]) if score == max(row["scores"])]
        right = [place + 1 for place, is_right in enumerate(shown) if is_right]
        said = f"It gives {_listed(highest)} as shown the highest score; right: {_listed(right) if right else 'none'}."
    else:
        said = f"No score could be read of it ({row['outcome']}): {meaning(row['outcome']).words}."
    return {
        **{"row": row, "set": None, "item": item, "responses": responses, "query": turns_of(item["query"])},
        **{"spans": spans_of(row, {}), "why": said, "else": [], "meta_rm": row["meta_rm"]},
        "best_position": shown.index(True) if sum(shown) == 1 else None,
    }


def _listed(places: Sequence[int]) -> str:
    return f"response{'s' if len(places) > 1 else ''} {' and '.join(map(str, places))}"


def spans_of(row: Row, recipe: Mapping[str, Any]) -> list[Row]:
    """Return the marks of a judgement, counted as JavaScript counts: in UTF-16 code units."""
    text, hinted = row["text"] or "", row.get("mode") == Mode.HINTED
    shown = reference_is_shown(row, recipe)
    marks = marks_of(text, len(row["order"]), row["finish_reason"], hinted=hinted, reference_shown=shown)
    place = (lambda at: at) if text.isascii() else _units(text)
    return [
        {"part": "text", "kind": mark.kind, "start": place(mark.start), "end": place(mark.end), "note": mark.note}
        for mark in marks
    ]


def _units(text: str) -> Any:
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    before = np.concatenate([[0], np.cumsum(1 + (codes > 0xFFFF))])
    return lambda at: int(before[min(at, len(codes))])


def _set_row(opened: Opened, set_id: str) -> Row | None:
    if "sets" not in opened.views:
        return None
    columns = opened.columns("sets")
    found = rows_with(columns, "set_id", set_id)
    return whole_row(columns, found[0]) if found else None


def _samples(opened: Opened, set_id: str) -> list[Row]:
    """Return what is known of a set's samples, without their texts."""
    if "trajectories" not in opened.views:
        return []
    columns = opened.columns("trajectories")
    return columns.rows(np.array(rows_with(columns, "set_id", set_id), np.int64), SAMPLE)


def _in_set_order(sample: Row) -> Row:
    """Return a sample with its scores in the order of the set; its `order` says where each response stood."""
    scores = sample["scores"]
    if scores is None or len(scores) != len(sample["order"]):
        return sample
    placed = dict(zip(sample["order"], scores, strict=True))
    return sample | {"scores": [placed.get(index) for index in range(len(scores))]}
