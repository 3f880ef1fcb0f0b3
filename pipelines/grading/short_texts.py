"""Is a short free answer the gold one word for word, or another option? All else a teacher must judge."""

import re
from itertools import pairwise

from pipelines.grading.final_answer import final_answer
from schemas.question import Verdict
from schemas.thoughts import split_thoughts

_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+|\S")
"""A number, a word or a sign: what a sign may mean is much, and -5 is not 5."""
_SET_OFF = re.compile(r"[.,;:?]+(?=\s|$)|(?<!\d)!+(?=\s|$)|[\"“”„]")
"""Punctuation where it ends something, and quotation marks: nothing else says nothing."""
_DECORATED = re.compile(r"(?<!\w)(?P<mark>\*{1,3}|_{1,2}|`|\$)(?=\S)(?P<inner>[^*_`$\n]{0,300})(?<=\S)(?P=mark)(?!\w)")
_UNIT = 3
"""Characters of a word behind a number whose case counts: 5 mW is not 5 MW."""
_DASHES = str.maketrans({"−": "-", "–": "-", "‐": "-", "‑": "-", "’": "'"})


def stated_answer(text: str) -> str | None:
    """Return what a text answers: its final answer where it marks one, or all of it."""
    return final_answer(text, in_words=True) or split_thoughts(text)[0].strip() or None


def verdict(gold: str, answer: str, options: tuple[str, ...] = ()) -> Verdict:
    """Return right where both hold the same words and signs in the same order, whatever punctuation stands between
    them, wrong where the answer holds those of another of the question's options; else undecided.
    """
    words, wanted = _words(answer), _words(gold)
    if not words or not wanted:
        return Verdict.UNDECIDED
    if words == wanted:
        return Verdict.RIGHT
    return Verdict.WRONG if any(words == _words(option) for option in options) else Verdict.UNDECIDED


def _words(text: str) -> list[str]:
    text = _DECORATED.sub(r"\g<inner>", text.translate(_DASHES))
    tokens = _TOKEN.findall(_SET_OFF.sub(" ", text))
    return [
        token if before[0].isdigit() and len(token) <= _UNIT else token.casefold()
        for before, token in pairwise(["-", *tokens])
    ]
