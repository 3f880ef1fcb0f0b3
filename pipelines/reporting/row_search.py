"""Rows of large tables, found by their small columns. Texts are read for the few rows that are shown."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from schemas.preference import SETS_TABLE, PreferenceSet, sets_of
from storage.tables import damage_named, filled, open_parquet

Place = tuple[Path, int, int]
"""A row: its file, row group, and number within that."""


def find_rows(
    paths: Sequence[Path], filters: Mapping[str, frozenset[str]], n: int, apart: str | None = None
) -> list[dict[str, Any]]:
    """Return the first `n` rows whose columns hold one of the wanted values, in the table's order.

    With `apart`, a column, rows that share its value with an earlier one are taken only where others run out.
    """
    places: list[Place] = []
    siblings: list[Place] = []
    seen: set[Any] = set()
    for place, values in _matches(paths, filters, [apart] if apart else []):
        if values not in seen or not values:
            seen.add(values)
            places.append(place)
        elif len(siblings) < n:
            siblings.append(place)
        if len(places) == n:
            break
    return _rows_at(sorted([*places, *siblings[: n - len(places)]]))


def count_rows(paths: Sequence[Path], filters: Mapping[str, frozenset[str]]) -> int:
    """Return how many rows pass the filters; reads no column but theirs."""
    return sum(len(rows) for _, _, _, rows in _passing(paths, filters))


def one_of_each(paths: Sequence[Path], column: str, wanted: Sequence[str], apart: str) -> list[dict[str, Any]]:
    """Return a row with each of these values of a column, in the order of the values, differing in `apart`.

    Looks through the first row group alone, which is quick however large the table; values not there are left out.
    """
    found: dict[str, Place] = {}
    seen: set[Any] = set()
    for place, (value, other) in _matches(paths[:1], {column: frozenset(wanted)}, [column, apart]):
        if place[1] > 0 or len(found) == len(wanted):
            break
        if value not in found and other not in seen:
            seen.add(other)
            found[value] = place
    return sorted(_rows_at(sorted(found.values())), key=lambda row: wanted.index(row[column]))


def values_of(paths: Sequence[Path], column: str, filters: Mapping[str, frozenset[str]]) -> dict[str, int]:
    """Return how often each value of a column occurs among the rows that pass the filters; nulls are left out."""
    return Counter(value for _, (value,) in _matches(paths, filters, [column]) if value is not None)


def find_sets(paths: Sequence[Path], ids: Mapping[str, str]) -> dict[str, PreferenceSet]:
    """Return the sets of these ids ({set_id: query_id}) from a published table, sorted by query_id as all are."""
    found: dict[str, PreferenceSet] = {}
    set_ids = pa.array(sorted(ids), pa.string())
    queries = sorted(set(ids.values()))
    for path in paths:
        file = open_parquet(path)
        for group in range(file.num_row_groups):
            with damage_named(path):
                column = file.read_row_group(group, columns=["query_id"]).column("query_id")
                if not any(column[0].as_py() <= query <= column[-1].as_py() for query in queries):
                    continue
                rows = file.read_row_group(group)
            chosen = rows.filter(pc.is_in(rows.column("set_id"), set_ids))
            found |= {preference.set_id: preference for preference in sets_of(filled(chosen, SETS_TABLE.schema))}
        if len(found) == len(ids):
            break
    return found


def _matches(
    paths: Sequence[Path], filters: Mapping[str, frozenset[str]], columns: Sequence[str]
) -> Iterator[tuple[Place, tuple[Any, ...]]]:
    """Yield the place of every row that passes the filters, with its values of some columns; absent ones are null."""
    for path, group, table, rows in _passing(paths, filters, columns):
        present = set(table.column_names)
        lists = [
            table.column(name).take(rows).to_pylist() if name in present else [None] * len(rows) for name in columns
        ]
        for number, row in enumerate(rows.to_pylist()):
            yield (path, group, row), tuple(values[number] for values in lists)


def _passing(
    paths: Sequence[Path], filters: Mapping[str, frozenset[str]], columns: Sequence[str] = ()
) -> Iterator[tuple[Path, int, pa.Table, pa.Array]]:
    """Yield every row group: these columns of it, and which of its rows pass the filters."""
    for path in paths:
        file = open_parquet(path)
        present = set(file.schema_arrow.names)
        for group in range(file.num_row_groups):
            with damage_named(path):
                table = file.read_row_group(group, columns=sorted({*filters, *columns} & present))
            passing = pa.array([True] * file.metadata.row_group(group).num_rows)
            for name, values in filters.items():
                held = pc.is_in(table.column(name), pa.array(sorted(values), pa.string())) if name in present else False
                passing = pc.and_(passing, held)
            yield path, group, table, pc.indices_nonzero(passing)


def _rows_at(places: Sequence[Place]) -> list[dict[str, Any]]:
    """Return whole rows, in the order of their places, which are sorted."""
    found: list[dict[str, Any]] = []
    for (path, group), rows in groupby(places, key=lambda place: place[:2]):
        with damage_named(path):
            table = open_parquet(path).read_row_group(group)
        found += table.take([row for _, _, row in rows]).to_pylist()
    return found
