"""Values enter cleaned, bounded and strictly typed."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sources.text import MAX_TEXT, RowError, cleaned, cleaned_json, filled_text, number, shown, text_of
from schemas.record import content_id

ANY_TEXT = st.text(alphabet=st.characters(codec=None, exclude_categories=()))


@given(ANY_TEXT)
def test_cleaned_text_can_be_hashed_and_is_stable(text: str) -> None:
    once = cleaned(text)
    assert cleaned(once) == once
    content_id("text", once)
    assert not any(ord(character) < 32 and character not in "\n\t" for character in once)


def test_cleaning_keeps_lines_and_tabs_and_removes_other_controls() -> None:
    assert cleaned("a\r\nb\rc\td\x00\x1b[31me\x85\ud800") == "a\nb\nc\td[31me\ufffd"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("4", 4.0),
        (" 3.5 ", 3.5),
        ("-1e2", -100.0),
        (2, 2.0),
        (0.25, 0.25),
        ("N/A", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("1_000", None),
        ("٤", None),
        ("4/5", None),
        (math.nan, None),
        (math.inf, None),
        (True, None),
        (None, None),
        ([4], None),
        (10**400, None),
        ("9" * 50, None),
    ],
)
def test_numbers_are_read_strictly(value: Any, read: float | None) -> None:
    assert number(value) == read


@pytest.mark.parametrize(
    ("value", "reason"), [(None, "missing_field"), (3, "not_text"), ("x" * (MAX_TEXT + 1), "text_too_long")]
)
def test_what_is_no_text_has_a_reason(value: Any, reason: str) -> None:
    with pytest.raises(RowError) as raised:
        text_of(value, "response")
    assert raised.value.reason == reason
    assert len(raised.value.detail) < 200


def test_a_text_that_must_say_something_is_not_blank() -> None:
    with pytest.raises(RowError, match="empty_field"):
        filled_text(" \n", "prompt")


def test_nested_values_are_cleaned_throughout_and_bounded() -> None:
    assert cleaned_json([{"role": "us\x00er", "calls": ["\ud800", 1, None]}], "turns") == (
        '[{"calls":["\ufffd",1,null],"role":"user"}]'
    )
    deep: Any = "x"
    for _ in range(500):
        deep = [deep]
    with pytest.raises(RowError, match="nested_too_deep"):
        cleaned_json(deep, "turns")
    with pytest.raises(RowError, match="not_json"):
        cleaned_json([1 << 70], "turns")


def test_details_are_short_and_harmless() -> None:
    assert shown("x" * 1000).endswith("..")
    assert "\x1b" not in shown("\x1b[31m")
    assert shown([1] * 10**6) == "a list of 1000000"
    shown("\ud800").encode()
