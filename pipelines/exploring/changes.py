"""Versions of a name, and what changed between two of them, down to the row."""

import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from pipelines.evaluation.comparing import compare_evaluations
from pipelines.evaluation.comparison import lines_of as lines_of_evaluations
from pipelines.exploring.opening import Opened, Version, listed
from pipelines.exploring.rows import MOST_ROWS, number
from pipelines.reporting.comparing import compare
from pipelines.reporting.comparison import lines_of
from pipelines.reporting.visible import one_line
from schemas.errors import RecipeError, StorageError
from storage.evaluations import Evaluation
from storage.snapshots import Snapshot
from storage.versions import find_version

_COMPARED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "trajectories": ("trajectory_id", ("outcome", "reject_reason", "accepted")),
    "sets": ("set_id", ("split", "best", "label", "drop_reason")),
    "rft": ("example_id", ("mode",)),
    "judgements": ("request_id", ("outcome", "scores")),
    "items": ("item_id", ("subset", "right", "right_at_1", "right_at_max")),
}
"""Of each table that is compared row by row: its id, and the columns whose change is one of the row."""
_KINDS = ("changed", "added", "removed")
_MOST_LINES = 8
"""Kinds of change that the summary counts; every row stands below it."""


def versions_answer(opened: Opened, query: Mapping[str, str], stop: threading.Event) -> dict[str, Any]:
    """Return the versions of the opened one's name, the newest first."""
    name, root = opened.version.manifest.name, opened.version.root
    return {"versions": [one for one in listed(root, opened.is_evaluation) if one["name"] == name]}


def changes_answer(opened: Opened, query: Mapping[str, str], stop: threading.Event) -> dict[str, Any]:
    """Return what is different between two versions: lines, and rows that are new, gone or changed."""
    old, new = (_version(opened, query.get(side, "")) for side in ("old", "new"))
    summary, rows = opened.once(f"changes {old.key} {new.key}", lambda: _changes(old, new))
    kind = query.get("kind") or None
    offset, limit = number(query, "offset", 0), min(number(query, "limit", 100), MOST_ROWS)
    wanted = rows if kind is None else rows.filter(pl.col("kind") == kind)
    return {
        "old": _named(old),
        "new": _named(new),
        "summary": summary,
        "counts": {one: rows.filter(pl.col("kind") == one).height for one in _KINDS},
        "rows": wanted.slice(offset, limit).to_dicts(),
        "total": wanted.height,
    }


def _version(opened: Opened, name: str) -> Version:
    if not name:
        raise RecipeError("old and new: give two versions, each as name@version")
    if "/" in name or "\0" in name:
        raise StorageError(f"{name[:200]!r} is no version of what is opened")
    return opened.version if name == opened.name else find_version(opened.version.root, name)


def _named(version: Version) -> str:
    return f"{version.manifest.name}@{version.manifest.version}"


def _changes(old: Version, new: Version) -> tuple[list[str], pl.DataFrame]:
    if isinstance(old, Snapshot) and isinstance(new, Snapshot):
        summary = lines_of(compare(old, new))
        causes = _recipe_lines(old.manifest.recipe, new.manifest.recipe)
        tables = ["trajectories", "sets", "rft"]
    elif isinstance(old, Evaluation) and isinstance(new, Evaluation):
        summary, causes = lines_of_evaluations(compare_evaluations(old, new)), []
        tables = ["items", "judgements"]
    else:
        raise RecipeError(f"{_named(old)} and {_named(new)} are of two kinds; compare two of one kind")
    rows = pl.concat([_of_table(table, old, new) for table in tables])
    return [summary[0], *causes, *_most_frequent(rows), *summary[1:]], rows


def _recipe_lines(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return each key of the recipe that says something else: most of what changed follows from these."""
    before, after = (dict(_keys(recipe)) for recipe in (old, new))
    lines = [
        f"{key}: {before.get(key, '(not there)')} -> {after.get(key, '(not there)')}"
        for key in dict.fromkeys([*after, *before])
        if before.get(key) != after.get(key)
    ]
    return ["", "the recipe has changed:", *(f"  {one_line(line, 200)}" for line in lines)] if lines else []


def _keys(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield each value of a recipe as JSON, with its way from the top, such as `rejection.drop_too_easy`."""
    inner = value.items() if isinstance(value, Mapping) else enumerate(value, 1) if isinstance(value, list) else None
    if inner is None:
        yield key, json.dumps(value, ensure_ascii=False)
    else:
        for name, one in inner:
            yield from _keys(one, f"{key}.{name}".lstrip("."))


def _most_frequent(rows: pl.DataFrame) -> list[str]:
    """Return what became of most changed rows: of what, and how many."""
    changed = rows.filter(pl.col("kind") == "changed").group_by("table", "what", "old", "new").len()
    most = changed.sort(pl.col("len"), "table", "old", "new", descending=[True, False, False, False]).head(_MOST_LINES)
    lines = [
        f"{row['len']:,} of {row['table']}, {row['what']}: {row['old']} -> {row['new']}" for row in most.to_dicts()
    ]
    return ["", "what changed in most rows:", *(f"  {one_line(line, 200)}" for line in lines)] if lines else []


def _of_table(table: str, old: Version, new: Version) -> pl.DataFrame:
    """Return a row for each row of a table that only one version has, or that says something else in both."""
    row_id, names = _COMPARED[table]
    before, after = (_frame(version, table, row_id, names) for version in (old, new))
    both = after.join(before, on="id", how="full", suffix="_before", coalesce=True, maintain_order="left_right")
    is_new, is_gone = pl.col("there_before").is_null(), pl.col("there").is_null()
    differs = [pl.col(name).ne_missing(pl.col(f"{name}_before")) for name in names]
    kind = pl.when(is_new).then(pl.lit("added")).when(is_gone).then(pl.lit("removed"))
    what = pl.concat_list(pl.when(test).then(pl.lit(name)) for name, test in zip(names, differs, strict=True))
    return (
        both.filter(is_new | is_gone | pl.any_horizontal(differs))
        .select(
            kind=kind.otherwise(pl.lit("changed")),
            table=pl.lit(table),
            id="id",
            what=pl.when(is_new | is_gone).then(pl.lit("")).otherwise(what.list.drop_nulls().list.join(", ")),
            old=_said(names, differs, "_before", is_new),
            new=_said(names, differs, "", is_gone),
        )
    )  # fmt: skip


def _said(names: tuple[str, ...], differs: list[pl.Expr], suffix: str, is_missing: pl.Expr) -> pl.Expr:
    """Return what one side says of the columns that differ; nothing where it lacks the row."""
    is_everything = pl.col("there").is_null() | pl.col("there_before").is_null()
    parts = [
        pl.when(test | is_everything).then(pl.col(f"{name}{suffix}").fill_null("–"))
        for name, test in zip(names, differs, strict=True)
    ]
    return pl.when(is_missing).then(pl.lit("")).otherwise(pl.concat_list(parts).list.drop_nulls().list.join(", "))


def _frame(version: Version, table: str, row_id: str, names: tuple[str, ...]) -> pl.DataFrame:
    """Return ids, and the compared columns as texts; of rows that share an id, the first."""
    parts = [path for path in version.manifest.tables if path.split("/")[0] == table]
    paths = [path for part in parts for path in version.files(part)]
    schema = {"id": pl.String, **dict.fromkeys(names, pl.String), "there": pl.Boolean}
    if not paths:
        return pl.DataFrame(schema=schema)
    scanned = pl.scan_parquet(paths, glob=False, missing_columns="insert")
    known = scanned.collect_schema()
    texts = (_as_text(name, known[name]) for name in names)
    chosen = scanned.select(pl.col(row_id).alias("id"), *texts, there=pl.lit(True))
    return chosen.collect().unique("id", keep="first", maintain_order=True)


def _as_text(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    return column.cast(pl.List(pl.String)).list.join(" ") if isinstance(kind, pl.List) else column.cast(pl.String)
