"""Rows of CSV, TSV and Arrow files, which `datasets` streams from the file. Every value of a CSV file is a text."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.sources.packing import OPENED
from pipelines.sources.parquet import numbered
from pipelines.sources.text import Row, RowError, first_line, shown
from schemas.errors import SourceError

_BATCH = 128
_CSV = {
    "keep_default_na": False,
    "na_values": [""],
    "chunksize": 1_000,
    "encoding": "utf-8-sig",
}  # a text "NA" or "null" says something


def numbered_rows(path: Path, name: str) -> Iterator[tuple[int, Row | RowError]]:
    """Return (number from 1, row) of a file's rows. Raises SourceError for a file that cannot be read to its end."""
    # Here and not above: it takes seconds, and most sources are no such files.
    import datasets

    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # its log holds paths of this machine
    is_arrow = ".arrow" in path.suffixes
    settings: dict[str, Any] = {} if is_arrow else {**_CSV, "sep": "\t" if ".tsv" in path.name.lower() else ","}
    try:
        if not is_arrow:
            # By the types of its first rows a number or a date would be read otherwise here than further down.
            columns = _header(path, name, str(settings["sep"]))
            settings["features"] = datasets.Features({column: datasets.Value("string") for column in columns})
        module = "arrow" if is_arrow else "csv"
        rows = datasets.load_dataset(module, data_files=str(path), split="train", streaming=True, **settings)
        batches = rows.with_format("arrow").iter(_BATCH)
        yield from numbered(batch for table in batches for batch in table.to_batches())
    except SourceError:
        raise
    # Those of Arrow and pandas are ValueErrors.
    except (csv.Error, EOFError, ValueError, TypeError, OSError, ImportError, RuntimeError) as error:
        raise SourceError(f"{name}: not a table that can be read to its end: {first_line(error)}") from None


def _header(path: Path, name: str, separator: str) -> list[str]:
    """Return the columns that a file's first line names. Raises SourceError where two have one name, or none has."""
    with OPENED.get(path.suffix.lower(), _plain)(path) as file:
        text = io.TextIOWrapper(file, "utf-8-sig", newline="")
        columns = next(csv.reader(text, delimiter=separator), [])
    if repeated := [column for column in columns if columns.count(column) > 1]:
        raise SourceError(f"{name}: two columns are called {shown(repeated[0])}; rename one of them")
    if not columns:
        raise SourceError(f"{name}: holds no rows")
    return columns


def _plain(path: Path) -> Any:
    return path.open("rb")
