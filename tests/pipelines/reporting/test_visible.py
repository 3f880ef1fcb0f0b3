"""Texts as a person is shown them: nothing is lost, nothing is hidden."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from pipelines.reporting.visible import columns, cut, one_line, visible, wrapped

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=300)


@given(ANY_TEXT)
def test_no_control_character_is_left(text: str) -> None:
    shown = visible(text)
    assert not {character for character in shown if unicodedata.category(character) in ("Cc", "Cs")} - {"\n", "\t"}
    assert not {
        character for character in shown if unicodedata.bidirectional(character) in ("RLO", "LRO", "RLI", "LRI")
    }
    shown.encode()


@given(ANY_TEXT, st.integers(20, 120))
def test_wrapping_loses_nothing_but_blanks(text: str, width: int) -> None:
    lines = wrapped(text, width, "  ").split("\n")
    assert all(columns(line) <= max(22, width) for line in lines)
    assert "".join("".join(lines).split()) == "".join(visible(text).split())


@given(ANY_TEXT, st.integers(5, 80))
def test_one_line_is_one_short_line(text: str, most: int) -> None:
    line = one_line(text, most)
    assert columns(line) <= most and "\n" not in line and "\t" not in line


def test_examples() -> None:
    assert visible("a\x1b[2J\r\nb\u202e\x9b\ud800") == "a\\x1b[2J\nb\\u202e\\x9b\\ud800"
    assert cut("abc", 3) == "abc"
    assert cut("abcd", 3) == "abc … [cut: 4 characters in all]"
    assert wrapped("one two three four five six", 20, "  ") == "  one two three four\n  five six"
    assert columns("ab漢e\u0301") == 5
