"""Rows of JSONL, gzipped JSONL, JSON and Parquet files, one at a time and whatever they hold.

A bad row is an `UnreadableRow` and never an exception; a file that is no such file at all is a `SourceError`.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.sources.arrow_values import is_json_like, plain_value, with_uuids
from pipelines.sources.files import SourceFiles
from pipelines.sources.text import RowError, shown
from schemas.errors import SourceError
from schemas.preference import UnreadableRow
from schemas.strict_json import RepeatedKey, object_of, objects_in, strict_json

MAX_LINE = 64 << 20
"""Bytes of one row. With `MAX_TEXT` it bounds the memory that any file can cost, a gzip bomb included."""

MAX_JSON = 1 << 30
"""Bytes of a file that can only be read as a whole."""

MAX_COLUMN_CHUNK = 4 << 30
"""Uncompressed bytes that one column of a Parquet row group may declare."""

BOMB_RATIO = 200
"""A gzip file that grows more than this, and beyond `MAX_JSON`, is a bomb; text grows 3 to 30 times."""

_BATCH = 128
_BLOCK = 1 << 20

Row = dict[str, Any]
Located = tuple[str, Row | UnreadableRow]

Record = TypeVar("Record")
"""What a source makes of a row: a set or a question."""


def records_of(files: SourceFiles, build: Callable[[str, Row], Record]) -> Iterator[Record | UnreadableRow]:
    """Return what `build(location, row)` makes of every row; its RowError is an unreadable row."""
    for location, row in rows_in(files):
        if isinstance(row, UnreadableRow):
            yield row
            continue
        try:
            yield build(location, row)
        except RowError as error:
            yield UnreadableRow(location, error.reason, error.detail)


def rows_in(files: SourceFiles) -> Iterator[Located]:
    """Return the rows of all files of a source, in the order of their names."""
    for path in files.paths:
        yield from rows_of(path, files.name(path))


def rows_of(path: Path, name: str | None = None) -> Iterator[Located]:
    """Return (location, row) of a file's rows; a location is the file's name and the row's number from 1.

    Raises SourceError: empty, truncated, not what its ending says, or of an ending that is not read.
    """
    name = name or path.name
    reader = _reader(path)
    if reader is None:
        raise SourceError(f"{name}: not a .jsonl, .jsonl.gz, .json or .parquet file")
    empty = True
    try:
        for number, row in reader(path, name):
            empty = False
            location = f"{name}:{number}"
            yield location, UnreadableRow(location, row.reason, row.detail) if isinstance(row, RowError) else row
    except OSError as error:
        raise SourceError(f"{name}: cannot be read: {error.strerror or error}") from None
    if empty:
        raise SourceError(f"{name}: holds no rows")


def _reader(path: Path) -> Callable[[Path, str], Iterator[tuple[int, Row | RowError]]] | None:
    name = path.name.lower()
    if name.endswith((".jsonl.gz", ".json.gz")):
        return _gzip_lines
    return {".jsonl": _lines, ".ndjson": _lines, ".json": _json, ".parquet": _parquet}.get(Path(name).suffix)


def _lines(path: Path, name: str) -> Iterator[tuple[int, Row | RowError]]:
    with path.open("rb") as file:
        yield from _rows_of_lines(file)


def _gzip_lines(path: Path, name: str) -> Iterator[tuple[int, Row | RowError]]:
    size = path.stat().st_size
    try:
        with gzip.open(path, "rb") as file:
            for numbered in _rows_of_lines(cast(BinaryIO, file)):
                if file.tell() > max(MAX_JSON, BOMB_RATIO * size):
                    raise SourceError(f"{name}: grows more than {BOMB_RATIO} times when unpacked; not read further")
                yield numbered
    except gzip.BadGzipFile:
        raise SourceError(f"{name}: not a gzip file, or a damaged one") from None
    except EOFError:
        raise SourceError(f"{name}: the gzip file is truncated; download it again") from None
    except zlib.error as error:
        raise SourceError(f"{name}: the gzip file is damaged: {error}") from None


def _rows_of_lines(file: BinaryIO) -> Iterator[tuple[int, Row | RowError]]:
    """Return the rows of lines, counted from 1; blank lines are counted and left out."""
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE and not line.endswith(b"\n"):
            while (rest := file.readline(_BLOCK)) and not rest.endswith(b"\n"):
                pass
            yield number, RowError("line_too_long", f"the line has more than {MAX_LINE >> 20} MiB")
            continue
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            yield number, _parsed(line)


def _parsed(line: bytes) -> Row | RowError:
    """Return one line's object."""
    try:
        value = strict_json(line)
    except UnicodeDecodeError as error:
        return RowError("invalid_utf8", f"byte {error.start} of the line is not UTF-8")
    except RecursionError:
        return RowError("nested_too_deep", "the line nests too deep to be read")
    except RepeatedKey as error:
        return RowError("repeated_key", _first_line(error))
    except ValueError as error:  # JSONDecodeError is one, and an integer of thousands of digits raises another
        return RowError("bad_json", _first_line(error))
    return value if isinstance(value, dict) else RowError("not_an_object", f"the row is {shown(value)}")


def _json(path: Path, name: str) -> Iterator[tuple[int, Row | RowError]]:
    """Return the items of a file that is one JSON list; a key that stands twice costs its own item."""
    twice: list[tuple[Row, RepeatedKey]] = []

    def kept(pairs: list[tuple[str, Any]]) -> Row:
        try:
            return object_of(pairs)
        except RepeatedKey as error:
            twice.append((dict(pairs), error))  # held here, so that no other object takes its place in memory
            return twice[-1][0]

    value = json_of(path, name, kept)
    if not isinstance(value, list):
        raise SourceError(f"{name}: holds no list of rows; write it as .jsonl, a row a line")
    faults = {id(found): error for found, error in twice}
    for number, row in enumerate(value, 1):
        fault = next((faults[id(part)] for part in objects_in(row) if id(part) in faults), None) if faults else None
        if fault is not None:
            yield number, RowError("repeated_key", _first_line(fault))
        else:
            yield number, row if isinstance(row, dict) else RowError("not_an_object", f"the row is {shown(row)}")


def json_of(path: Path, name: str, made: Callable[[list[tuple[str, Any]]], Row] = object_of) -> Any:
    """Return what a file that is one JSON value holds. `made` makes its objects; unless given, no key stands twice.

    Raises SourceError: too large, empty, truncated or not JSON.
    """
    try:
        if path.stat().st_size > MAX_JSON:
            raise SourceError(f"{name}: larger than {MAX_JSON >> 20} MiB; write it as .jsonl, a row a line")
        content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise SourceError(f"{name}: cannot be read: {error.strerror or error}") from None
    if not content.strip():
        raise SourceError(f"{name}: holds no rows")
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=made)
    except UnicodeDecodeError as error:
        raise SourceError(f"{name}: byte {error.start} is not UTF-8") from None
    except RecursionError:
        raise SourceError(f"{name}: nests too deep to be read") from None
    except RepeatedKey as error:
        raise SourceError(f"{name}: {_first_line(error)}") from None
    except ValueError as error:
        raise SourceError(f"{name}: truncated or not valid JSON: {_first_line(error)}") from None


def _parquet(path: Path, name: str) -> Iterator[tuple[int, Row | RowError]]:
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            _check_sizes(file.metadata, name)
            _check_columns(file.schema_arrow, name)
            for batch in file.iter_batches(_BATCH):
                for row in _rows_of_batch(with_uuids(batch)):
                    number += 1
                    yield number, row
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{name}: not a Parquet file, or a damaged one: {_first_line(error)}") from None


def _check_sizes(metadata: Any, name: str) -> None:
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            if metadata.row_group(group).column(column).total_uncompressed_size > MAX_COLUMN_CHUNK:
                raise SourceError(f"{name}: a column declares more than {MAX_COLUMN_CHUNK >> 30} GiB; not read")


def _check_columns(schema: pa.Schema, name: str) -> None:
    if twice := sorted({column for column in schema.names if schema.names.count(column) > 1}):
        raise SourceError(f"{name}: two columns are called {shown(twice[0])}; rename one of them")


def _rows_of_batch(batch: Any) -> Iterator[Row | RowError]:
    """Return a batch's rows; a value that Python cannot hold, such as a time beyond its years, costs its own row."""
    try:
        rows = batch.to_pylist()
    except (ValueError, OverflowError):  # UnicodeDecodeError is a ValueError
        rows = [_row_at(batch, index) for index in range(batch.num_rows)]
    if all(map(is_json_like, batch.schema.types)):
        yield from rows
    else:
        yield from (row if isinstance(row, RowError) else plain_value(row) for row in rows)


def _row_at(batch: Any, index: int) -> Row | RowError:
    try:
        return cast(Row, batch.slice(index, 1).to_pylist()[0])
    except UnicodeDecodeError:
        return RowError("invalid_utf8", "a text of the row is not UTF-8")
    except (ValueError, OverflowError) as error:
        return RowError("bad_value", f"a value of the row cannot be read: {_first_line(error)}")


def _first_line(error: BaseException) -> str:
    return shown(str(error).partition("\n")[0], 120).strip("'\"")
