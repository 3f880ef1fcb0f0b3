"""Which texts hold which queries of benchmarks: exactly, by runs of 13 words, or by their shingles.

Hashes of 32 bits meet by chance. Of 100,000 rows of 1,000 words, compared with the 2.5 million 13-grams of 50,000
queries, about 60,000 grams do (10^8 * 2.5*10^6 / 2^32). A 13-gram counts only where the query also has the first,
the middle and the last three of its words as 3-grams. Of everyday 3-grams a query has one in a hundred at most, so
about 0.06 of these 60,000 would pass; and one passing run still has to be a third of its query. No row is dropped by
chance. A shingle that meets by chance adds one to a count that must reach half of a query's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.curation.contamination.index import Index, due_shingles, keys_of, spread
from pipelines.curation.contamination.normalising import (
    Grams,
    Hashes,
    Places,
    ShortHashes,
    Words,
    grams_of,
    whole_hashes,
)
from pipelines.curation.contamination.signatures import SHORTEST

COVERED = 1 / 3
"""Share of a query's words under 13-grams that a text has, too, from which the text holds the query."""
_WITNESSES = (0, 5, 10)  # 3-grams of a 13-gram that share no word
_PART = 0.9
"""Share of a text's own shingles that are one query's, from which the text is a part of the query and little else."""
_PART_OF_QUERY = 0.25
_PART_SHINGLES = 8
"""Of the query's shingles, the share that such a part has at least, and how many it has."""
_COUNTED = 1 << 20
"""Shingles that are counted at a time."""


NO_HITS = pl.DataFrame(schema={"text": pl.Int64, "query": pl.Int64, "likeness": pl.Int8, "overlap": pl.Float64})


class Likeness(IntEnum):
    """How a text holds a query, the weakest first."""

    SHINGLES = 0
    RUNS = 1
    EXACT = 2


def hits_of(index: Index, words: Words) -> pl.DataFrame:
    """Return text, query (its number in the index), likeness and overlap of each text that holds a query.

    The overlap is 1 for an exact copy, the share of the query's words under common runs of 13 words, or the share of
    its shingles. Each pair of a text and a query stands there once, by its strongest likeness.
    """
    found = pl.concat([exact_hits(index, words), *(part(index, words) for part in (_run_hits, _shingle_hits))])
    order = ["text", "query", "likeness"]
    return found.sort(order, descending=[False, False, True]).unique(
        ["text", "query"], keep="first", maintain_order=True
    )


def exact_hits(index: Index, words: Words) -> pl.DataFrame:
    """Return what `hits_of` does, of exact copies alone."""
    wholes = whole_hashes(words)
    rows = index.rows[index.by_row]
    texts, places = spread(
        np.arange(len(wholes)), np.searchsorted(rows, wholes), np.searchsorted(rows, wholes, side="right")
    )
    return _frame(texts, index.by_row[places], Likeness.EXACT, np.ones(len(texts)))


def _run_hits(index: Index, words: Words) -> pl.DataFrame:
    """Return the texts that share runs of 13 words with a query: a third of its words, or nearly all of their own."""
    runs = grams_of(words, SHORTEST)
    grams, postings = index.runs.found(runs.hashes)
    texts, queries = runs.texts[grams], index.runs.queries[postings].astype(np.int64)
    is_true = _are_witnessed(index, words.hashes, words.ends[texts] + runs.places[grams], queries)
    firsts = (words.ends[texts] + runs.places[grams])[is_true]
    texts, queries, places = texts[is_true], queries[is_true], index.runs.places[postings][is_true]
    order = np.lexsort((places, queries, texts))
    texts, queries, places, firsts = texts[order], queries[order], places[order].astype(np.int64), firsts[order]
    begins = _changes(texts, queries)
    covered = np.minimum(SHORTEST, np.diff(places, append=0))  # of each run, up to where the next one begins
    covered[np.append(begins[1:], len(texts))[: len(begins)] - 1] = SHORTEST
    trigrams, weights = _covered_weights(index, words.hashes, firsts, covered, queries, begins)
    texts, queries = texts[begins], queries[begins]
    counts = np.add.reduceat(covered, begins) if len(begins) else covered
    shares = counts / index.words[queries]
    is_held, is_part = shares >= COVERED, counts >= _PART * words.counts[texts]
    # Runs that say as much as the rest of their query are never too little, though their ends break a few 3-grams.
    says_enough = weights >= np.minimum(COVERED, trigrams / (index.words[queries] - 2)) * index.weight[queries]
    likeness = np.where(is_held & says_enough, Likeness.RUNS, Likeness.SHINGLES)[is_held | is_part]
    return _frame(texts[is_held | is_part], queries[is_held | is_part], likeness, shares[is_held | is_part])


def _are_witnessed(index: Index, hashes: Hashes, firsts: Places, queries: Places) -> npt.NDArray[np.bool_]:
    """Return whether the query of each run has the run's 3-grams, too. `firsts` are places in the texts' hashes."""
    is_true = np.ones(len(firsts), np.bool_)
    for witness in _WITNESSES:
        is_true &= _is_in(index.trigrams, keys_of(queries, _trigrams_at(hashes, firsts + witness)))
    return is_true


def _covered_weights(
    index: Index, hashes: Hashes, firsts: Places, covered: Places, queries: Places, begins: Places
) -> tuple[Places, npt.NDArray[np.float64]]:
    """Return how many of a query's 3-grams the runs have that each text shares with it, and how much these say of it.

    What many queries of a benchmark share ("enter your answer in the form") says little, however long it is. A pair of
    a text and a query begins at each of `begins`; `firsts` are places in the texts' hashes.
    """
    runs, places = spread(np.arange(len(firsts)), firsts, firsts + np.minimum(covered, SHORTEST - 2))
    trigrams = _trigrams_at(hashes, places)
    pairs = np.searchsorted(begins, runs, side="right") - 1
    _, once = np.unique(keys_of(pairs, trigrams), return_index=True)
    keys = keys_of(queries[runs[once]], trigrams[once])
    known = np.minimum(np.searchsorted(index.trigrams, keys), max(0, len(index.trigrams) - 1))
    weights = (index.trigrams[known] == keys) / index.commonness[known]
    sums: npt.NDArray[np.float64] = np.bincount(pairs[once], weights, minlength=len(begins)).astype(np.float64)
    return np.bincount(pairs[once], minlength=len(begins)).astype(np.int64), sums


def _trigrams_at(hashes: Hashes, firsts: Places) -> ShortHashes:
    """Return the 3-gram that begins at each of these places in the texts' hashes."""
    three = hashes[firsts[:, None] + np.arange(3)]
    return grams_of(Words(three.ravel(), np.arange(len(firsts) + 1) * 3), 3).hashes


def _shingle_hits(index: Index, words: Words) -> pl.DataFrame:
    """Return the texts that hold enough of a query's shingles, and of its telling ones, close to each other."""
    shingles = grams_of(words, index.shingles)
    texts, queries = _worth_counting(index, shingles)
    has_pair = np.zeros(len(words.counts), np.bool_)
    has_pair[texts] = True
    is_held = has_pair[shingles.texts]
    keys = keys_of(shingles.texts[is_held], shingles.hashes[is_held])
    order = np.argsort(keys, kind="stable")
    held = _Held(keys[order], shingles.places[is_held][order])
    hits = [NO_HITS]
    for part in _parts(np.diff(index.own_ends)[queries]):
        hits += _counted(index, held, texts[part], queries[part])
    return pl.concat(hits)


def _worth_counting(index: Index, shingles: Grams) -> tuple[Places, Places]:
    """Return the pairs of a text and a query of which the text has enough of the rarest shingles."""
    grams, postings = index.rare.found(shingles.hashes)
    n_queries = max(1, len(index.rows))
    pairs, kinds = np.unique(shingles.texts[grams] * n_queries + index.rare.queries[postings], return_inverse=True)
    once = np.unique(keys_of(kinds, shingles.hashes[grams]))  # what a text says twice is one
    support = np.bincount((once >> np.uint64(32)).astype(np.int64), minlength=len(pairs))
    texts, queries = np.divmod(pairs, n_queries)
    is_enough = support >= index.needed[queries]
    return texts[is_enough], queries[is_enough]


@dataclass(frozen=True, slots=True)
class _Held:
    """The shingles of texts: text and hash in one number, ascending, and the place of each in its text."""

    keys: Hashes
    places: Places


def _counted(index: Index, held: _Held, texts: Places, queries: Places) -> Iterator[pl.DataFrame]:
    """Yield the hits among these pairs of a text and a query: first those that hold enough anywhere in the text.

    A long text has three words here and three there of any query, so what counts stands within a stretch of at most
    twice the query's length.
    """
    lengths = np.diff(index.own_ends)[queries]
    due, due_telling = due_shingles(lengths, index.similarity), index.due_telling[queries]
    pairs, own = spread(np.arange(len(texts)), index.own_ends[queries], index.own_ends[queries + 1])
    wanted = keys_of(texts[pairs], index.own[own])
    starts, ends = np.searchsorted(held.keys, wanted), np.searchsorted(held.keys, wanted, side="right")
    anywhere = np.bincount(pairs[ends > starts], minlength=len(texts))
    yield _parts_of_queries(held, texts, queries, anywhere, lengths)
    is_left = (anywhere >= due)[pairs] & (ends > starts)
    pairs, own, starts, ends = pairs[is_left], own[is_left], starts[is_left], ends[is_left]
    occurrences = np.bincount(pairs, ends - starts, minlength=len(texts)).astype(np.int64)
    for part in _parts(occurrences):
        first, last = np.searchsorted(pairs, [part[0], part[-1] + 1])
        which, places = spread(np.arange(first, last), starts[first:last], ends[first:last])
        stretches = held.places[places] // index.words[queries[pairs[which]]]
        counts = _most_in_stretch(pairs[which], stretches, own[which], len(texts))
        which, stretches = (column[index.is_telling[own[which]]] for column in (which, stretches))
        of_telling = _most_in_stretch(pairs[which], stretches, own[which], len(texts))
        hits = np.flatnonzero((counts >= due) & (of_telling >= due_telling))
        yield _frame(texts[hits], queries[hits], Likeness.SHINGLES, counts[hits] / lengths[hits])


def _parts_of_queries(held: _Held, texts: Places, queries: Places, counts: Places, lengths: Places) -> pl.DataFrame:
    """Return the texts that are a part of a query, and little else: the first half of one, say.

    `counts` are the shingles that a text and a query share, `lengths` those that the query has.
    """
    nothing = np.zeros(len(texts), np.uint32)
    starts, ends = (np.searchsorted(held.keys, keys_of(numbers, nothing)) for numbers in (texts, texts + 1))
    own = ends - starts
    is_part = (counts >= _PART_SHINGLES) & (counts >= lengths * _PART_OF_QUERY)
    is_part[is_part] &= counts[is_part] >= _PART * own[is_part]
    return _frame(texts[is_part], queries[is_part], Likeness.SHINGLES, counts[is_part] / lengths[is_part])


def _most_in_stretch(pairs: Places, stretches: Places, shingles: Places, n: int) -> Places:
    """Return, for each of n pairs, the most shingles that any two neighbouring stretches of its text hold."""
    pairs, stretches, shingles = (
        np.concatenate([column, other])
        for column, other in ((pairs, pairs), (stretches, stretches - 1), (shingles,) * 2)
    )
    order = np.lexsort((shingles, stretches, pairs))
    pairs, stretches, shingles = pairs[order], stretches[order], shingles[order]
    begins = _changes(pairs, stretches, shingles)
    pairs, stretches = pairs[begins], stretches[begins]
    begins = _changes(pairs, stretches)
    most = np.zeros(n, np.int64)
    np.maximum.at(most, pairs[begins], np.diff(begins, append=len(pairs)))
    return most


def _changes(*columns: Places) -> Places:
    """Return the places where any of these columns has another value than before, the first place among them."""
    is_new = np.ones(len(columns[0]), np.bool_)
    is_new[1:] = np.any([np.diff(column) != 0 for column in columns], axis=0)
    return np.flatnonzero(is_new)


def _parts(lengths: Places) -> Iterator[Places]:
    """Yield the numbers of lists, so many at a time that about `_COUNTED` elements are looked at."""
    ends = np.cumsum(lengths)
    groups = ends // _COUNTED
    for group in np.unique(groups):
        yield np.flatnonzero(groups == group)


def _is_in(known: Hashes, keys: Hashes) -> npt.NDArray[np.bool_]:
    """Return whether each key is among ascending ones."""
    if not len(known):
        return np.zeros(len(keys), np.bool_)
    is_known: npt.NDArray[np.bool_] = known[np.minimum(np.searchsorted(known, keys), len(known) - 1)] == keys
    return is_known


def _frame(
    texts: Places, queries: Places, likeness: Likeness | npt.NDArray[np.int64], overlap: npt.NDArray[np.float64]
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "text": texts.astype(np.int64),
            "query": queries.astype(np.int64),
            "likeness": np.broadcast_to(np.asarray(likeness, np.int8), len(texts)).copy(),
            "overlap": overlap.astype(np.float64),
        }
    )
