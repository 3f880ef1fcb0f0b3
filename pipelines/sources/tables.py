"""Rows of CSV, TSV and Arrow files. Every value of a CSV file is a text; an empty one is missing."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from pipelines.sources.packing import check_growth, opened
from pipelines.sources.parquet import BATCH, MAX_ROW, check_names, numbered
from pipelines.sources.text import Row, RowError, first_line
from schemas.errors import SourceError

_END = "the end of the file"
"""A line after the last one: what holds it has a quotation mark that is never closed."""


class _Lines:
    """The lines of a file, cut at `MAX_ROW`, and `_END`."""

    def __init__(self, file: BinaryIO) -> None:
        self._text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
        self.is_cut = self.is_over = False

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(MAX_ROW + 1):
            rest = line
            while len(rest) > MAX_ROW and not rest.endswith(("\n", "\r")):
                self.is_cut, rest = True, self._text.readline(MAX_ROW + 1)
            yield line
        self.is_over = True
        yield _END


def csv_rows(path: Path, name: str) -> Iterator[tuple[int, Row | RowError]]:
    """Return (number from 1, row) of the rows below a file's first line; blank lines are not counted.

    Raises SourceError for a file without columns' names in UTF-8, and for a quotation mark that is never closed.
    """
    csv.field_size_limit(MAX_ROW)
    with opened(path, name) as file:
        lines = _Lines(file)
        reader = csv.reader(lines, delimiter="\t" if ".tsv" in path.name.lower() else ",")
        columns: list[str] = []
        number, at = 0, 1
        while True:
            lines.is_cut, at = False, reader.line_num + 1
            try:
                values = next(reader)
            except csv.Error:  # only for a field that is too long
                lines.is_cut, values = True, [_END]
            if lines.is_over or (lines.is_cut and reader.line_num > at):
                if values == [_END] and lines.is_over:
                    return
                raise SourceError(f"{name}: the quotation mark opened in line {at} is never closed; close it")
            check_growth(file, path, name)
            if not any(map(str.strip, values)) and len(values) < 2:
                continue
            if not columns:
                columns = values
                check_names(columns, name)
                if not "".join(columns).isascii() and not _is_utf8(columns):
                    raise SourceError(f"{name}: the names of its columns are not UTF-8; save it in this encoding")
                continue
            number += 1
            yield number, _row(columns, values, lines.is_cut)


def _row(columns: list[str], values: list[str], is_cut: bool) -> Row | RowError:
    if is_cut:
        return RowError("line_too_long", f"the row has more than {MAX_ROW >> 20} MiB")
    if len(values) != len(columns):
        return RowError("lengths_differ", f"the row has {len(values)} values for {len(columns)} columns")
    if not _is_utf8(values):
        return RowError("invalid_utf8", "a text of the row is not UTF-8")
    return {column: value or None for column, value in zip(columns, values, strict=True)}


def _is_utf8(texts: list[str]) -> bool:
    try:
        return all(text.isascii() or text.encode() for text in texts)
    except UnicodeEncodeError:
        return False


def arrow_rows(path: Path, name: str) -> Iterator[tuple[int, Row | RowError]]:
    """Return (number from 1, row) of an Arrow file or stream. Raises SourceError for what is neither, or damaged."""
    try:
        with pa.memory_map(str(path)) as source:
            yield from numbered(_batches(source, name), is_checked=False)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{name}: not an Arrow file, or a damaged one: {first_line(error)}") from None


def _batches(source: Any, name: str) -> Iterator[Any]:
    is_file = source.read(6) == b"ARROW1"
    source.seek(0)
    reader = pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source)
    check_names(reader.schema.names, name)
    for batch in map(reader.get_batch, range(reader.num_record_batches)) if is_file else reader:
        for start in range(0, batch.num_rows, BATCH):
            yield batch.slice(start, BATCH)
