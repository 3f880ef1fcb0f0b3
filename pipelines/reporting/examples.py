"""Whole examples of a snapshot: found without reading all of it, and shown so that a newcomer understands them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import chain, zip_longest
from typing import Any

from pipelines.reporting.example_parts import Example, Item, facts, headline, ids, parts_of
from pipelines.reporting.row_search import count_rows, find_rows, find_sets, values_of
from pipelines.reporting.source_funnels import TableFiles, commonest_first
from pipelines.reporting.visible import columns, one_line, visible, wrapped
from schemas.errors import RecipeError
from schemas.preference import DropReason
from schemas.published import TABLES
from schemas.query import wire
from schemas.rubric import RUBRICS_TABLE
from schemas.training import RFT_MESSAGES_TABLE
from schemas.trajectory import Outcome
from storage.snapshots import Snapshot

_NOT_SHOWN = (RUBRICS_TABLE, RFT_MESSAGES_TABLE)
STATUSES = {table.name: tuple(table.parts) for table in TABLES if table.parts and table not in _NOT_SHOWN}
"""Every table whose rows can be shown, and its parts, as published: `<table>/<status>`."""
_SOURCE_COLUMN = {"rl": ("data_source", "grmforge/")}
_APART: dict[str, str | None] = {"rl": None, "traces": "query_id", "answers": "query_id"}
"""The column in which examples should differ; `set_id` for all other tables."""


def find_examples(
    snapshot: Snapshot, *, table: str | None, status: str | None, reason: str | None, source: str | None, n: int
) -> list[Example]:
    """Return up to `n` examples, of different sets while there are any, statuses in turn where none is given.

    `table` and `status` are those of STATUSES; `reason` is a reject_reason, a drop_reason or an outcome. Without a
    table the other options say which. Raises RecipeError that lists what there is.
    """
    table, statuses = _wanted_parts(table, status, reason)
    if not (present := [part for part in statuses if snapshot.rows(f"{table}/{part}")]):
        there = ", ".join(sorted(snapshot.manifest.tables)) or "nothing"
        raise RecipeError(f"the snapshot has no row of {table} {' or '.join(statuses)}; it has: {there}")
    apart = _APART.get(table, "set_id")
    found = [
        examples_of(path, find_rows(snapshot.files(path), filters, n, apart), snapshot.files)
        for path, filters in _searches(table, present, reason, source)
    ]
    examples = [example for example in chain.from_iterable(zip_longest(*found)) if example is not None][:n]
    if not examples:
        raise RecipeError(_nothing_found(snapshot, table, present, reason, source))
    return examples


def count_examples(
    snapshot: Snapshot, *, table: str | None, status: str | None, reason: str | None, source: str | None
) -> int:
    """Return how many rows `find_examples` chooses from; without a filter, the manifest knows."""
    table, statuses = _wanted_parts(table, status, reason)
    return sum(
        count_rows(snapshot.files(path), filters) if filters else snapshot.rows(path)
        for path, filters in _searches(table, statuses, reason, source)
    )


def examples_of(table: str, rows: Sequence[Mapping[str, Any]], files: TableFiles) -> list[Example]:
    """Return rows of a table as examples, trajectories with the sets that they judge."""
    if not table.startswith("trajectories/"):
        return [Example(table, row) for row in rows]
    sets = find_sets(files("sets/kept"), {row["set_id"]: row["query_id"] for row in rows})
    return [Example(table, row, sets.get(row["set_id"])) for row in rows]


def as_json(example: Example) -> dict[str, Any]:
    """Return the whole row, its table, and for a trajectory its set and the best response's position."""
    row = {"table": example.table, **example.row}
    if example.table.startswith("trajectories/"):
        judged = example.preference
        row["best_position"] = example.best_position
        row["set"] = asdict(judged) | {"query": wire(judged.query)} if judged else None
    return row


def render(example: Example, width: int) -> str:
    """Return an example as plain text of at most `width` columns, its texts whole and with nothing hidden in them."""
    width = max(40, width)
    title = f"== {headline(example)} "
    lines = [title + "=" * max(0, width - columns(title))]
    lines += [wrapped(" · ".join(words), width) for words in (facts(example), ids(example)) if words]
    for part in parts_of(example):
        lines += ["", part.title.upper()]
        lines += [_rendered(item, width) for item in part.items]
    return "\n".join(lines)


def _rendered(item: Item, width: int) -> str:
    if not item.label:
        return wrapped(item.text, width, "  ")
    label = f"{' *' if item.marked else '  '} {one_line(item.label, width)}"
    text = visible(item.text).expandtabs(4)
    if "\n" not in text and columns(label) + 2 + columns(text[:width]) <= width and len(text) <= width:
        return f"{label}: {text}"
    return f"{label}:\n{wrapped(item.text, width, '     ')}"


def _wanted_parts(table: str | None, status: str | None, reason: str | None) -> tuple[str, tuple[str, ...]]:
    """Return the table and those of its parts that are meant. Raises RecipeError where there are none such."""
    if table is not None and "/" in table and status is None:
        table, status = table.split("/", 1)
    if table is None:
        about_sets = status in STATUSES["sets"] or (status is None and reason in set(DropReason))
        table = "sets" if about_sets else "rft" if status in STATUSES["rft"] else "trajectories"
    if table not in STATUSES:
        raise RecipeError(f"no table {table!r}; there are: {', '.join(STATUSES)}")
    statuses = STATUSES[table]
    if status is not None:
        if status not in statuses:
            raise RecipeError(f"{table} has no status {status!r}; it has: {', '.join(statuses)}")
        return table, (status,)
    if table == "trajectories":
        statuses = ("rejected",) if reason not in (None, Outcome.CORRECT) else ("accepted", "rejected")
    elif table == "sets" and reason is not None:
        statuses = ("dropped",)
    return table, statuses


def _reason_column(table: str, part: str, reason: str | None) -> str | None:
    """Return the column that a reason stands in; None where rows have no reason."""
    if table == "trajectories":
        return "reject_reason" if part == "rejected" or reason not in set(Outcome) else "outcome"
    return {"sets": "drop_reason", "meta_rm": "outcome"}.get(table)


def _filters(table: str, part: str, reason: str | None, source: str | None) -> dict[str, frozenset[str]]:
    filters = {}
    if source is not None:
        column, prefix = _SOURCE_COLUMN.get(table, ("source", ""))
        filters[column] = frozenset({prefix + source})
    if reason is not None:
        if (reason_column := _reason_column(table, part, reason)) is None:
            raise RecipeError(f"rows of {table} have no reason; those of trajectories, sets and meta_rm do")
        filters[reason_column] = frozenset({reason})
    return filters


def _searches(
    table: str, parts: Sequence[str], reason: str | None, source: str | None
) -> list[tuple[str, dict[str, frozenset[str]]]]:
    """Return the path of each part, and what its rows are chosen by."""
    return [(f"{table}/{part}", _filters(table, part, reason, source)) for part in parts]


def _nothing_found(
    snapshot: Snapshot, table: str, present: Sequence[str], reason: str | None, source: str | None
) -> str:
    """Return why nothing was found: which sources or reasons there are."""
    paths = [path for part in present for path in snapshot.files(f"{table}/{part}")]
    what = f"{table} {' or '.join(present)}"
    if source is not None:
        column, prefix = _SOURCE_COLUMN.get(table, ("source", ""))
        sources = {name.removeprefix(prefix): rows for name, rows in values_of(paths, column, {}).items()}
        if source not in sources:
            return f"no row of {what} is from source {source!r}; there are: {_listed(sources)}"
        what = f"{what} from {source}"
    column_of_reason = _reason_column(table, present[-1], reason)
    filters = _filters(table, present[-1], None, source)
    reasons = values_of(paths, column_of_reason, filters) if column_of_reason else {}
    return f"no row of {what} has the reason {reason!r}; there are: {_listed(reasons)}"


def _listed(counts: Mapping[str, int]) -> str:
    """Return names with their counts, in a line."""
    named = [f"{one_line(name, 60)} ({rows:,})" for name, rows in commonest_first(counts).items()]
    return ", ".join(named[:20]) + (f" and {len(named) - 20} more" if len(named) > 20 else "") if named else "none"
