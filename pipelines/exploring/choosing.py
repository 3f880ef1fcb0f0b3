"""What of a table is chosen: by columns, by words, in an order."""

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.exploring.columns import Codes, Columns, Ids, Lists, Numbers, flat_column
from pipelines.exploring.tables import ROW
from schemas.errors import RecipeError

ANY = "any"
OPS = ("is", "in", "not", "lt", "le", "gt", "ge", "null", "not_null", "has", "contains")
_LEAST_AT_ONCE, _MOST_AT_ONCE = 2, 16
"""Row groups that are searched before someone may look at the hits."""
_MOST_WORDS = 8

Condition = tuple[str, str, Any]
Mask = npt.NDArray[np.bool_]
"""Whether each row is meant."""


class Stopped(Exception):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True)
class Choice:
    """Which rows of a table are wanted, and in which order."""

    where: tuple[Condition, ...] = ()
    words: str = ""
    within: str = ANY
    """The column that words are looked for in."""
    sort: str = ""
    descending: bool = False

    @property
    def key(self) -> str:
        """What choices of the same rows share, whatever their order."""
        return json.dumps([self.where, self.words, self.within])


def choice_of(columns: Columns, query: Mapping[str, str]) -> Choice:
    """Return the choice that a request names. Raises RecipeError that says what is wrong with it."""
    try:
        tree = json.loads(query.get("where") or "[]")
        where = tuple((str(name), str(op), value) for name, op, value in tree)
    except (ValueError, TypeError, RecursionError):
        raise RecipeError('where: must be a JSON list such as [["source", "is", "own"]]') from None
    within, sort = query.get("in") or ANY, query.get("sort") or ""
    for name in [*(name for name, _, _ in where), *filter(None, [sort, within if within != ANY else ""])]:
        if name not in columns.view.by_name and not (name == ROW and name == sort):
            raise RecipeError(f"{columns.view.name} has no column {name!r}; it has: {', '.join(columns.view.by_name)}")
    for name, op, _ in where:
        if op not in OPS:
            raise RecipeError(f"{name}: no operation {op!r}; there are: {', '.join(OPS)}")
    if sort and sort != ROW and columns.view.by_name[sort].kind in ("text", "list"):
        raise RecipeError(f"{sort}: rows are sorted by short columns; this one holds lists or long texts")
    return Choice(where, query.get("words") or "", within, sort if sort != ROW else "", query.get("desc") == "1")


def words_in(text: str) -> list[str]:
    """Return the words that are looked for; what stands in quotation marks is one."""
    found = [quoted or plain for quoted, plain in re.findall(r'"([^"]+)"|([^\s"]+)', text)]
    return list(dict.fromkeys(found))[:_MOST_WORDS]


def passing(columns: Columns, where: Sequence[Condition]) -> Mask:
    """Return which rows fulfil all conditions but those on words in long texts."""
    mask: Mask = np.ones(columns.view.rows, np.bool_)
    for name, op, value in where:
        if not _is_search(columns, name, op):
            mask &= _fulfils(columns, name, op, value)
    return mask


def _is_search(columns: Columns, name: str, op: str) -> bool:
    return op == "contains" and columns.view.by_name[name].kind == "text"


def _fulfils(columns: Columns, name: str, op: str, value: Any) -> Mask:
    held = columns.held(name)
    try:
        if isinstance(held, Numbers):
            return _numbers_pass(held.numbers, op, value)
        if isinstance(held, Lists):
            return _lists_pass(held.lists, op, value, columns.view.by_name[name].kind)
        if isinstance(held, Ids):
            return _ids_pass(held, op, value)
        return codes_pass(held, op, value)
    except (TypeError, ValueError, OverflowError, pa.ArrowException, KeyError):
        raise RecipeError(f"{name}: {op} {json.dumps(value)} says nothing of this column") from None


def _numbers_pass(numbers: np.ndarray, op: str, value: Any) -> Mask:
    if op in ("null", "not_null"):
        return np.asarray(np.isnan(numbers) == (op == "null"))
    if op in ("in", "not") and isinstance(value, list):
        found: Mask = np.isin(numbers, np.array([_number(one) for one in value], np.float64))
        if None in value:
            found = found | np.isnan(numbers)
        return found if op == "in" else ~found
    wanted = _number(value)
    if wanted != wanted and op in ("is", "not"):
        return np.asarray(np.isnan(numbers) == (op == "is"))
    compared = {"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "is": np.equal}
    return ~np.equal(numbers, wanted) if op == "not" else np.asarray(compared[op](numbers, wanted))


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _lists_pass(lists: pa.ChunkedArray, op: str, value: Any, kind: str) -> Mask:
    if op in ("null", "not_null"):
        is_there = lists if kind == "text" else lists.is_valid()
        return np.asarray(is_there.to_numpy(zero_copy_only=False) == (op == "not_null"), np.bool_)
    if op != "has" or kind == "text":
        raise KeyError(op)
    found: Mask = np.zeros(len(lists), np.bool_)
    start = 0
    for chunk in lists.chunks:  # the parents of a chunk are numbered from its own beginning
        parents, values = pc.list_parent_indices(chunk), pc.list_flatten(chunk)
        held = pc.equal(values, pa.scalar(value).cast(values.type)).fill_null(False)
        found[start + parents.filter(held).to_numpy()] = True
        start += len(chunk)
    return found


def _ids_pass(ids: Ids, op: str, value: Any) -> Mask:
    is_null: Mask = np.asarray(np.equal(ids.halves, 0).all(axis=1), np.bool_)
    if op in ("null", "not_null"):
        return is_null if op == "null" else ~is_null
    if op not in ("is", "in", "not"):
        raise KeyError(op)
    wanted = value if isinstance(value, list) else [value]
    found: Mask = is_null.copy() if None in wanted else np.zeros(len(is_null), np.bool_)
    for one in wanted:
        found[ids.rows_of(str(one))] = True
    return ~found if op == "not" else found


def codes_pass(held: Codes, op: str, value: Any) -> Mask:
    """Return which rows of a column pass, decided once for each of its values."""
    tests: dict[str, Callable[[Any], bool]] = {
        "is": lambda one: one == value,
        "in": lambda one: one in (value if isinstance(value, list) else None),  # type: ignore[operator]  # told
        "not": lambda one: one not in value if isinstance(value, list) else one != value,
        "null": lambda one: one is None,
        "not_null": lambda one: one is not None,
        "lt": lambda one: one is not None and one < value,
        "le": lambda one: one is not None and one <= value,
        "gt": lambda one: one is not None and one > value,
        "ge": lambda one: one is not None and one >= value,
    }
    if op == "contains":
        pattern = re.compile(re.escape(str(value)), re.IGNORECASE)
        tests[op] = lambda one: one is not None and pattern.search(str(one)) is not None
    passes: Mask = np.array([tests[op](one) for one in (None, *held.values)], np.bool_)
    return np.asarray(passes[held.codes])


class Chosen:
    """The rows of a choice, in the table's order: found at once by columns, and piece by piece where words are wanted.

    Several threads may ask: whoever comes first searches on, and the others find what was found.
    """

    def __init__(self, columns: Columns, choice: Choice, pool: ThreadPoolExecutor) -> None:
        self._columns, self._pool = columns, pool
        self._searches = [([name], str(value)) for name, op, value in choice.where if _is_search(columns, name, op)]
        names = columns.view.any_text if choice.within == ANY else [choice.within]
        self._searches += [(names, word) for word in words_in(choice.words)]
        self._mask = passing(columns, choice.where)
        self._lock = threading.Lock()
        self._sorted: dict[tuple[str, bool], np.ndarray] = {}
        self._hits: list[np.ndarray] = []
        self._found = 0
        self._left = self._pieces() if self._searches else iter(())
        self.is_whole = not self._searches
        self.is_broken = False
        self._whole = np.flatnonzero(self._mask).astype(np.uint32) if self.is_whole else np.zeros(0, np.uint32)

    def first(self, wanted: int, stop: threading.Event) -> np.ndarray:
        """Return the first `wanted` rows, or all where there are fewer. Raises Stopped."""
        at_once = _LEAST_AT_ONCE
        while not self.is_whole and self._found < wanted:
            if stop.is_set():
                raise Stopped
            self._search_on(at_once)
            at_once = min(_MOST_AT_ONCE, 2 * at_once)
        return (self._whole if self.is_whole else np.concatenate([*self._hits, self._whole]))[:wanted]

    def all(self, stop: threading.Event) -> np.ndarray:
        return self.first(self._columns.view.rows + 1, stop)

    def in_order(self, choice: Choice, stop: threading.Event) -> np.ndarray:
        """Return all rows as the choice sorts them; nulls come last, equal ones stay in the table's order."""
        rows = self.all(stop)
        if not choice.sort:
            return rows[::-1] if choice.descending else rows
        by = choice.sort, choice.descending
        if by not in self._sorted:
            ranks = np.asarray(self._columns.held(choice.sort).ranks(), np.float64)[rows]
            self._sorted[by] = rows[np.argsort(-ranks if choice.descending else ranks, kind="stable")]
        return self._sorted[by]

    def _search_on(self, pieces: int) -> None:
        with self._lock:
            if self.is_broken:
                raise Stopped
            if self.is_whole:
                return
            try:
                found = list(self._pool.map(self._hits_in, islice(self._left, pieces)))
            except BaseException:  # the pieces that were taken are lost: nobody may go on without them
                self.is_broken = True
                raise
            self._hits += found
            self._found += sum(map(len, found))
            if len(found) < pieces:
                self._whole = np.concatenate([*self._hits, self._whole])
                self._mask = np.zeros(0, bool)
                self.is_whole = True

    def _pieces(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield (shard, row group, number of its first row, of the row behind it) where a row may be chosen."""
        for shard, first in enumerate(self._columns.view.starts[:-1].tolist()):
            end = int(self._columns.view.starts[shard + 1])
            if not self._mask[first:end].any():
                continue
            starts = self._columns.group_starts(shard) + first
            for group, (begin, behind) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
                if self._mask[begin:behind].any():
                    yield shard, group, begin, behind

    def _hits_in(self, piece: tuple[int, int, int, int]) -> np.ndarray:
        shard, group, begin, behind = piece
        names = sorted({name for searched, _ in self._searches for name in searched})
        [table] = self._columns.batches(names, shard, [group])
        mask = self._mask[begin:behind].copy()
        for searched, word in self._searches:
            if not mask.any():
                break
            arrays = [flat_column(table, name, self._columns.view.by_name[name].type) for name in searched]
            mask &= _holds_word(arrays, word, behind - begin)
        return (np.flatnonzero(mask) + begin).astype(np.uint32)


def _holds_word(arrays: Sequence[pa.Array], word: str, rows: int) -> np.ndarray:
    """Return which rows have a text with a word, whatever the case of its letters."""
    found = np.zeros(rows, bool)
    for array in arrays:
        for texts, row_of in _texts_in(array, None):
            hits = pl.Series(texts).str.contains(pattern_of(word)).fill_null(False).to_numpy()
            if row_of is None:
                found |= hits
            else:
                found[row_of[hits]] = True
    return found


def pattern_of(word: str) -> str:
    """Return the regular expression that finds a word."""
    return f"(?i){re.escape(word)}"


def _texts_in(array: pa.Array, row_of: np.ndarray | None) -> Iterator[tuple[pa.Array, np.ndarray | None]]:
    """Yield all texts in a column, nested ones too, with the row of each where it is not the row's only one."""
    if pa.types.is_string(array.type):
        yield array, row_of
    elif pa.types.is_list(array.type):
        parents = pc.list_parent_indices(array).to_numpy()
        yield from _texts_in(pc.list_flatten(array), parents if row_of is None else row_of[parents])
    elif pa.types.is_struct(array.type):
        for member in members_with_texts(array.type):
            yield from _texts_in(pc.struct_field(array, member.name), row_of)


def members_with_texts(type_: pa.StructType) -> list[Any]:
    """Return the members of a struct that words are looked for in: who spoke is no text."""
    return [field for field in type_ if _has_text(field.type) and field.name != "role"]


def _has_text(type_: pa.DataType) -> bool:
    return pa.types.is_string(type_) or (pa.types.is_list(type_) and _has_text(type_.value_type))
