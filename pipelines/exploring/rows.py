"""Rows as the page is given them: a part of a choice, one whole row, counts, and files of all that is chosen."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.exploring.choosing import Choice, Stopped, choice_of
from pipelines.exploring.columns import Codes, Columns, Ids, Numbers
from pipelines.exploring.expressions import expression_of
from pipelines.exploring.opening import Opened
from pipelines.exploring.tables import ROW
from schemas.errors import RecipeError

MOST_ROWS = 500
CUT = 300
"""Characters of a text in a list of rows."""
_ITEMS = 4
_VALUES = 50
"""Values of a column that are counted apart."""
_AT_ONCE = 2_000


def rows_answer(opened: Opened, query: Mapping[str, str], stop: threading.Event) -> dict[str, Any]:
    """Return a part of the rows of a choice; `total` is None while words are still looked for."""
    columns = opened.columns(query.get("table", ""))
    choice = choice_of(columns, query)
    offset, limit = number(query, "offset", 0), min(number(query, "limit", 100), MOST_ROWS)
    chosen = opened.chosen(columns.view.name, choice)
    in_order = bool(choice.sort) or choice.descending
    found = chosen.in_order(choice, stop) if in_order else chosen.first(offset + limit, stop)
    names = _names(columns, query.get("columns"))
    rows = [cut_row(row) for row in columns.rows(found[offset : offset + limit].astype(np.int64), names)]
    return {
        "total": len(chosen.all(stop)) if chosen.is_whole else None,
        "offset": offset,
        "rows": rows,
        "expression": expression_of(columns, opened.version.location, choice),
    }


def count_answer(opened: Opened, query: Mapping[str, str], stop: threading.Event) -> dict[str, Any]:
    columns = opened.columns(query.get("table", ""))
    return {"total": len(opened.chosen(columns.view.name, choice_of(columns, query)).all(stop))}


def facets_answer(opened: Opened, query: Mapping[str, str], stop: threading.Event) -> dict[str, Any]:
    """Return how often each value of some columns occurs among the rows of a choice.

    What the choice says of a column itself does not count for that one, so that its other values stay in sight.
    """
    columns = opened.columns(query.get("table", ""))
    choice = choice_of(columns, query)
    found: dict[str, Any] = {}
    for name in filter(None, query.get("columns", "").split(",")):
        others = replace(choice, where=tuple(one for one in choice.where if one[0] != name))
        found[name] = _facet(columns, opened.chosen(columns.view.name, others).all(stop), name)
    return found


def _facet(columns: Columns, rows: np.ndarray, name: str) -> list[list[Any]]:
    """Return the commonest values of a column among rows, with their counts; none of a column of ids or long texts."""
    if name not in columns.view.by_name:
        raise RecipeError(f"{columns.view.name} has no column {name!r}")
    held = columns.held(name)
    if isinstance(held, Codes):
        counts, known = np.bincount(held.codes[rows], minlength=len(held.values) + 1), [None, *held.values]
    elif isinstance(held, Numbers):
        values, counts = np.unique(held.numbers[rows], return_counts=True)
        known = [None if value != value else value for value in values.tolist()]
    else:
        return []
    largest = np.argsort(-counts, kind="stable")[:_VALUES].tolist()
    return [[known[place], int(counts[place])] for place in largest if counts[place]]


def row_answer(opened: Opened, query: Mapping[str, str], stop: threading.Event) -> dict[str, Any]:
    """Return a whole row, by its number or its id."""
    columns = opened.columns(query.get("table", ""))
    given = query.get("id", "")
    place = row_of(columns, given) if columns.view.id != ROW else number({"id": given}, "id", 0)
    if not 0 <= place < columns.view.rows:
        raise RecipeError(f"{columns.view.name} has {columns.view.rows:,} rows, and no row {place}")
    return {"row": whole_row(columns, place)}


def row_of(columns: Columns, row_id: str) -> int:
    """Return the number of the row with an id. Raises RecipeError where there is none."""
    if found := rows_with(columns, columns.view.id, row_id):
        return found[0]
    raise RecipeError(f"{columns.view.name} has no row with {columns.view.id} {row_id[:80]!r}")


def rows_with(columns: Columns, name: str, value: str) -> list[int]:
    """Return the numbers of the rows with a value in a column of ids or short texts."""
    held = columns.held(name)
    if isinstance(held, Ids):
        found: list[int] = held.rows_of(value).tolist()
        return found
    code = held.code(value)  # type: ignore[union-attr]  # ids of another form are held as codes
    return np.flatnonzero(held.codes == code).tolist()  # type: ignore[union-attr]  # the same


def whole_row(columns: Columns, place: int) -> dict[str, Any]:
    return columns.rows(np.array([place]), list(columns.view.by_name))[0]


def number(query: Mapping[str, str], name: str, default: int) -> int:
    """Return a whole number that a request gives. Raises RecipeError."""
    text = query.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise RecipeError(f"{name}: must be a whole number, not {text[:40]!r}")
    return int(text)


def _names(columns: Columns, given: str | None) -> list[str]:
    view = columns.view
    wanted = [name for name in given.split(",") if name] if given else view.default
    if unknown := [name for name in wanted if name not in view.by_name and name != ROW]:
        raise RecipeError(f"{view.name} has no column {unknown[0]!r}; it has: {', '.join(view.by_name)}")
    ids = [name for name in (view.id, "set_id") if name in view.by_name]
    return list(dict.fromkeys([*ids, *wanted]))


def cut_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with its texts cut, and under `_cut` the columns in which something is left out."""
    short = {name: _cut(value) for name, value in row.items()}
    left_out = [name for name, (_, is_cut) in short.items() if is_cut]
    return {name: value for name, (value, _) in short.items()} | ({"_cut": left_out} if left_out else {})


def _cut(value: Any) -> tuple[Any, bool]:
    """Return a value in short, and whether something was left out; of records, their texts in one."""
    if isinstance(value, list) and value and isinstance(value[0], dict | str):
        value = "\n".join(one if isinstance(one, str) else _beginning(one) for one in value[:_ITEMS])
    return (value[:CUT], len(value) > CUT) if isinstance(value, str) else (value, False)


def _beginning(record: Mapping[str, Any]) -> str:
    texts = (value[: CUT + 1] for name, value in record.items() if isinstance(value, str) and name != "role")
    return next(filter(None, texts), "")


def write_parquet(opened: Opened, table: str, choice: Choice, path: Path, stop: threading.Event) -> int:
    """Write the rows of a choice to a Parquet file, whole rows in the order of the choice; return how many."""
    columns = opened.columns(table)
    rows = opened.chosen(table, choice).in_order(choice, stop)
    schema = pa.schema([pa.field(name, shown.type) for name, shown in columns.view.by_name.items()])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for part in _parts(columns, rows, stop):
            writer.write_table(pa.Table.from_pylist(part, schema))
    return len(rows)


def json_lines(opened: Opened, table: str, choice: Choice, stop: threading.Event) -> Iterator[bytes]:
    """Yield the rows of a choice as JSONL, many lines at a time."""
    columns = opened.columns(table)
    for part in _parts(columns, opened.chosen(table, choice).in_order(choice, stop), stop):
        yield b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in part)


def _parts(columns: Columns, rows: np.ndarray, stop: threading.Event) -> Iterator[list[dict[str, Any]]]:
    names = list(columns.view.by_name)
    for start in range(0, len(rows), _AT_ONCE):
        if stop.is_set():
            raise Stopped
        part = columns.rows(rows[start : start + _AT_ONCE].astype(np.int64), names)
        yield [{name: row[name] for name in names} for row in part]
