"""Candidates as the leak probe's classifier takes them: sparse columns of bins, tokens, authors and n-grams.

How numbers become columns is learnt from a sample of candidates and never from their labels, so that it may serve
further candidates and every fold alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.curation.leak_features import (
    AUTHOR,
    MARKERS,
    NGRAM_COLUMNS,
    NGRAMS,
    hashed_ngrams,
    relative,
    surface,
    tokens,
)

FOLDS = 5
NGRAM_CHARACTERS = 1_200_000
"""Of all texts together: they take 10 to 20 bytes of memory each."""
_MOST_OF_A_TEXT, _LEAST_OF_A_TEXT = 1_500, 30
_BINS = 8
_AUTHORS = _TOKENS = 40
_NGRAM_WEIGHT = 6.0
"""Length of each row of n-grams; a row of binned features has one of about 5."""
_CHUNK = 4_096

Numbers = npt.NDArray[np.float64]
Sparse = Any
"""scipy.sparse.csr_array; the package is imported where it is needed."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Candidates as the probe sees them; one row each."""

    rows: pl.DataFrame
    """group, cluster, right, fold."""
    ranked: bool
    """Whether each group has right and wrong ones to tell apart; single responses are told apart across groups."""
    features: Mapping[str, Sparse]


@dataclass(frozen=True, slots=True)
class Encoding:
    """How numbers become columns: learnt from the candidates without their labels."""

    ranked: bool
    edges: Mapping[str, Numbers]
    authors: tuple[str, ...]
    tokens: tuple[str, ...]
    ngram_characters: int
    """Of a text."""


def fold_of(clusters: pl.Expr) -> pl.Expr:
    """Return the fold of each cluster: by its id, which is a hash, so that other rows have no say in it."""
    return (clusters.str.slice(8, 8).str.to_integer(base=16) % FOLDS).cast(pl.Int64)


def encoded(candidates: pl.DataFrame, ranked: bool) -> tuple[Encoding, Panel]:
    """Return the encoding that these candidates, at most some ten thousands, give, and themselves in it."""
    numbers = _numbers(candidates, ranked)
    encoding = Encoding(
        ranked,
        {name: _edges(numbers[name].to_numpy()) for name in numbers.columns},
        _commonest(candidates["author"].drop_nulls(), _AUTHORS),
        _commonest(tokens(candidates)["token"], _TOKENS),
        min(_MOST_OF_A_TEXT, max(_LEAST_OF_A_TEXT, NGRAM_CHARACTERS // max(1, candidates.height))),
    )
    return encoding, _panel(candidates, numbers, encoding)


def _commonest(values: pl.Series, most: int) -> tuple[str, ...]:
    counts = values.alias("value").value_counts().sort("count", "value", descending=[True, False])
    return tuple(counts["value"].head(most))


def panel_of(candidates: pl.DataFrame, encoding: Encoding) -> Panel:
    """Return further candidates in an encoding."""
    return _panel(candidates, _numbers(candidates, encoding.ranked), encoding)


def _numbers(candidates: pl.DataFrame, ranked: bool) -> pl.DataFrame:
    features = surface(candidates)
    return features.hstack(relative(features, candidates["group"])) if ranked else features


def _edges(values: Numbers) -> Numbers:
    """Return where bins end: around zero, and at quantiles of the rest, so that rare marks have bins of their own."""
    rest = values[values != 0]
    quantiles = np.quantile(rest, np.linspace(0, 1, _BINS + 1)[1:-1], method="lower") if rest.size else rest
    return np.unique(np.concatenate([quantiles, [-1e-9, 0.0]]))


def _panel(candidates: pl.DataFrame, numbers: pl.DataFrame, encoding: Encoding) -> Panel:
    """Return candidates with each feature in sparse columns of its own."""
    from scipy import sparse

    binned: dict[str, list[Sparse]] = {}
    for name, edges in encoding.edges.items():
        bins = np.searchsorted(edges, numbers[name].to_numpy(), side="left")
        # Most counts are zero, and what most rows have needs no column.
        columns = _one_hot(bins, len(edges) + 1, int(np.searchsorted(edges, 0.0, side="left")))
        binned.setdefault(name.split(".")[0], []).append(columns)
    binned[MARKERS].append(_token_columns(candidates, encoding.tokens))
    features = {name: sparse.hstack(columns, format="csr") for name, columns in binned.items()}
    numbered = {author: number for number, author in enumerate(encoding.authors)}
    others = len(numbered)
    authors = np.array([numbered.get(author, others) for author in candidates["author"]], np.int64)
    features[AUTHOR] = _one_hot(authors, others + 1, others)
    features[NGRAMS] = _ngrams(candidates["text"].to_list(), encoding.ngram_characters)
    rows = candidates.select("group", "cluster", "right", fold=fold_of(pl.col("cluster")))
    return Panel(rows, encoding.ranked, features)


def _one_hot(values: npt.NDArray[np.int64], width: int, blank: int) -> Sparse:
    """Return a column for each value; rows of the value `blank` have none."""
    from scipy import sparse

    rows = np.flatnonzero(values != blank)
    ones = np.ones(len(rows), np.float32)
    return sparse.csr_array((ones, (rows, values[rows])), shape=(len(values), width))


def _token_columns(candidates: pl.DataFrame, known: Sequence[str]) -> Sparse:
    """Return a column for each known token, of the texts that have it."""
    from scipy import sparse

    numbered = {token: number for number, token in enumerate(known)}
    found = [(row, numbered[token]) for row, token in tokens(candidates).iter_rows() if token in numbered]
    rows, columns = np.array(found, np.int64).reshape(-1, 2).T
    ones = np.ones(len(rows), np.float32)
    return sparse.csr_array((ones, (rows, columns)), shape=(candidates.height, len(known)))


def _ngrams(texts: Sequence[str], most: int) -> Sparse:
    """Return the logarithms of the n-grams' counts, each row scaled to one length."""
    from scipy import sparse

    chunks = []
    for start in range(0, len(texts), _CHUNK):
        chunk = texts[start : start + _CHUNK]
        rows, columns = hashed_ngrams(list(chunk), most)
        counts = sparse.csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape=(len(chunk), NGRAM_COLUMNS))
        counts.sum_duplicates()
        counts.data = np.log1p(counts.data)
        lengths = np.sqrt(np.bincount(np.repeat(np.arange(len(chunk)), np.diff(counts.indptr)), counts.data**2))
        lengths = np.pad(lengths, (0, len(chunk) - len(lengths)))
        counts.data *= np.repeat(_NGRAM_WEIGHT / np.maximum(lengths, 1e-9), np.diff(counts.indptr)).astype(np.float32)
        chunks.append(counts)
    return sparse.vstack(chunks, format="csr") if chunks else sparse.csr_array((0, NGRAM_COLUMNS), dtype=np.float32)
