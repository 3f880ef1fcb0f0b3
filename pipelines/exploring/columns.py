"""The small columns of a table, held in memory in a few bytes a row; and whole rows, read when they are asked for.

A column is loaded when something first asks for it, from its own pages of the files. Texts are never held.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.exploring.tables import N_RESPONSES, ORDER, ROW, STATUS, Shard, View
from schemas.errors import DamagedError
from storage.tables import damage_named, open_parquet

_HEX = 32
"""Digits of an id."""
_DIGITS = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Codes:
    """A column of few different values: their numbers from 1, 0 for null."""

    codes: np.ndarray
    values: list[Any]

    def at(self, rows: np.ndarray) -> list[Any]:
        known = [None, *self.values]
        return [known[code] for code in self.codes[rows].tolist()]

    def code(self, value: Any) -> int:
        """Return the number of a value; -1 where no row has it."""
        return self.values.index(value) + 1 if value in self.values else -1

    def ranks(self) -> np.ndarray:
        """Return what the rows are sorted by."""
        order = np.zeros(len(self.values) + 1, np.float64)
        order[0] = np.nan
        order[1 + np.array(sorted(range(len(self.values)), key=self.values.__getitem__), int)] = range(len(self.values))
        return np.asarray(order[self.codes])


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column of numbers, NaN for null."""

    numbers: np.ndarray

    def at(self, rows: np.ndarray) -> list[Any]:
        return [None if value != value else value for value in self.numbers[rows].tolist()]

    def ranks(self) -> np.ndarray:
        return self.numbers


@dataclass(frozen=True, slots=True)
class Ids:
    """A column of ids of 32 hexadecimal digits, as two halves; all zeros for null."""

    halves: np.ndarray

    def at(self, rows: np.ndarray) -> list[Any]:
        return [row.tobytes().hex() if row.any() else None for row in self.halves[rows]]

    def rows_of(self, value: str) -> np.ndarray:
        """Return the numbers of the rows with an id, ascending."""
        if len(value) != _HEX or value.strip(_DIGITS):
            return np.zeros(0, np.int64)
        wanted = np.frombuffer(bytes.fromhex(value), np.uint64)
        return np.flatnonzero((self.halves[:, 0] == wanted[0]) & (self.halves[:, 1] == wanted[1]))

    def ranks(self) -> np.ndarray:
        return self.halves[:, 0].byteswap().astype(np.float64)


@dataclass(frozen=True, slots=True)
class Lists:
    """A column of short lists, as Arrow holds them; of a text, whether it is there."""

    lists: pa.ChunkedArray

    def ranks(self) -> np.ndarray:
        """Return how long each list is."""
        return np.asarray(pc.list_value_length(self.lists).fill_null(-1).to_numpy(zero_copy_only=False))

    def at(self, rows: np.ndarray) -> list[Any]:
        found: list[Any] = self.lists.take(pa.array(rows)).to_pylist()
        return found


Held = Codes | Numbers | Ids | Lists


class Columns:
    """A table of a version: what of it is held, and its files."""

    def __init__(self, view: View, path_of: Callable[[str], Path]) -> None:
        self.view = view
        self._path_of = path_of
        self._held: dict[str, Held] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def _opened(self, shard: Shard) -> tuple[Path, pq.ParquetFile]:
        """Return the file of a shard on this machine. Raises StorageError, also where it has not the rows it should."""
        path = self._path_of(shard.path)
        file = open_parquet(path)
        if (rows := file.metadata.num_rows) != shard.rows:
            raise DamagedError(f"{path}: damaged ({rows:,} rows, where {shard.rows:,} were written); build again")
        return path, file

    def held(self, name: str) -> Held:
        """Return a column, which is loaded where it is not held yet."""
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name not in self._held:
                self._held[name] = self._loaded(name)
        return self._held[name]

    def _loaded(self, name: str) -> Held:
        if name == STATUS:
            statuses = list(dict.fromkeys(shard.status for shard in self.view.shards))
            rows = [shard.rows for shard in self.view.shards]
            codes = [statuses.index(shard.status) + 1 for shard in self.view.shards]
            return Codes(np.repeat(np.array(codes, np.uint8), rows), statuses)
        if self._is_of_order(name):
            lengths = [pc.list_value_length(self._part(shard, ORDER, False)) for shard in self.view.shards]
            return _numbers(lengths, pa.int32())
        column = self.view.by_name[name]
        parts = [self._part(shard, name, column.kind == "text") for shard in self.view.shards]
        if column.kind in ("number", "bool"):
            return _codes(parts) if column.kind == "bool" else _numbers(parts, column.type)
        if column.kind in ("list", "text"):
            return Lists(pa.chunked_array(parts))
        if column.kind == "id" and (ids := _ids(parts)) is not None:
            return ids
        return _codes(parts)

    def _is_of_order(self, name: str) -> bool:
        return name == N_RESPONSES and ORDER in self.view.by_name

    def _part(self, shard: Shard, name: str, only_null: bool) -> pa.Array:
        """Return a column of a file; of a text, whether it is null."""
        path, file = self._opened(shard)
        kinds = self.view.by_name[name]
        found = []
        for group in range(file.num_row_groups):
            with damage_named(path):
                rows = file.read_row_group(group, [name], use_threads=False)
            array = flat_column(rows, name, kinds.type)
            found.append(array.is_valid() if only_null else array)
        parts = pa.chunked_array(found, pa.bool_() if only_null else kinds.type)
        if kinds.kind in ("choice", "id"):
            return parts if kinds.kind == "id" else parts.dictionary_encode().combine_chunks()
        return parts.combine_chunks()

    def batches(self, names: Sequence[str], shard: int, groups: Sequence[int] | None = None) -> Iterator[pa.Table]:
        """Yield columns of row groups of a shard, of all of them unless some are named."""
        path, file = self._opened(self.view.shards[shard])
        tops = sorted({name.partition(".")[0] for name in names} & set(file.schema_arrow.names))
        for group in range(file.num_row_groups) if groups is None else groups:
            with damage_named(path):
                yield file.read_row_group(group, tops, use_threads=False)

    def group_starts(self, shard: int) -> np.ndarray:
        """Return the number in its shard of each row group's first row, and of the row behind the last."""
        metadata = self._opened(self.view.shards[shard])[1].metadata
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])

    def rows(self, numbers: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return these columns of rows, in the order given. What is held is not read again."""
        read = [name for name in names if name != ROW and not self._is_held_whole(name)]
        found: list[dict[str, Any]] = [{} for _ in numbers]
        for place, values in self._read(numbers, read):
            found[place] = values
        kept = {name: self.held(name).at(numbers) for name in names if name not in read and name != ROW}
        for place, number in enumerate(numbers.tolist()):
            row = {ROW: number, **{name: values[place] for name, values in kept.items()}, **found[place]}
            found[place] = {name: row.get(name) for name in (ROW, *(name for name in names if name != ROW))}
        return found

    def _is_held_whole(self, name: str) -> bool:
        made = name == STATUS or self._is_of_order(name)
        return made or (name in self._held and self.view.by_name[name].kind != "text")

    def _read(self, numbers: np.ndarray, names: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (place in `numbers`, values) of rows from their row groups."""
        if not names or not len(numbers):
            return
        shards = np.searchsorted(self.view.starts, numbers, side="right") - 1
        for shard in np.unique(shards).tolist():
            places = np.flatnonzero(shards == shard)
            within = numbers[places] - self.view.starts[shard]
            starts = self.group_starts(shard)
            groups = np.searchsorted(starts, within, side="right") - 1
            wanted = np.unique(groups).tolist()
            for group, table in zip(wanted, self.batches(names, shard, wanted), strict=True):
                here = places[groups == group]
                rows = table.take(pa.array(within[groups == group] - starts[group]))
                columns = {name: flat_column(rows, name, self.view.by_name[name].type).to_pylist() for name in names}
                for place, values in enumerate(zip(*columns.values(), strict=True)):
                    yield int(here[place]), dict(zip(columns, values, strict=True))


def flat_column(table: pa.Table, name: str, type_: pa.DataType) -> pa.Array:
    """Return a column of a table, or a member of a struct; nulls where an older format lacks it."""
    top, _, rest = name.partition(".")
    if top not in table.column_names:
        return pa.nulls(table.num_rows, type_)
    column = table.column(top)
    array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    for member in rest.split(".") if rest else ():
        if array.type.get_field_index(member) < 0:
            return pa.nulls(table.num_rows, type_)
        array = pc.struct_field(array, member)
    return array


def _numbers(parts: Sequence[pa.Array], type_: pa.DataType) -> Numbers:
    nulls = sum(part.null_count for part in parts)
    small = pa.types.is_int32(type_) and not nulls
    kind = np.int32 if small else np.float64
    arrays = [part if small else pc.cast(part, pa.float64()) for part in parts]
    whole = [np.asarray(array.to_numpy(zero_copy_only=False), kind) for array in arrays]
    return Numbers(np.concatenate(whole) if whole else np.zeros(0, kind))


def _codes(parts: Sequence[pa.Array]) -> Codes:
    numbers: dict[Any, int] = {}
    found = []
    for part in parts:
        encoded = part if isinstance(part, pa.DictionaryArray) else part.dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        values = encoded.dictionary.to_pylist()
        here = np.array([0, *(numbers.setdefault(value, len(numbers) + 1) for value in values)], np.uint32)
        found.append(here[encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64) + 1])
    codes = np.concatenate(found) if found else np.zeros(0, np.uint32)
    size = np.uint8 if len(numbers) < 1 << 8 else np.uint16 if len(numbers) < 1 << 16 else np.uint32
    return Codes(codes.astype(size), list(numbers))


def _ids(parts: Sequence[pa.ChunkedArray]) -> Ids | None:
    """Return ids in 16 bytes each; None where one of them is no such id."""
    found = []
    for chunk in (chunk for part in parts for chunk in part.chunks):
        full = chunk.fill_null("0" * _HEX)
        if len(full) and pc.min_max(pc.binary_length(full)).as_py() != {"min": _HEX, "max": _HEX}:
            return None
        digits = _content(full)
        if digits.translate(None, _DIGITS.encode()):
            return None
        found.append(np.frombuffer(bytes.fromhex(digits.decode()), np.uint64).reshape(-1, 2))
    return Ids(np.concatenate(found) if found else np.zeros((0, 2), np.uint64))


def _content(texts: pa.StringArray) -> bytes:
    """Return the texts of an array one after the other."""
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return bytes(texts.buffers()[2][int(offsets[0]) : int(offsets[-1])]) if len(texts) else b""
