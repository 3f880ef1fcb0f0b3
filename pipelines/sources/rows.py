"""Rows of JSONL (compressed or not), JSON, Parquet, CSV and Arrow files, read one at a time.

A bad row becomes an `UnreadableRow`. A file that cannot be read as a whole raises `SourceError`.
"""

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pipelines.sources import parquet, tables
from pipelines.sources.files import ROW_FILE, SourceFiles
from pipelines.sources.json_lists import items_of
from pipelines.sources.packing import check_growth, is_packed, opened
from pipelines.sources.text import Row, RowError, first_line, shown
from schemas.errors import SourceError
from schemas.preference import UnreadableRow
from schemas.strict_json import RepeatedKey, object_of, strict_json
from storage.files import read_regular

MAX_LINE = parquet.MAX_ROW
"""Bytes of one row. With `MAX_TEXT` it bounds the memory that any file can cost, a gzip bomb included."""

MAX_JSON = 1 << 30
"""Bytes of a file that can only be read as a whole."""

STDIN = Path("-")

# Message about a line, by the reason why it is not a row. Any other reason means that the line is not JSON.
_LINE_FAULTS = {
    "line_too_long": "{}; give one object a line",
    "nested_too_deep": "nests too deep to be read",
    "not_an_object": "is no object; give one object a line",
}

_BLOCK = 1 << 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Located = tuple[str, Row | UnreadableRow]
Numbered = Iterator[tuple[int, Row | RowError]]


def rows_in(files: SourceFiles) -> Iterator[Located]:
    """Return the rows of all files of a source, in the order of their names."""
    for path in files.paths:
        yield from rows_of(path, files.name(path))


def rows_of(path: Path, name: str | None = None) -> Iterator[Located]:
    """Return (location, row) of a file's rows; a location is the file's name and the row's number from 1.

    Raises SourceError: empty, truncated, not what its ending says, or of an ending that is not read.
    """
    name = name or path.name
    ending = ROW_FILE.search(path.name.lower())
    if ending is None:
        raise SourceError(f"{name}: not a .jsonl, .jsonl.gz, .json, .parquet, .csv or .arrow file")
    reader = next(reader for start, reader in _READERS.items() if ending[0].startswith(start))
    if path.exists() and not path.is_file():  # a pipe may never end
        raise SourceError(f"{name}: not a regular file; write its rows to one")
    location = ""
    try:
        for number, row in reader(path, name):
            location = f"{name}:{number}"
            yield location, row.row(location) if isinstance(row, RowError) else row
    except OSError as error:
        raise SourceError(f"{name}: cannot be read: {error.strerror or error}") from None
    if not location:
        raise SourceError(f"{name}: holds no rows")


def _lines(path: Path, name: str) -> Numbered:
    with opened(path, name) as file:
        packed = is_packed(path)
        for numbered in _rows_of_lines(file):
            if packed:
                check_growth(file, path, name)
            yield numbered


def _rows_of_lines(file: BinaryIO) -> Numbered:
    """Return (line number from 1, row). Blank lines are counted and left out."""
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE and not line.endswith(b"\n"):
            yield number, RowError("line_too_long", f"the line has more than {MAX_LINE >> 20} MiB")
            while (rest := file.readline(_BLOCK)) and not rest.endswith(b"\n"):
                pass
            continue
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if line.strip():
            yield number, _row_of_line(line)


def _row_of_line(line: bytes) -> Row | RowError:
    try:
        return _object(strict_json(line))
    except UnicodeDecodeError as error:
        return RowError("invalid_utf8", f"byte {error.start} of the line is not UTF-8")
    except RecursionError:
        return RowError("nested_too_deep", "the line nests too deep to be read")
    except RepeatedKey as error:
        return RowError("repeated_key", first_line(error))
    except ValueError as error:  # JSONDecodeError is one, and an integer of thousands of digits raises another
        return RowError("bad_json", first_line(error))


def _object(value: Any) -> Row | RowError:
    return value if isinstance(value, dict) else RowError("not_an_object", f"the row is {shown(value)}")


def _json(path: Path, name: str) -> Numbered:
    """Return the items of a file that is one JSON list, or of one with an object a line, as some call .json too.

    A repeated key makes only its own item unreadable.
    """
    with opened(path, name) as file:
        first, second = file.readline(MAX_LINE).removeprefix(_BYTE_ORDER_MARK).strip(), file.readline(_BLOCK).strip()
    if first.startswith(b"{") and first.endswith(b"}") and second.startswith(b"{"):
        return _lines(path, name)
    return _items(path, name)


def _items(path: Path, name: str) -> Numbered:
    for number, (item, length, repeated) in enumerate(items_of(path, name), 1):
        if length > MAX_LINE:
            yield number, RowError("line_too_long", f"the item has more than {MAX_LINE >> 20} MiB")
        elif repeated:
            yield number, RowError("repeated_key", first_line(repeated))
        else:
            yield number, _object(item)


def json_of(path: Path, name: str) -> Any:
    """Return the value of a file that is one JSON value.

    Raises SourceError: too large, empty, truncated, not JSON, or of an object that holds a key twice.
    """
    try:
        with opened(path, name) as file:
            content = file.read(MAX_JSON + 1)
        if len(content) > MAX_JSON:
            raise SourceError(f"{name}: larger than {MAX_JSON >> 20} MiB; write it as .jsonl, a row a line")
        return json_value(content.removeprefix(_BYTE_ORDER_MARK).decode("utf-8"), name, object_of)
    except UnicodeDecodeError as error:
        raise SourceError(f"{name}: byte {error.start} is not UTF-8") from None
    except OSError as error:
        raise SourceError(f"{name}: cannot be read: {error.strerror or error}") from None


def json_value(text: str, name: str, to_object: Callable[[list[tuple[str, Any]]], Any], *, strict: bool = True) -> Any:
    """Return the value of a file's text that is one JSON value. Raises SourceError: empty, truncated or not JSON."""
    if not text.strip():
        raise SourceError(f"{name}: holds no rows")
    try:
        return json.loads(text, object_pairs_hook=to_object, strict=strict)
    except RecursionError:
        raise SourceError(f"{name}: nests too deep to be read") from None
    except RepeatedKey as error:
        raise SourceError(f"{name}: {first_line(error)}") from None
    except ValueError as error:
        raise SourceError(f"{name}: truncated or not valid JSON: {first_line(error)}") from None


_READERS: dict[str, Callable[[Path, str], Numbered]] = {
    ".jsonl": _lines,
    ".ndjson": _lines,
    ".json": _json,
    ".parquet": parquet.numbered_rows,
    ".csv": tables.csv_rows,
    ".tsv": tables.csv_rows,
    ".arrow": tables.arrow_rows,
}


def json_lines(file: Path) -> Iterator[tuple[str, Row]]:
    """Yield where each line of a file stands ("FILE, line 3") and its object; `-` is the standard input.

    Blank lines are skipped. Raises SourceError that names the line.
    """
    try:
        content: BinaryIO = sys.stdin.buffer if file == STDIN else io.BytesIO(read_regular(file))
    except OSError as error:
        raise SourceError(f"{file}: cannot be read: {error.strerror}") from None
    for number, row in _rows_of_lines(content):
        where = f"{'stdin' if file == STDIN else file}, line {number}"
        if isinstance(row, RowError):
            words = _LINE_FAULTS.get(row.reason, "is no JSON ({}); give one object a line")
            raise SourceError(f"{where}: {words.format(row.detail)}")
        yield where, row


def text_in(row: dict[str, Any], key: str, where: str) -> str | None:
    """Return the text under a key; None where it is absent or null. Raises SourceError for anything else."""
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise SourceError(f"{where}: {key} is no text; put it in quotation marks")
    return value
