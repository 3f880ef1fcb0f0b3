"""Texts as words: what counts as the same text, and what does not."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.curation.contamination.normalising import grams_of, whole_hashes, words_of


def wholes(*texts: str | None) -> list[int]:
    return list(map(int, whole_hashes(words_of(pl.Series(texts, dtype=pl.String)))))


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("What is the rank of A?", "  what IS\nthe **rank** of “A” ..."),
        (r"Find $\frac{1}{2} + x^2$.", "find 1/2 + x²"),
        (r"Find $\frac1{2}$ of $3\cdot\left(4\right)$", "Find ½ of 3 · (4)"),
        ("cafe\u0301 for two", "CAFÉ for two"),
        ("a sof\u00adt hy\u200bphen", "a soft hyphen"),
        ("第三题：求和。", "第三题 求和"),
        ("I \u2764\ufe0f na\u034fture, 葛\U000e0100城", "i \u2764 nature 葛城"),
        ("Die Straße, ein Maß", "DIE STRASSE, EIN MASS"),
        ("ο δρόμος", "Ο ΔΡΌΜΟΣ"),
        ("10x + 3.5", "10 x 3 5"),
        ("Don't, at $1,000,000!", "dont at 1000000"),
        (r"It’s $10{,}000$ or 5,\!000 'units'", "It's 10000 or 5000 units"),
    ],
)
def test_what_differs_in_looks_alone_is_the_same_text(text: str, other: str) -> None:
    assert len(set(wholes(text, other))) == 1


@pytest.mark.parametrize(
    ("text", "other"),
    [("one two", "two one"), ("a b", "ab"), ("x", "x x"), ("sin", r"\cos"), ("你好", "好你"), ("(1,2)", "12")],
)
def test_what_says_something_else_is_another_text(text: str, other: str) -> None:
    assert len(set(wholes(text, other))) == 2


def test_a_script_without_spaces_has_a_word_for_each_character() -> None:
    words = words_of(pl.Series(["你好 world", "ไทย", "one", "", "?!", None]))

    assert words.counts.tolist() == [3, 3, 1, 0, 0, 0]


def test_grams_stay_within_their_text_and_say_where_they_stand() -> None:
    grams = grams_of(words_of(pl.Series(["a b c d", "e f", "b c d"])), 3)

    assert grams.texts.tolist() == [0, 0, 2]
    assert grams.places.tolist() == [0, 1, 0]
    assert grams.hashes[1] == grams.hashes[2] != grams.hashes[0]


def test_neighbouring_texts_are_joined_as_if_they_were_one() -> None:
    parts = words_of(pl.Series(["one", "two three", "four", ""]))
    joined = parts.joined(np.array([0, 2, 4]))

    assert list(map(int, whole_hashes(joined))) == wholes("One two three", "four")
    assert grams_of(joined, 3).texts.tolist() == [0]


def test_hashes_are_those_of_other_days() -> None:
    assert wholes("The 3 laws", "") == [17136129297431830279, 0]
    assert grams_of(words_of(pl.Series(["The 3 laws"])), 3).hashes.tolist() == [1051929093]


@given(st.lists(st.text(max_size=30), min_size=1, max_size=5))
def test_a_text_has_the_same_words_alone_and_among_others(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts]

    assert wholes(*texts) == [wholes(text)[0] for text in texts]
