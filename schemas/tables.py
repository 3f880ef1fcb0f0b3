"""Tables: the name, type and meaning of each column, said once; the Arrow schema, the pages and the records follow.

A column is written as a `Column`, or as the annotated field of a record: `points: Annotated[int, "-10..10, never 0."]`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cache, cached_property
from itertools import accumulate, chain, islice
from operator import attrgetter
from types import MappingProxyType, UnionType
from typing import Annotated, Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.compute as pc

import schemas.first_array  # noqa: F401 - it spares every command the import of pandas
from schemas.record import table_schema

Record = TypeVar("Record")

_ARROW_TYPES = {
    str: pa.string(),
    bool: pa.bool_(),
    int: pa.int32(),
    float: pa.float64(),
    datetime: pa.timestamp("us", tz="UTC"),
}

NO_COLUMNS: Mapping[str, Any] = MappingProxyType({})

Int64 = Annotated[int, pa.int64()]
"""A count that may pass two thousand millions."""


class Column(NamedTuple):
    """A column of a table, or a member of a struct."""

    name: str
    kind: Any = None
    """Its type: one of Python's, a record, a tuple of one of these, or a tuple of Columns for a struct."""
    own_meaning: str = ""

    @property
    def type(self) -> pa.DataType:
        """The Arrow type."""
        kind, notes = _unwrapped(COMMON[self.name].kind if self.kind is None else self.kind)
        if given := [note for note in notes if isinstance(note, pa.DataType)]:
            return given[0]
        if get_origin(kind) is tuple:
            return pa.list_(Column(self.name, get_args(kind)[0]).type)
        if members := members_of(kind):
            return pa.struct([pa.field(member.name, member.type) for member in members])
        return _ARROW_TYPES[str if issubclass(kind, Enum) else kind]

    @property
    def meaning(self) -> str:
        """What it means: the words of its table or record, or what the name means everywhere."""
        notes = (note for note in _unwrapped(self.kind)[1] if isinstance(note, str))
        return self.own_meaning or next(notes, COMMON[self.name].own_meaning if self.name in COMMON else "")

    def members(self) -> tuple["Column", ...]:
        """Return the columns inside a struct or a list of structs."""
        kind, _ = _unwrapped(self.kind)
        return members_of(get_args(kind)[0] if get_origin(kind) is tuple else kind)


COMMON: Mapping[str, Column] = {
    column.name: column
    for column in (
        Column("set_id", str, "Hash of the query and the responses; never of rewards, source, revision or licence."),
        Column("query_id", str, "Hash of the query's messages. Its first two hex digits are the bucket."),
        Column("trajectory_id", str, "Hash of set_id, mode, purpose and request_id."),
        Column(
            "request_id", str, "Hash of the role, the model's identity, the whole request body and the sample index."
        ),
        Column("source", str, "Name of the source, as in `[[sources]]`."),
        Column("license", str, "Licence of the row."),
        Column("domain", str, "What the query is about, as its source says."),
        Column("n_responses", int, "How many responses the set has."),
        Column("label", int, "0 or 1 for a set of one response; null otherwise."),
        Column("model", str, "The model that answered, with its revision where the recipe gives one."),
        Column("prompt_template", str, "Template of the prompt: name@hash."),
        Column("has_reference", bool, "Whether a reference answer was part of the prompt."),
        Column("prompt_tokens", Int64, "Tokens of the prompt, as the endpoint counted them; null where it did not."),
        Column("completion_tokens", Int64, "Tokens of the answer, reasoning included, as the endpoint counted them."),
        Column("pass_count", int, "How many of `pass_samples` were correct."),
        Column("sample_index", int, "Number of the sample among those of its set and mode, from 0."),
    )
}
"""Columns that mean the same wherever they stand: there their name alone is enough."""


@dataclass(frozen=True)
class Table:
    """A table of grmforge, and what a reader is told of it."""

    name: str
    columns: tuple[Column, ...]
    meaning: str = ""
    """What a row is; empty for tables that only pass between stages."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Published as `<name>/<part>-*.parquet`: the parts, with what each holds as the dataset card says it."""
    files: str = ""
    """Where its files are, if not in those parts alone."""

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema, with the table's name and format in its metadata."""
        return table_schema(self.name, [pa.field(column.name, column.type) for column in self.columns])


def splits(meaning: str) -> dict[str, str]:
    """Return the parts of a training table."""
    return dict.fromkeys(("train", "validation"), meaning)


def quoted(values: Iterable[str]) -> str:
    """Return values as a meaning lists them."""
    return ", ".join(f"`{value}`" for value in values)


def members_of(kind: Any) -> tuple[Column, ...]:
    """Return the columns of a record: in the order of its `COLUMNS` where it has them, else of its fields."""
    if isinstance(kind, tuple):
        return kind
    if not hasattr(kind, "__match_args__"):
        return ()
    hints = get_type_hints(kind, include_extras=True)
    for name in getattr(kind, "COLUMNS", ()):
        if name not in hints:
            hints[name] = get_type_hints(getattr(kind, name).fget, include_extras=True)["return"]
    return tuple(Column(name, hints[name]) for name in getattr(kind, "COLUMNS", kind.__match_args__))


def _unwrapped(kind: Any) -> tuple[Any, list[Any]]:
    """Return a type without its notes and without None, and the notes, the outer ones first."""
    notes: list[Any] = []
    while get_origin(kind) in (Annotated, UnionType, Union):
        if get_origin(kind) is Annotated:
            kind, *own = get_args(kind)
            notes += own
        else:
            kind = get_args(kind)[0]
    return kind, notes


def table_of(schema: pa.Schema, rest: pa.Table | Sequence[Any], columns: Mapping[str, Any] = NO_COLUMNS) -> pa.Table:
    """Return a table of a schema: the columns that are given, the others those of a table, or the fields of records."""
    return pa.table(list(_arrays(schema, rest, columns)), schema=schema)


def struct_of(type_: pa.StructType, rest: pa.Table | Sequence[Any], columns: Mapping[str, Any]) -> pa.StructArray:
    """Return a column of structs, its members found as the columns of `table_of` are."""
    return pa.StructArray.from_arrays(list(_arrays(type_, rest, columns)), fields=list(type_))


def _arrays(fields: Iterable[Any], rest: pa.Table | Sequence[Any], columns: Mapping[str, Any]) -> Iterator[Any]:
    for column in fields:
        values = columns.get(column.name)
        if values is None and isinstance(rest, pa.Table):
            values = rest.column(column.name)
        if values is None:
            values = list(map(attrgetter(column.name), rest))
        yield values if isinstance(values, pa.Array | pa.ChunkedArray) else array_of(column.type, values)


def array_of(type_: pa.DataType, values: Sequence[Any]) -> pa.Array:
    """Return values as a column; lists of records are built from flat columns, ten times quicker than from dicts."""
    if isinstance(type_, pa.StructType):
        return struct_of(type_, values, NO_COLUMNS)
    if isinstance(type_, pa.ListType) and isinstance(type_.value_type, pa.StructType):
        offsets = pa.array([0, *accumulate(map(len, values))], pa.int32())
        flat = array_of(type_.value_type, list(chain.from_iterable(values)))
        return pa.ListArray.from_arrays(offsets, flat, type=type_)
    return pa.array(values, type_)


def records_of(record: type[Record], table: pa.Table) -> list[Record]:
    """Return the rows of a table as records, in its order."""
    return list(_records(record, table.column))


def _records(record: Any, column: Callable[[str], pa.ChunkedArray]) -> Iterator[Any]:
    return map(record, *(_values(kind, optional, column(name)) for name, kind, optional in _fields(record)))


@cache
def _fields(record: Any) -> tuple[tuple[str, Any, bool], ...]:
    """Return (name, type, whether it may be None) of each field that a record is made with."""
    hints = get_type_hints(record)
    return tuple(
        (name, _unwrapped(hints[name])[0], type(None) in get_args(hints[name])) for name in record.__match_args__
    )


def _values(kind: Any, optional: bool, column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Return a column's values; most sources leave many columns empty, which takes no time here."""
    is_list = get_origin(kind) is tuple
    missing = () if is_list and not optional else None
    if column.null_count == len(column):
        return [missing] * len(column)
    member = get_args(kind)[0] if is_list else kind
    if hasattr(member, "__match_args__"):
        flat = pc.list_flatten(column) if is_list else column
        flat = flat.combine_chunks() if isinstance(flat, pa.ChunkedArray) else flat
        records = _records(member, flat.field)
        if not is_list:
            return list(records)
        return [tuple(islice(records, length or 0)) for length in pc.list_value_length(column).to_pylist()]
    values: list[Any] = column.to_pylist()
    if is_list:
        return [missing if value is None else tuple(value) for value in values]
    if issubclass(kind, Enum):
        members = {value: None if value is None else kind(value) for value in set(values)}
        return [members[value] for value in values]
    return values
