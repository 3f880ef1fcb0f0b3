"""Is a short free answer the gold one, word for word? What is worded otherwise a teacher must judge."""

import re

from pipelines.grm.verdicts import after_thinking
from pipelines.synthesis.verification.final_answer import final_answer
from schemas.question import Verdict

_WORD = re.compile(r"[^\W_]+|[-+<>=%]")


def stated_answer(text: str) -> str | None:
    """Return what a text answers: its final answer where it marks one, or all of it."""
    return final_answer(text) or after_thinking(text).strip() or None


def verdict(gold: str, answer: str) -> Verdict:
    """Return right where both hold the same words in the same order, whatever stands between them; else undecided."""
    words = _WORD.findall(gold.casefold())
    return Verdict.RIGHT if words and words == _WORD.findall(answer.casefold()) else Verdict.UNDECIDED
