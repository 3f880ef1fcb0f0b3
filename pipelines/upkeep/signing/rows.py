"""Rows of any file that a benchmark is published in: what sources read, CSV, and JSON whose rows have keys."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.sources.files import SourceFiles
from pipelines.sources.rows import json_of, rows_of
from pipelines.sources.text import Row, RowError, first_line, shown
from schemas.errors import SourceError
from schemas.preference import UnreadableRow

Located = tuple[str, Row | UnreadableRow]

TABLES = ("*.jsonl", "*.ndjson", "*.jsonl.gz", "*.json.gz", "*.parquet", "*.csv", "*.tsv")
ANY_FILE = (*TABLES, "*.json")
"""Which files of a folder or a hub data set are read, where nothing is known of it."""

ENDINGS = tuple(pattern.removeprefix("*") for pattern in ANY_FILE)
TABLE_ENDINGS = tuple(pattern.removeprefix("*") for pattern in TABLES)

MOST_CSV = 1 << 30
"""Bytes of a CSV file, which is read as a whole."""


def rows_in(files: SourceFiles) -> Iterator[Located]:
    """Return (location, row) of all files. Raises SourceError for a file that cannot be read."""
    for path in files.paths:
        yield from _rows_of(path, files.name(path))


def _rows_of(path: Path, name: str) -> Iterator[Located]:
    ending = path.suffix.lower()
    if ending in (".csv", ".tsv"):
        return _csv_rows(path, name, "," if ending == ".csv" else "\t")
    if not path.name.lower().endswith(ENDINGS):
        raise SourceError(f"{name}: not a .jsonl, .jsonl.gz, .json, .parquet or .csv file")
    return _json_rows(path, name) if ending == ".json" else rows_of(path, name)


def _csv_rows(path: Path, name: str, separator: str) -> Iterator[Located]:
    """Return the rows of a CSV file, every value a text."""
    try:
        if path.stat().st_size > MOST_CSV:
            raise SourceError(f"{name}: larger than {MOST_CSV >> 20} MiB; write it as .jsonl, a row a line")
        table = pl.read_csv(path, separator=separator, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SourceError(f"{name}: not a CSV file, or a damaged one: {first_line(error)}") from None
    if not table.height:
        raise SourceError(f"{name}: holds no rows")
    for number, row in enumerate(table.iter_rows(named=True), 1):
        yield f"{name}:{number}", row


def _json_rows(path: Path, name: str) -> Iterator[Located]:
    """Return the rows of a JSON file: a list, or an object whose values are rows, or lists of rows."""
    value = json_of(path, name)
    parts: list[Any] = list(value.values()) if isinstance(value, dict) else [value]
    items = [item for part in parts for item in (part if isinstance(part, list) else [part])]
    if not any(isinstance(item, dict) for item in items):
        raise SourceError(f"{name}: holds no rows; a list of objects is one, or .jsonl with an object a line")
    for number, item in enumerate(items, 1):
        location = f"{name}:{number}"
        is_row = isinstance(item, dict)
        yield location, item if is_row else RowError("not_an_object", f"the row is {shown(item)}").row(location)
