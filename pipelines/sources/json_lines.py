"""JSONL files of people's own, read line by line: what `grmforge read` and `grmforge grade` are given."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from schemas.errors import SourceError
from schemas.strict_json import strict_json
from storage.files import read_regular

LONGEST_LINE = 64_000_000
"""Bytes of the longest line that is read."""
STDIN = Path("-")


def json_lines(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where each line of a file stands ("FILE, line 3") and its object; `-` is the standard input.

    Blank lines are passed over. Raises SourceError that names the line.
    """
    if file == STDIN:
        yield from _rows(sys.stdin.buffer, "stdin")
        return
    try:
        data = read_regular(file)
    except OSError as error:
        raise SourceError(f"{file}: cannot be read: {error.strerror}") from None
    yield from _rows(io.BytesIO(data), str(file))


def _rows(file: BinaryIO, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        where = f"{name}, line {number}"
        if len(line) > LONGEST_LINE:
            raise SourceError(f"{where}: is longer than {LONGEST_LINE:,} bytes; give one object a line")
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            yield where, _object(line, where)


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = strict_json(line)
    except RecursionError:
        raise SourceError(f"{where}: nests too deep to be read") from None
    except ValueError as error:
        raise SourceError(f"{where}: is no JSON ({error}); give one object a line") from None
    if not isinstance(row, dict):
        raise SourceError(f"{where}: is no object; give one object a line")
    return row


def text_in(row: dict[str, Any], key: str, where: str) -> str | None:
    """Return the text under a key; None where it is absent or null. Raises SourceError for anything else."""
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise SourceError(f"{where}: {key} is no text; put it in quotation marks")
    return value
