"""Rows compared with benchmarks: the strongest sign of each row, and what follows from it."""

from collections.abc import Iterator
from enum import StrEnum
from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.curation.contamination.index import Index
from pipelines.curation.contamination.matching import Likeness, exact_hits, hits_of
from pipelines.curation.contamination.normalising import words_of

_CHUNK_BYTES = 1 << 20
"""Bytes of text that are compared at a time. Larger chunks leave the processor's cache, and take twice the time."""


class Tier(StrEnum):
    """What a hit means for its row."""

    DROP = "drop"
    """The row's query is a query of the benchmark, or holds a third of one as it stands."""
    MARK = "mark"
    """The row's query holds many of a benchmark's shingles, or only a response holds a query."""


HITS = pl.Schema(
    {"row": pl.Int64, "tier": pl.String, "benchmark": pl.String, "benchmark_row": pl.String, "overlap": pl.Float64}
)


def compared(index: Index, queries: pa.ListArray, responses: pa.ListArray, own: str = "") -> pl.DataFrame:
    """Return the columns of HITS: the strongest hit of each row that has any, the rows ascending.

    `queries[i]` are the messages of row i, `responses[i]` its responses; both are lists of texts. Of equally strong
    hits the first by benchmark and row hash stands. Those of the benchmark `own` count for nothing.
    """
    frames = [HITS.to_frame()]
    for start, end in _chunks(queries, responses):
        part = _compared(index, queries[start:end], responses[start:end], own)
        frames.append(part.with_columns(pl.col("row") + start))
    return pl.concat(frames)


def _chunks(*columns: pa.ListArray) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows with about as many bytes each; a row with more is a range of its own."""
    sizes = sum((_bytes_of(column) for column in columns), np.zeros(len(columns[0]), np.int64))
    chunks = (np.cumsum(sizes) - sizes) // _CHUNK_BYTES
    starts = np.flatnonzero(np.diff(chunks, prepend=-1)).tolist()
    yield from pairwise([*starts, len(sizes)])


def _bytes_of(column: pa.ListArray) -> np.ndarray:
    texts, ends = _flat(column)
    return np.diff(np.concatenate([[0], np.cumsum(texts.str.len_bytes().fill_null(0).to_numpy())])[ends])


def _flat(column: pa.ListArray) -> tuple[pl.Series, np.ndarray]:
    """Return all texts of the lists, and where each list begins among them, and the end of all."""
    lengths = column.value_lengths().fill_null(0).to_numpy()
    return pl.Series("texts", column.flatten(), dtype=pl.String), np.concatenate([[0], lengths]).cumsum()


def _compared(index: Index, queries: pa.ListArray, responses: pa.ListArray, own: str) -> pl.DataFrame:
    messages, ends = _flat(queries)
    words = words_of(messages)
    frames = [_of_rows(hits_of(index, words.joined(ends)), np.arange(len(queries)), is_query=True)]
    if len(messages) > len(queries):  # one message of a conversation may be all of a benchmark's query
        frames.append(_of_rows(exact_hits(index, words), _owners(ends), is_query=True))
    answers, ends = _flat(responses)
    frames.append(_of_rows(hits_of(index, words_of(answers)), _owners(ends), is_query=False))
    hits = pl.concat(frames)
    numbers = hits["query"].to_numpy()
    names = pl.Series(index.names, dtype=pl.String).gather(index.benchmarks[numbers])
    rows = pl.Series([f"{row:016x}" for row in index.rows[numbers].tolist()], dtype=pl.String)
    hits = hits.with_columns(benchmark=names, benchmark_row=rows).select(HITS.names())
    hits = hits.filter(pl.col("benchmark") != own)
    order = ["row", "tier", "overlap", "benchmark", "benchmark_row"]  # drop stands before mark by its letters, too
    return hits.sort(order, descending=[False, False, True, False, False]).unique("row", keep="first").sort("row")


def _owners(ends: np.ndarray) -> np.ndarray:
    return np.repeat(np.arange(len(ends) - 1), np.diff(ends))


def _of_rows(hits: pl.DataFrame, owners: np.ndarray, *, is_query: bool) -> pl.DataFrame:
    """Return the hits with their row and tier; `owners` is the row of each text."""
    is_drop = (pl.col("likeness") >= Likeness.RUNS) & pl.lit(is_query)
    return hits.with_columns(
        row=pl.Series(owners[hits["text"].to_numpy()], dtype=pl.Int64),
        tier=pl.when(is_drop).then(pl.lit(Tier.DROP.value)).otherwise(pl.lit(Tier.MARK.value)),
    ).drop("text")
