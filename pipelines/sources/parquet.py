"""Rows of Parquet files as JSON would hold them, with what SQL engines write: decimals, bytes, UUIDs and times."""

import datetime
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.sources.text import Row, RowError, first_line, shown
from schemas.errors import SourceError

MAX_COLUMN_CHUNK = 4 << 30
"""Uncompressed bytes that one column of a row group may declare."""

MAX_ROW = 64 << 20
"""Bytes of one row, as of a line."""

BATCH = 128
_MICROSECONDS = {pa.time64("ns"): pa.time64("us"), pa.duration("ns"): pa.duration("us")}


def numbered_rows(path: Path, name: str) -> Iterator[tuple[int, Row | RowError]]:
    """Return (number from 1, row) of a file's rows. Raises SourceError for a file that is not readable Parquet."""
    try:
        with pq.ParquetFile(path) as file:
            _check(file, name)
            yield from numbered(file.iter_batches(BATCH))
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{name}: not a Parquet file, or a damaged one: {first_line(error)}") from None


def numbered(batches: Iterable[Any], is_checked: bool = True) -> Iterator[tuple[int, Row | RowError]]:
    """Return (number from 1, row) of the rows of Arrow batches; those not checked may have damaged values."""
    return enumerate(chain.from_iterable(_rows_of_batch(_for_python(batch), is_checked) for batch in batches), 1)


def _check(file: Any, name: str) -> None:
    """Raise SourceError for a column that is too large, and for two columns of one name."""
    groups = (file.metadata.row_group(index) for index in range(file.metadata.num_row_groups))
    columns = (group.column(index) for group in groups for index in range(group.num_columns))
    if any(column.total_uncompressed_size > MAX_COLUMN_CHUNK for column in columns):
        raise SourceError(f"{name}: a column declares more than {MAX_COLUMN_CHUNK >> 30} GiB; not read")
    check_names(file.schema_arrow.names, name)


def check_names(columns: Sequence[str], name: str) -> None:
    """Raise SourceError for a file of whose columns two have one name."""
    if repeated := sorted({column for column in columns if columns.count(column) > 1}):
        raise SourceError(f"{name}: two columns are called {shown(repeated[0])}; rename one of them")


def _rows_of_batch(batch: Any, is_checked: bool) -> Iterable[Row | RowError]:
    """Return a batch's rows. A value that Python cannot hold, such as the year 99999, makes its row a RowError."""
    try:
        if not is_checked:
            batch.validate(full=True)  # or damage would end the process
        if batch.nbytes > MAX_ROW:  # one row may be most of it: it is found before Python copies it
            raise OverflowError
        rows = batch.to_pylist()
    except (ValueError, OverflowError):  # UnicodeDecodeError is a ValueError
        rows = [_row_at(batch, index, is_checked) for index in range(batch.num_rows)]
    is_json_like = all(map(_is_json_like, batch.schema.types))
    return rows if is_json_like else map(_plain_value, rows)  # a RowError stays as it is


def _row_at(batch: Any, index: int, is_checked: bool) -> Row | RowError:
    row = batch.slice(index, 1)
    if row.nbytes > MAX_ROW:
        return RowError("line_too_long", f"the row has more than {MAX_ROW >> 20} MiB")
    try:
        if not is_checked:
            row.validate(full=True)
        return cast(Row, row.to_pylist()[0])
    except UnicodeDecodeError:
        return RowError("invalid_utf8", "a text of the row is not UTF-8")
    except (ValueError, OverflowError) as error:
        if "UTF8" in str(error):
            return RowError("invalid_utf8", "a text of the row is not UTF-8")
        return RowError("bad_value", f"a value of the row cannot be read: {first_line(error)}")


def _is_json_like(kind: Any) -> bool:
    """Say whether every value of an Arrow type is one of JSON's already."""
    types = pa.types
    if types.is_nested(kind):
        return not types.is_map(kind) and all(_is_json_like(kind.field(i).type) for i in range(kind.num_fields))
    if types.is_dictionary(kind):
        return _is_json_like(kind.value_type)
    of_json = (types.is_boolean, types.is_integer, types.is_floating, types.is_null)
    return any(test(kind) for test in (*of_json, types.is_string, types.is_large_string, types.is_string_view))


def _for_python(batch: Any) -> Any:
    """Return the batch with times to the microsecond, beyond which Python has none, and with UUIDs.

    Older writers make columns of 16 bytes a value of UUIDs.
    """
    for index, kind in enumerate(batch.schema.types):
        if pa.types.is_temporal(kind) and getattr(kind, "unit", "") == "ns":
            shorter = pa.timestamp("us", kind.tz) if pa.types.is_timestamp(kind) else _MICROSECONDS[kind]
            batch = batch.set_column(index, batch.schema.names[index], batch.column(index).cast(shorter, safe=False))
        if pa.types.is_fixed_size_binary(kind) and kind.byte_width == 16:
            column = pa.ExtensionArray.from_storage(pa.uuid(), batch.column(index))
            batch = batch.set_column(index, batch.schema.names[index], column)
    return batch


def _plain_value(value: Any) -> Any:
    """Return a value as JSON would hold it. Bytes that are not UTF-8 and types that JSON lacks stay as they are.

    A whole decimal is an integer, whatever its digits: ids are kept to the last one.
    """
    match value:
        case dict():
            return {key: _plain_value(item) for key, item in value.items()}
        case list() if value and all(isinstance(item, tuple) for item in value):  # a map
            return {str(_plain_value(key)): _plain_value(item) for key, item in value}
        case list():
            return [_plain_value(item) for item in value]
        case bytes():
            try:
                return value.decode("utf-8")
            except UnicodeDecodeError:
                return value
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case UUID():
            return str(value)
        case datetime.date() | datetime.time():  # a datetime is a date
            return value.isoformat()
    return value
