"""Rows of CSV, TSV and Arrow files, which `datasets` streams from the file. Every value of a CSV file is a text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.sources.parquet import numbered
from pipelines.sources.text import Row, RowError, first_line
from schemas.errors import SourceError

_BATCH = 128
_CSV = {"keep_default_na": False, "na_values": [""], "chunksize": 1_000}  # a text "NA" or "null" says something


def numbered_rows(path: Path, name: str) -> Iterator[tuple[int, Row | RowError]]:
    """Return (number from 1, row) of a file's rows. Raises SourceError for a file that cannot be read to its end."""
    # Here and not above: it takes seconds, and most sources are no such files.
    import datasets

    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # its log holds paths of this machine
    is_arrow = ".arrow" in path.suffixes
    settings: dict[str, Any] = {} if is_arrow else {**_CSV, "sep": "\t" if ".tsv" in path.name.lower() else ","}

    def streamed(**more: Any) -> Any:
        place = {"data_files": str(path), "split": "train", "streaming": True}
        return datasets.load_dataset("arrow" if is_arrow else "csv", **place, **settings, **more)

    try:
        rows = streamed()
        if not is_arrow:
            # By the types of its first rows a number or a date would be read otherwise here than further down.
            first = next(rows.with_format("arrow").iter(1), None)
            columns = first.column_names if first is not None else ()
            texts = datasets.Features({column: datasets.Value("string") for column in columns})
            rows = streamed(features=texts) if columns else rows
        batches = rows.with_format("arrow").iter(_BATCH)
        yield from numbered(batch for table in batches for batch in table.to_batches())
    except (ValueError, TypeError, OSError, ImportError, RuntimeError) as error:  # Arrow's and pandas' are ValueErrors
        raise SourceError(f"{name}: not a table that can be read to its end: {first_line(error)}") from None
