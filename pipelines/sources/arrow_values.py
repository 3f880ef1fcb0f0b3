"""Values of Parquet as JSON would hold them: what SQL engines write as decimals, bytes, UUIDs and times."""

import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa

_UUID_BYTES = 16


def is_json_like(kind: Any) -> bool:
    """Say whether every value of an Arrow type is one of JSON's already."""
    if pa.types.is_map(kind):
        return False
    if pa.types.is_nested(kind):
        return all(is_json_like(kind.field(index).type) for index in range(kind.num_fields))
    if pa.types.is_dictionary(kind):
        return is_json_like(kind.value_type)
    of_json = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_null)
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(test(kind) for test in (*of_json, *texts))


def with_uuids(batch: Any) -> Any:
    """Return the batch with columns of 16 bytes a value, which older writers make of UUIDs, as UUIDs."""
    for index, kind in enumerate(batch.schema.types):
        if pa.types.is_fixed_size_binary(kind) and kind.byte_width == _UUID_BYTES:
            column = pa.ExtensionArray.from_storage(pa.uuid(), batch.column(index))
            batch = batch.set_column(index, batch.schema.names[index], column)
    return batch


def plain_value(value: Any) -> Any:
    """Return a value as JSON would hold it; bytes that are not UTF-8, and what JSON has no form for, stay.

    A whole decimal is an integer, whatever its digits: ids are kept to the last one.
    """
    match value:
        case dict():
            return {key: plain_value(item) for key, item in value.items()}
        case list() if value and all(isinstance(item, tuple) for item in value):  # a map
            return {str(plain_value(key)): plain_value(item) for key, item in value}
        case list():
            return [plain_value(item) for item in value]
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
