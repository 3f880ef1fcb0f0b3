"""Is a short free answer the gold one word for word, or another option? All else a teacher must judge."""

import re

from pipelines.grm.verdicts import after_thinking
from pipelines.synthesis.verification.final_answer import final_answer
from schemas.question import Verdict

_WORD = re.compile(r"[^\W_]+|[-+<>=%]")


def stated_answer(text: str) -> str | None:
    """Return what a text answers: its final answer where it marks one, or all of it."""
    return final_answer(text, in_words=True) or after_thinking(text).strip() or None


def verdict(gold: str, answer: str, options: tuple[str, ...] = ()) -> Verdict:
    """Return right where both hold the same words in the same order, whatever stands between them, wrong where the
    answer holds those of another of the question's options; else undecided.
    """
    words, wanted = _words(answer), _words(gold)
    if not words or not wanted:
        return Verdict.UNDECIDED
    if words == wanted:
        return Verdict.RIGHT
    return Verdict.WRONG if any(words == _words(option) for option in options) else Verdict.UNDECIDED


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
