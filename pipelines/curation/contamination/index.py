"""The queries of benchmarks, laid out so that a text's grams find those that it may hold.

Containment asks how many of a query's grams a text holds. If it holds a share s of them, then it holds some of any
1 - s of them: so only the rarest grams of each query are looked up, and the few queries that these find are counted
exactly. What everybody writes ("what is the") is looked up for no query that has anything rarer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.curation.contamination.normalising import Hashes, Places, ShortHashes
from pipelines.curation.contamination.signatures import SHORTEST, Signature

_FORM = 10
"""A gram of more queries of one benchmark is the benchmark's form, and no sign of any of them: all rows that give the
same instruction would be dropped for it."""
_FORM_SHARE = 0.005
"""Shingles may be those of so large a share of the queries: three words in a row say less than thirteen."""
_SUPPORT = 3
"""Shingles that must find a query before it is counted."""
_BITS = 24  # 16 MB for each table of what is there


@dataclass(frozen=True, slots=True)
class Postings:
    """Which queries have a gram, by the gram's hash."""

    hashes: ShortHashes
    """Ascending, each once."""
    starts: Places
    """Where each hash's queries begin in `queries`, and the end of all."""
    queries: npt.NDArray[np.int32]
    places: npt.NDArray[np.int32]
    """Place of the gram among the query's own."""
    is_there: npt.NDArray[np.bool_]
    """Whether any hash begins with these bits: it spares most lookups."""

    def found(self, hashes: ShortHashes) -> tuple[Places, Places]:
        """Return (place in the given hashes, place in `queries`) of every gram that any query has."""
        maybe = np.flatnonzero(self.is_there[hashes >> np.uint32(32 - _BITS)])
        if not len(maybe):
            return maybe, maybe
        places = np.searchsorted(self.hashes, hashes[maybe])
        hit = self.hashes[np.minimum(places, len(self.hashes) - 1)] == hashes[maybe]
        maybe, places = maybe[hit], places[hit]
        return spread(maybe, self.starts[places], self.starts[places + 1])


@dataclass(frozen=True, slots=True)
class Index:
    """The queries of some benchmarks. A query's number stands for it; its lists lie flat, one after the other."""

    names: tuple[str, ...]
    """The benchmarks."""
    shingles: int
    similarity: float
    benchmarks: npt.NDArray[np.int32]
    """Of each query, by its number: its benchmark."""
    rows: Hashes
    """Of each query: the hash of all its words."""
    words: npt.NDArray[np.int32]
    by_row: Places
    """The queries' numbers by ascending row."""
    trigrams: Hashes
    """Query and 3-gram in one number, ascending: who has which."""
    commonness: npt.NDArray[np.int32]
    """Of each of `trigrams`: how many queries of its benchmark have it. The more have it, the less it says."""
    weight: npt.NDArray[np.float64]
    """Of each query: how much its 3-grams say, 1 through the commonness of each."""
    own: ShortHashes
    """All queries' shingles."""
    own_ends: Places
    is_telling: npt.NDArray[np.bool_]
    """Of each shingle: whether it is a sign of its query, and not the form of many."""
    due_telling: Places
    """Of each query: how many telling shingles a text must hold."""
    rare: Postings
    """The rarest telling shingles of each query."""
    needed: Places
    """Of each query: how many of `rare` a text must hold to be worth counting."""
    runs: Postings
    """The 13-grams."""


def spread(values: Places, starts: Places, ends: Places) -> tuple[Places, Places]:
    """Return each value as often as its range is long, and beside it the numbers of the range."""
    lengths = ends - starts
    before = np.cumsum(lengths) - lengths
    within = np.arange(int(lengths.sum())) - np.repeat(before, lengths)
    return np.repeat(values, lengths), np.repeat(starts, lengths) + within


def index_of(signatures: Sequence[Signature], shingles: int, similarity: float) -> Index:
    """Return the index of these benchmarks, for shingles of 3 or 5 words. Their order says nothing."""
    signatures = sorted(signatures, key=lambda signature: signature.name)
    tables = [signature.table for signature in signatures]
    benchmarks = np.repeat(np.arange(len(tables), dtype=np.int32), [table.num_rows for table in tables])
    rows = _flat(tables, "row").astype(np.uint64)
    trigrams, trigram_ends = _lists(tables, "grams3")
    commonness = common_trigrams = _commonness(trigrams, trigram_ends, benchmarks)
    own, own_ends = (trigrams, trigram_ends) if shingles == 3 else _lists(tables, f"grams{shingles}")
    if shingles != 3:
        commonness = _commonness(own, own_ends, benchmarks)
    is_telling = _are_telling(commonness, own_ends, benchmarks, _FORM_SHARE)
    due_telling = due_shingles(np.bincount(owners(own_ends)[is_telling], minlength=len(rows)), similarity)
    rare, needed = _rarest(own, own_ends, np.where(is_telling, commonness, 0), due_telling)
    return Index(
        names=tuple(signature.name for signature in signatures),
        shingles=shingles,
        similarity=similarity,
        benchmarks=benchmarks,
        rows=rows,
        words=_flat(tables, "words").astype(np.int32),
        by_row=np.argsort(rows, kind="stable"),
        trigrams=keys_of(owners(trigram_ends), trigrams),
        commonness=common_trigrams,
        weight=np.bincount(owners(trigram_ends), 1 / common_trigrams, minlength=len(rows)).astype(np.float64),
        own=own,
        own_ends=own_ends,
        is_telling=is_telling,
        due_telling=due_telling,
        rare=rare,
        needed=needed,
        runs=_runs(*_lists(tables, f"grams{SHORTEST}"), benchmarks),
    )


def keys_of(texts: Places, hashes: ShortHashes) -> Hashes:
    """Return the number of a text, or a query, and the hash of one of its grams in one number."""
    return texts.astype(np.uint64) << np.uint64(32) | hashes


def owners(ends: Places) -> Places:
    """Return, for lists that lie flat one after the other, which one each element belongs to."""
    return np.repeat(np.arange(len(ends) - 1), np.diff(ends))


def _flat(tables: Sequence[pa.Table], column: str) -> npt.NDArray[Any]:
    return np.concatenate([table.column(column).to_numpy() for table in tables] or [np.empty(0, np.uint64)])


def _lists(tables: Sequence[pa.Table], column: str) -> tuple[ShortHashes, Places]:
    """Return the elements of all lists, and where each list begins, and the end of all."""
    chunks = [chunk for table in tables for chunk in table.column(column).chunks]
    lengths = [chunk.value_lengths().to_numpy() for chunk in chunks]
    values = [chunk.flatten().to_numpy() for chunk in chunks]
    ends = np.concatenate([[0], *lengths]).cumsum().astype(np.int64)
    return np.concatenate([np.empty(0, np.uint32), *values]), ends


def _runs(hashes: ShortHashes, ends: Places, benchmarks: npt.NDArray[np.int32]) -> Postings:
    """Return who has which 13-gram, without those that are a benchmark's form."""
    queries = owners(ends)
    places = np.arange(len(hashes)) - ends[queries]
    is_telling = _are_telling(_commonness(hashes, ends, benchmarks), ends, benchmarks, 0.0)
    return _postings(hashes[is_telling], queries[is_telling], places[is_telling])


def _are_telling(
    commonness: npt.NDArray[np.int32], ends: Places, benchmarks: npt.NDArray[np.int32], share: float
) -> npt.NDArray[np.bool_]:
    """Return whether each gram is a sign of its query, and not the form of many queries of its benchmark."""
    most = np.maximum(_FORM, np.bincount(benchmarks) * share)
    is_telling: npt.NDArray[np.bool_] = commonness <= most[benchmarks[owners(ends)]]
    return is_telling


def _commonness(hashes: ShortHashes, ends: Places, benchmarks: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return how often each gram stands in the queries of its benchmark."""
    counts = np.empty(len(hashes), np.int32)
    firsts = np.searchsorted(benchmarks, np.arange(int(benchmarks.max(initial=-1)) + 2))
    for first, last in pairwise(ends[firsts].tolist()):
        order = _ascending(hashes[first:last])
        begins = _beginnings(hashes[first:last][order])
        lengths = np.diff(begins, append=len(order)).astype(np.int32)
        counts[first + order] = np.repeat(lengths, lengths)
    return counts


def _rarest(own: ShortHashes, ends: Places, commonness: npt.NDArray[np.int32], due: Places) -> tuple[Postings, Places]:
    """Return who has which of its rarest telling shingles, and how many of them a text must hold at least.

    `commonness` is 0 for those that are not telling. A text that holds `due` of a query's telling shingles holds
    `needed` of any that are more than the others by as many.
    """
    is_telling = commonness > 0
    own, queries, commonness = own[is_telling], owners(ends)[is_telling], commonness[is_telling]
    lengths = np.bincount(queries, minlength=len(due))
    order = _ascending(queries << 8 | np.minimum(commonness, 255))
    needed = np.minimum(_SUPPORT, due)
    ranks = np.arange(len(own)) - (np.cumsum(lengths) - lengths)[queries]
    order = np.sort(order[ranks < (lengths - due + needed)[queries]])
    return _postings(own[order], queries[order], np.zeros(len(order), np.int64)), needed


def due_shingles(lengths: Places, similarity: float) -> Places:
    """Return how many of its shingles a text must hold of a query that has so many; one at least."""
    due: Places = np.maximum(1, np.ceil(lengths * similarity - 1e-9)).astype(np.int64)
    return due


def _postings(hashes: ShortHashes, queries: Places, places: Places) -> Postings:
    order = _ascending(hashes)  # the queries ascend, and the places of each
    hashes = hashes[order]
    firsts = _beginnings(hashes)
    distinct = hashes[firsts]
    is_there = np.zeros(1 << _BITS, np.bool_)
    is_there[distinct >> np.uint32(32 - _BITS)] = True
    return Postings(
        hashes=distinct,
        starts=np.append(firsts, len(hashes)).astype(np.int64),
        queries=queries[order].astype(np.int32),
        places=places[order].astype(np.int32),
        is_there=is_there,
    )


def _ascending(numbers: npt.NDArray[Any]) -> Places:
    """Return the order that sorts numbers of 32 bits, equal ones as they stand: ten times quicker than `argsort`."""
    keys = numbers.astype(np.uint64) << np.uint64(32) | np.arange(len(numbers), dtype=np.uint64)
    return (np.sort(keys) & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _beginnings(hashes: ShortHashes) -> Places:
    """Return where each run of equal hashes begins."""
    is_new = np.ones(len(hashes), np.bool_)
    is_new[1:] = hashes[1:] != hashes[:-1]
    return np.flatnonzero(is_new)
