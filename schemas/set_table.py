"""Preference sets as an Arrow table, and back."""

from collections.abc import Sequence
from dataclasses import fields
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from schemas.columns import struct_lists
from schemas.preference import RESPONSES, SETS, DropReason, LabelSource, PreferenceSet, Response, Split
from schemas.query import Message, messages_array

_PLAIN = [name for name in SETS.names if name not in ("query", "responses")]


def sets_table(sets: Sequence[PreferenceSet]) -> pa.Table:
    """Return the sets, in the order given, as a table of SETS."""
    responses = [response for one in sets for response in one.responses]
    columns = {name: [getattr(one, name) for one in sets] for name in _PLAIN}
    arrays = {
        "query": messages_array([one.query for one in sets]),
        "responses": struct_lists(
            RESPONSES,
            [one.n_responses for one in sets],
            [[getattr(response, field.name) for response in responses] for field in RESPONSES.value_type],
        ),
    }
    return pa.table(
        [arrays[f.name] if f.name in arrays else pa.array(columns[f.name], f.type) for f in SETS], schema=SETS
    )


def sets_of(table: pa.Table) -> list[PreferenceSet]:
    """Return the records of a table of SETS, in its order."""
    columns: dict[str, list[Any]] = {name: _values(table.column(name)) for name in _PLAIN}
    columns["query"] = _records(Message, table.column("query"))
    columns["responses"] = _records(Response, table.column("responses"))
    for name in ("votes", "given_ids"):
        columns[name] = [None if values is None else tuple(values) for values in columns[name]]
    for name, kind in (("label_source", LabelSource), ("split", Split), ("drop_reason", DropReason)):
        members = {value: None if value is None else kind(value) for value in set(columns[name])}
        columns[name] = [members[value] for value in columns[name]]
    return list(map(PreferenceSet, *(columns[field.name] for field in fields(PreferenceSet))))


def _records(kind: type[Any], column: pa.ChunkedArray) -> list[tuple[Any, ...]]:
    """Return a list<struct> column as tuples of records; made from flat columns, in half the time of dictionaries."""
    flat = pc.list_flatten(column).combine_chunks()
    every = map(kind, *(_values(flat.field(name)) for name in kind.__match_args__))
    return [tuple(islice(every, length)) for length in pc.list_value_length(column).to_pylist()]


def _values(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Return a column's values; most sources leave many columns empty, which takes no time here."""
    return [None] * len(column) if column.null_count == len(column) else column.to_pylist()
