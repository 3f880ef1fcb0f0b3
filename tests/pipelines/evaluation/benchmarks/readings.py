"""What the tests of the benchmarks share: small files read as an evaluation reads them, and votes written by hand."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.evaluation.benchmarks.benchmark import Benchmark
from pipelines.evaluation.benchmarks.registry import BENCHMARKS
from schemas.evaluation import Protocol, Row
from schemas.preference import UnreadableRow

NAN = float("nan")


def written(directory: Path, items: Iterable[Any], name: str = "rows.json") -> Path:
    """Write items as one JSON list, and return the file."""
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(items)), "utf-8")
    return path


def read(path: Path, kind: str, **keys: Any) -> list[Row | UnreadableRow]:
    """Return everything that a benchmark reads from a local path."""
    benchmark = BENCHMARKS[kind]
    section = benchmark.section.model_validate({"kind": kind, "path": str(path), **keys})
    return [row for files in benchmark.open(section, Path("unused")) for row in benchmark.read(section, files)]


def rows_of(directory: Path, kind: str, items: Iterable[Any], name: str = "rows.json", **keys: Any) -> list[Row]:
    """Return the rows of these items, each of which must be readable."""
    found = read(written(directory, items, name), kind, **keys)
    assert not [row for row in found if isinstance(row, UnreadableRow)], found
    return [row for row in found if isinstance(row, Row)]


def reason_of(directory: Path, kind: str, item: Any, name: str = "rows.json", **keys: Any) -> str | None:
    """Return why this item is unreadable; None where it is a row."""
    (found,) = read(written(directory, [item], name), kind, **keys)
    return found.reason if isinstance(found, UnreadableRow) else None


def votes_of(by_row: Sequence[Sequence[Sequence[float]]]) -> np.ndarray:
    """Return votes with one draw, [rows, 1, prompts, shown], of a list of prompts for each row."""
    return np.array(by_row, dtype=np.float32)[:, None]


def cells_of(
    kind: str,
    rows: Sequence[Row],
    by_row: Sequence[Sequence[Sequence[float]]],
    protocol: Protocol,
) -> list[list[float]]:
    """Return the cells of each row for these votes, by the benchmark's own names of them."""
    cells = BENCHMARKS[kind].score(rows, votes_of(by_row), protocol)
    return [[round(float(value), 6) for value in row] for row in cells[:, 0]]


def rights(
    kind: str, rows: Sequence[Row], by_row: Sequence[Sequence[Sequence[float]]], protocol: Protocol
) -> list[float]:
    """Return the first cell of each row."""
    return [cells[0] for cells in cells_of(kind, rows, by_row, protocol)]


def figures_of(
    benchmark: Benchmark, means: Mapping[str, Sequence[float]], counts: Mapping[str, int]
) -> dict[str, float]:
    """Return the published figures of these means of each subset's cells."""
    array = np.array([means[subset] for subset in counts], dtype=float)
    return {name: round(float(value), 6) for name, value in benchmark.figures(counts, array).items()}


def whole_counts(benchmark: Benchmark, unknown: int = 7) -> dict[str, int]:
    """Return as many rows of each subset as published."""
    return {subset: unknown if rows is None else rows for subset, rows in benchmark.whole.items()}


def counts_of(rows: Sequence[Row]) -> dict[str, int]:
    return dict(Counter(row.subset for row in rows))
