"""What an evaluation found, as the columns of its tables."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from pipelines.evaluation.accuracy import Figure
from pipelines.evaluation.arrays import Floats
from pipelines.evaluation.curves import VOTING, Rows
from pipelines.evaluation.prompts import set_of
from pipelines.evaluation.reading import ReadBenchmark
from schemas.evaluation import CREDITS, FIGURES, ITEMS, Protocol
from schemas.query import query_id
from schemas.tables import table_of


def figures_table(benchmark: str, protocol: Protocol, figures: Sequence[Figure]) -> pa.Table:
    """Return the figures of a benchmark."""
    own = {"benchmark": [benchmark] * len(figures), "protocol": [protocol.value] * len(figures)}
    return table_of(FIGURES, figures, own)


def credits_table(read: ReadBenchmark, cells: Mapping[tuple[str, int], Floats], clusters: Sequence[str]) -> pa.Table:
    """Return what each item contributes, by selector and k."""
    items = [row.row_id for row in read.rows]
    parts = []
    for (selector, k), values in cells.items():
        offsets = np.arange(0, values.size + 1, values.shape[1], dtype=np.int32)
        columns = {
            "benchmark": pa.repeat(read.title, len(items)),
            "item_id": pa.array(items),
            "cluster": pa.array(clusters),
            "selector": pa.repeat(selector, len(items)),
            "k": pa.repeat(pa.scalar(k, pa.int32()), len(items)),
            "cells": pa.ListArray.from_arrays(offsets, pa.array(values.ravel())),
        }
        parts.append(pa.table(columns).cast(CREDITS))
    return pa.concat_tables([CREDITS.empty_table(), *parts])


def items_table(
    rows: Rows,
    benchmark: str,
    clusters: Sequence[str],
    readable: Floats,
    cells: Mapping[tuple[str, int], Floats],
    greedy: Floats | None,
) -> pa.Table:
    """Return the items with what the judge made of them. `readable` is [rows, (readable, paid)]."""
    own = {
        "benchmark": [benchmark] * len(rows.rows),
        "item_id": [row.row_id for row in rows.rows],
        "set_id": [set_of(row, range(len(row.responses)), benchmark).set_id for row in rows.rows],
        "query_id": [query_id(row.query) for row in rows.rows],
        "cluster": clusters,
        "responses": [[response.text for response in row.responses] for row in rows.rows],
        "samples": readable[:, 1].astype(int).tolist(),
        "readable": readable[:, 0].astype(int).tolist(),
        "votes": _votes(rows),
        "right_at_1": _credits(rows, cells.get((VOTING, 1))),
        "right_at_max": _credits(rows, cells.get((VOTING, rows.samples))),
        "right_greedy": _credits(rows, greedy),
    }
    return table_of(ITEMS, rows.rows, own)


def _credits(rows: Rows, cells: Floats | None) -> list[float | None]:
    """Return how right each row is; None where that is not known."""
    if cells is None:
        return [None] * len(rows.rows)
    credits: list[float | None] = cells[:, 0].tolist()
    return credits


def _votes(rows: Rows) -> list[list[float | None] | None]:
    """Return the mean of the readable scores of each row's responses, None for a response without any.

    None for a row where its prompts show parts of it, or nothing can be read.
    """
    votes: list[list[float | None] | None] = [None] * len(rows.rows)
    if rows.protocol is Protocol.PAIRS:
        return votes
    axes = (2, 3) if rows.protocol is Protocol.SINGLE else (1, 2)
    for pool in rows.pools:
        counts = (~np.isnan(pool.scores)).sum(axis=axes)
        sums = np.nan_to_num(pool.scores).sum(axis=axes, dtype=np.float64)
        for number, row_sums, row_counts in zip(pool.rows, sums.tolist(), counts.tolist(), strict=True):
            if any(row_counts):
                both = zip(row_sums, row_counts, strict=True)
                votes[number] = [total / count if count else None for total, count in both]
    return votes
