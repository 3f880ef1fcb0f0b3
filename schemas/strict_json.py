"""JSON of which every key counts: an object that holds a key twice is refused, for nobody knows which one is meant."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson

_KEY = re.compile(rb'"\s*:')


class RepeatedKey(ValueError):
    """A key that stands twice in one object."""


def strict_json(data: bytes) -> Any:
    """Return the value of a JSON text; what orjson refuses (NaN, long integers) gets json's more lenient second look.

    Raises RepeatedKey, UnicodeDecodeError, RecursionError, and ValueError with what is wrong.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return json.loads(data.decode("utf-8"), object_pairs_hook=object_of)
    # More of what looks like a key than keys: some stand in texts, or a repeated one was lost.
    if len(_KEY.findall(data)) > sum(map(len, objects_in(value))):
        json.loads(data, object_pairs_hook=object_of)
    return value


def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these keys and values. Raises RepeatedKey."""
    value = dict(pairs)
    if len(value) < len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise RepeatedKey(f"the key {twice[:60]!r} stands there twice; leave one of them out")
    return value


def objects_in(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a value, at any depth."""
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            yield item
            left.extend(item.values())
        elif isinstance(item, list):
            left.extend(item)
