"""Ids depend on content alone, are the same for ever, and never fail on text that came in clean."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.record import FORMAT, bucket_of, canonical_json, clean_text, content_id, table_schema, unit_interval

# orjson refuses integers beyond 64 bits, so ids are made of smaller ones.
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.floats(allow_nan=False)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)


@given(values)
def test_canonical_json_is_json(value: object) -> None:
    assert orjson.loads(canonical_json(value)) == orjson.loads(orjson.dumps(value))


@given(st.dictionaries(st.text(), scalars))
def test_canonical_json_ignores_the_order_of_keys(record: dict[str, object]) -> None:
    backwards = dict(reversed(record.items()))
    assert canonical_json(backwards) == canonical_json(record)


def test_canonical_json_has_no_spaces_and_keeps_utf_8() -> None:
    assert canonical_json({"b": [1, 2.5], "a": "Škoda"}) == '{"a":"Škoda","b":[1,2.5]}'.encode()


def test_canonical_json_refuses_a_lone_surrogate() -> None:
    with pytest.raises(TypeError):
        canonical_json("\ud800")


@given(values)
def test_content_id_is_32_hex_digits_and_repeatable(value: object) -> None:
    first = content_id("set", value)
    assert first == content_id("set", value)
    assert len(first) == 32
    assert set(first) <= set("0123456789abcdef")


@given(st.text(), st.text(), values)
def test_content_id_tells_tags_apart(tag: str, other: str, value: object) -> None:
    assert (content_id(tag, value) == content_id(other, value)) == (tag == other)


def test_content_id_tells_one_part_from_two() -> None:
    assert content_id("x", "a", "b") != content_id("x", "ab")
    assert content_id("x", ["a", "b"]) != content_id("x", "a", "b")


def test_content_id_never_changes() -> None:
    """These ids stand in data that is already published and paid for."""
    assert content_id("query", [{"role": "user", "content": "Why?"}]) == "b918024eee24ee6e237bacf74b6c6f2f"
    assert content_id("unit", 1, None, 0.5) == "48b84cbeb935da9600e6649cfcd9b2b7"


@given(st.text(alphabet=st.characters()) | st.text(alphabet=st.characters(categories=["Cs"])))
def test_clean_text_makes_every_text_hashable(text: str) -> None:
    cleaned = clean_text(text)
    assert len(cleaned) == len(text)
    assert clean_text(cleaned) == cleaned
    content_id("x", cleaned)


@given(st.text())
def test_clean_text_leaves_clean_text_alone(text: str) -> None:
    assert clean_text(text) == text


def test_clean_text_replaces_what_json_permits_and_utf_8_does_not() -> None:
    assert clean_text(json.loads('"a\\ud83d b"')) == "a\ufffd b"


def test_unit_interval_is_uniform() -> None:
    """Of 20,000 draws, each tenth of the interval gets a tenth within five standard errors."""
    draws = [unit_interval("test", number) for number in range(20_000)]
    assert all(0 <= draw < 1 for draw in draws)
    for tenth in range(10):
        share = sum(tenth / 10 <= draw < (tenth + 1) / 10 for draw in draws)
        assert abs(share - 2000) < 5 * (20_000 * 0.1 * 0.9) ** 0.5


def test_buckets_are_the_first_byte() -> None:
    assert (bucket_of("00" + "f" * 30), bucket_of("ff" + "0" * 30)) == (0, 255)


def test_tables_carry_their_name_and_format() -> None:
    assert table_schema("x", []).metadata == {b"grmforge.table": b"x", b"grmforge.format": str(FORMAT).encode()}
