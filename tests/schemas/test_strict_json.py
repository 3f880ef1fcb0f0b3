"""JSON of which every key counts."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.record import is_blank
from schemas.strict_json import RepeatedKey, strict_json

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_what_holds_every_key_once_is_read_as_it_is(value: Any) -> None:
    assert strict_json(json.dumps(value).encode()) == value


@given(values, values, st.text())
def test_a_key_that_stands_twice_is_refused_wherever_it_stands(one: Any, other: Any, key: str) -> None:
    twice = f"{{{json.dumps(key)} : {json.dumps(one)}, {json.dumps(key)}:{json.dumps(other)}}}"
    for text in (twice, f'[1, {{"a": {twice}}}]'):
        with pytest.raises(RepeatedKey, match="stands there twice"):
            strict_json(text.encode())


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b'{"a": 1}x'])
def test_what_is_no_json_is_a_value_error(data: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        strict_json(data)


@pytest.mark.parametrize(
    "text", ["", " \n", "\u200b", "\ufeff\u2060", "\u00ad", "\u3164", "\u2800", "\ufe0f", "\u180e"]
)
def test_what_nobody_sees_is_blank(text: str) -> None:
    assert is_blank(text)
    assert not is_blank(text + "a") and not is_blank(text + "\u4e00") and not is_blank(text + ".")
