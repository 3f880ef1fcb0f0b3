"""Rows of any file that a benchmark is published in: what sources read, and JSON whose rows have keys."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.sources.files import SourceFiles
from pipelines.sources.rows import json_of, rows_of
from pipelines.sources.text import Row, RowError, shown
from schemas.errors import SourceError
from schemas.preference import UnreadableRow

Located = tuple[str, Row | UnreadableRow]

TABLES = ("*.jsonl", "*.ndjson", "*.jsonl.gz", "*.json.gz", "*.parquet", "*.csv", "*.tsv")
ANY_FILE = (*TABLES, "*.json")
"""Which files of a folder or a hub data set are read, where nothing is known of it."""

ENDINGS = tuple(pattern.removeprefix("*") for pattern in ANY_FILE)
TABLE_ENDINGS = tuple(pattern.removeprefix("*") for pattern in TABLES)


def rows_in(files: SourceFiles) -> Iterator[Located]:
    """Return (location, row) of all files. Raises SourceError for a file that cannot be read."""
    for path in files.paths:
        yield from _rows_of(path, files.name(path))


def _rows_of(path: Path, name: str) -> Iterator[Located]:
    if not path.name.lower().endswith(ENDINGS):
        raise SourceError(f"{name}: not a .jsonl, .jsonl.gz, .json, .parquet or .csv file")
    return _json_rows(path, name) if path.suffix.lower() == ".json" else rows_of(path, name)


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
