"""The queries of benchmarks, laid out so that a text's grams find those that it may hold.

Containment asks how many of a query's grams a text holds. If it holds a share s of them, then it holds some of any
1 - s of them: so only the rarest grams of each query are looked up, and the few queries that these find are counted
exactly. What everybody writes ("what is the") is looked up for no query that has anything rarer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.curation.contamination.normalising import Hashes, Places, ShortHashes
from pipelines.curation.contamination.signatures import SHORTEST, Signature

_FORM = 10
"""A 13-gram of more queries of one benchmark is the benchmark's form (an instruction that each query repeats), and no
sign of any of them: without this rule, all rows of the same form would be dropped."""
_COMMON = 200
"""Queries that share a shingle at most, if it is to find any of them."""
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
    own: ShortHashes
    """All queries' shingles."""
    own_ends: Places
    rare: Postings
    """The rarest shingles of each query."""
    needed: npt.NDArray[np.int32]
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
    rows, words = (_flat(tables, column) for column in ("row", "words"))
    trigrams, trigram_ends = _lists(tables, "grams3")
    own, own_ends = _lists(tables, f"grams{shingles}")
    runs, run_ends = _lists(tables, f"grams{SHORTEST}")
    rare, needed = _rarest(own, own_ends, similarity)
    return Index(
        names=tuple(signature.name for signature in signatures),
        shingles=shingles,
        similarity=similarity,
        benchmarks=benchmarks,
        rows=rows,
        words=words,
        by_row=np.argsort(rows, kind="stable"),
        trigrams=keys_of(owners(trigram_ends), trigrams),
        own=own,
        own_ends=own_ends,
        rare=rare,
        needed=needed,
        runs=_runs(runs, run_ends, benchmarks),
    )


def keys_of(texts: Places, hashes: ShortHashes) -> Hashes:
    """Return the number of a text, or a query, and the hash of one of its grams in one number."""
    return texts.astype(np.uint64) << np.uint64(32) | hashes


def owners(ends: Places) -> Places:
    """Return, for lists that lie flat one after the other, which one each element belongs to."""
    return np.repeat(np.arange(len(ends) - 1), np.diff(ends))


def _flat(tables: Sequence[pa.Table], column: str) -> npt.NDArray[np.generic]:
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
    keys = keys_of(benchmarks[queries].astype(np.int64), hashes)
    _, kinds, counts = np.unique(keys, return_inverse=True, return_counts=True)
    telling = counts[kinds] <= _FORM
    return _postings(hashes[telling], queries[telling], places[telling])


def _rarest(own: ShortHashes, ends: Places, similarity: float) -> tuple[Postings, npt.NDArray[np.int32]]:
    """Return who has which of its rarest shingles, and how many of them a text must hold at least.

    A text that holds `due` of a query's shingles holds `needed` of any that are more than the others by as many.
    """
    _, kinds, counts = np.unique(own, return_inverse=True, return_counts=True)
    queries, commonness = owners(ends), counts[kinds]
    order = np.lexsort((own, commonness, queries))
    lengths = np.diff(ends)
    due = due_shingles(lengths, similarity)
    needed = np.minimum(_SUPPORT, due)
    taken = np.arange(len(own)) - ends[queries] < (lengths - due + needed)[queries]
    order = order[taken]
    order = order[commonness[order] <= _COMMON]
    listed = np.bincount(queries[order], minlength=len(lengths))
    needed = np.maximum(1, np.minimum(needed, listed)).astype(np.int32)
    return _postings(own[order], queries[order], np.zeros(len(order), np.int64)), needed


def due_shingles(lengths: Places, similarity: float) -> Places:
    """Return how many of its shingles a text must hold of a query that has so many; one at least."""
    return np.maximum(1, np.ceil(lengths * similarity - 1e-9)).astype(np.int64)


def _postings(hashes: ShortHashes, queries: Places, places: Places) -> Postings:
    order = np.lexsort((places, queries, hashes))
    distinct, firsts = np.unique(hashes[order], return_index=True)
    is_there = np.zeros(1 << _BITS, np.bool_)
    is_there[distinct >> np.uint32(32 - _BITS)] = True
    return Postings(
        hashes=distinct,
        starts=np.append(firsts, len(hashes)).astype(np.int64),
        queries=queries[order].astype(np.int32),
        places=places[order].astype(np.int32),
        is_there=is_there,
    )
