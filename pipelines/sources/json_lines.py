"""JSONL files of people's own, read line by line: what `grmforge read` and `grmforge grade` are given."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pipelines.sources.rows import Row, rows_of_lines
from pipelines.sources.text import RowError
from schemas.errors import SourceError
from storage.regular_files import read_regular

STDIN = Path("-")

_FAULTS = {
    "line_too_long": "{}; give one object a line",
    "nested_too_deep": "nests too deep to be read",
    "not_an_object": "is no object; give one object a line",
}
"""What is said of a line, by the reason why it is no row; of any other, that it is no JSON."""


def json_lines(file: Path) -> Iterator[tuple[str, Row]]:
    """Yield where each line of a file stands ("FILE, line 3") and its object; `-` is the standard input.

    Blank lines are passed over. Raises SourceError that names the line.
    """
    try:
        content: BinaryIO = sys.stdin.buffer if file == STDIN else io.BytesIO(read_regular(file))
    except OSError as error:
        raise SourceError(f"{file}: cannot be read: {error.strerror}") from None
    for number, row in rows_of_lines(content):
        where = f"{'stdin' if file == STDIN else file}, line {number}"
        if isinstance(row, RowError):
            words = _FAULTS.get(row.reason, "is no JSON ({}); give one object a line")
            raise SourceError(f"{where}: {words.format(row.detail)}")
        yield where, row


def text_in(row: dict[str, Any], key: str, where: str) -> str | None:
    """Return the text under a key; None where it is absent or null. Raises SourceError for anything else."""
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise SourceError(f"{where}: {key} is no text; put it in quotation marks")
    return value
