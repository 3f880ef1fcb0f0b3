"""Which texts hold which queries of benchmarks: exactly, by runs of 13 words, or by their shingles.

Hashes of 32 bits meet by chance. Of 100,000 rows of 1,000 words, compared with the two and a half million 13-grams of
50,000 queries, about 60,000 grams do (10^8 * 2.5*10^6 / 2^32). A 13-gram counts only where the query also has the first,
the middle and the last three of its words as 3-grams. Of everyday 3-grams a query has one in a hundred at most, so
about 0.06 of these 60,000 would pass; and one passing run still has to be a third of its query. No row is dropped by
chance. A shingle that meets by chance adds one to a count that must reach half of a query's.
"""

from collections.abc import Iterator
from enum import IntEnum

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.curation.contamination.index import Index, due_shingles, keys_of, spread
from pipelines.curation.contamination.normalising import Hashes, Places, Words, grams_of, whole_hashes
from pipelines.curation.contamination.signatures import SHORTEST

COVERED = 1 / 3
"""Share of a query's words under 13-grams that a text has, too, from which the text holds the query."""
_WITNESSES = (0, 5, 10)  # 3-grams of a 13-gram that share no word
_COUNTED = 1 << 20
"""Shingles that are counted at a time."""


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
    """Return the texts that share runs of 13 words with a query, a third of its words or more."""
    runs = grams_of(words, SHORTEST)
    grams, postings = index.runs.found(runs.hashes)
    texts, queries = runs.texts[grams], index.runs.queries[postings].astype(np.int64)
    is_true = _are_witnessed(index, words.hashes, words.ends[texts] + runs.places[grams], queries)
    texts, queries, places = texts[is_true], queries[is_true], index.runs.places[postings][is_true]
    order = np.lexsort((places, queries, texts))
    texts, queries, places = texts[order], queries[order], places[order].astype(np.int64)
    begins = np.flatnonzero(np.diff(texts, prepend=-1) | np.diff(queries, prepend=-1))
    covered = np.minimum(SHORTEST, np.diff(places, append=0))  # of each run, up to where the next one begins
    covered[np.append(begins[1:], len(texts))[: len(begins)] - 1] = SHORTEST
    texts, queries = texts[begins], queries[begins]
    shares = (np.add.reduceat(covered, begins) if len(begins) else covered) / index.words[queries]
    holds = shares >= COVERED
    return _frame(texts[holds], queries[holds], Likeness.RUNS, shares[holds])


def _are_witnessed(index: Index, hashes: Hashes, firsts: Places, queries: Places) -> npt.NDArray[np.bool_]:
    """Return whether the query of each run has the run's 3-grams, too. `firsts` are places in the texts' hashes."""
    is_true = np.ones(len(firsts), np.bool_)
    for witness in _WITNESSES:
        three = hashes[(firsts + witness)[:, None] + np.arange(3)]
        trigrams = grams_of(Words(three.ravel(), np.arange(len(firsts) + 1) * 3), 3).hashes
        is_true &= _is_in(index.trigrams, keys_of(queries, trigrams))
    return is_true


def _shingle_hits(index: Index, words: Words) -> pl.DataFrame:
    """Return the texts that hold enough of a query's shingles."""
    shingles = grams_of(words, index.shingles)
    grams, postings = index.rare.found(shingles.hashes)
    n_queries = len(index.rows)
    pairs, kinds = np.unique(shingles.texts[grams] * n_queries + index.rare.queries[postings], return_inverse=True)
    once = np.unique(keys_of(kinds, shingles.hashes[grams]))  # what a text says twice is one
    support = np.bincount((once >> np.uint64(32)).astype(np.int64), minlength=len(pairs))
    pairs = pairs[support >= index.needed[pairs % max(1, n_queries)]]
    texts, queries = np.divmod(pairs, max(1, n_queries))
    held_by = np.zeros(len(words.counts), np.bool_)
    held_by[texts] = True
    wanted = held_by[shingles.texts]
    held = np.unique(keys_of(shingles.texts[wanted], shingles.hashes[wanted]))
    counts = np.zeros(len(pairs), np.int64)
    lengths = np.diff(index.own_ends)[queries]
    for part in _parts(lengths):
        numbers, places = spread(part, index.own_ends[queries[part]], index.own_ends[queries[part] + 1])
        hit = _is_in(held, keys_of(texts[numbers], index.own[places]))
        counts += np.bincount(numbers[hit], minlength=len(pairs))
    holds = counts >= due_shingles(lengths, index.similarity)
    return _frame(texts[holds], queries[holds], Likeness.SHINGLES, counts[holds] / lengths[holds])


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
    return known[np.minimum(np.searchsorted(known, keys), len(known) - 1)] == keys


def _frame(texts: Places, queries: Places, likeness: Likeness, overlap: npt.NDArray[np.float64]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "text": texts.astype(np.int64),
            "query": queries.astype(np.int64),
            "likeness": np.full(len(texts), likeness, np.int8),
            "overlap": overlap.astype(np.float64),
        }
    )
