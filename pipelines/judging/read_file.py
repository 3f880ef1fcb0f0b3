"""Judgements in a file of people's own, read as a build would: `grmforge read`.

{"text": "Analysis: Response 1 is right.\\n\\n### Scores\\n[7, 3]", "n": 2, "best": 0}
{"text": "<think>hm</think>Score: \\\\boxed{1}", "n": 1, "label": 1, "finish_reason": "stop"}
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.judging.extraction import read_answer
from pipelines.judging.hint_leaks import leaks_hint
from pipelines.sources.rows import json_lines, text_in
from schemas.errors import SourceError
from schemas.record import clean_text
from schemas.thoughts import split_thoughts, with_thoughts
from schemas.trajectory import Outcome, Reading

READABLE = "readable"
"""The outcome of a judgement that can be read, where nothing says which response is the best."""
MOST_RESPONSES = 1_000
_SCORES = range(-1_000_000, 1_000_001)


class FileReading(NamedTuple):
    """What was read of one line."""

    outcome: str
    reading: Reading
    reasoning: str | None
    hint_leak: bool | None
    """None unless the line says that the prompt held a hint."""

    def as_json(self) -> dict[str, Any]:
        read = self.reading
        return {
            "outcome": self.outcome,
            "scores": None if read.scores is None else list(read.scores),
            "verdict_form": read.verdict_form,
            "draft_verdict": read.draft_verdict,
            "principles": [principle._asdict() for principle in read.principles],
            "critique": read.critique,
            "reasoning": self.reasoning,
            **({} if self.hint_leak is None else {"hint_leak": self.hint_leak}),
        }


def readings_in(file: Path) -> Iterator[FileReading]:
    """Yield what each line of a JSONL file says. Raises SourceError that names the line."""
    for where, row in json_lines(file):
        yield _reading(row, where)


def _reading(row: dict[str, Any], where: str) -> FileReading:
    if "text" not in row:
        raise SourceError(f"{where}: has no text; give the judge's answer, or null where it gave none")
    n_responses = _integer(row, "n", where, range(1, MOST_RESPONSES + 1))
    if n_responses is None:
        raise SourceError(f"{where}: has no n; give the number of responses that were judged")
    low, high = _integer(row, "low", where, _SCORES), _integer(row, "high", where, _SCORES)
    truth, other = ("label", "best") if n_responses == 1 else ("best", "label")
    if row.get(other) is not None:
        raise SourceError(f"{where}: {other} says nothing of {n_responses} responses; give {truth}")
    known = _integer(row, truth, where, _SCORES if n_responses == 1 else range(n_responses))
    text, reasoning = text_in(row, "text", where), text_in(row, "reasoning", where)
    if text is None:
        return FileReading(Outcome.FAILED, Reading(Outcome.FAILED), reasoning, None)
    answer, thoughts = split_thoughts(clean_text(text))
    best, label = (None, known or 0) if n_responses == 1 else (known or 0, None)
    reading = read_answer(answer, text_in(row, "finish_reason", where), n_responses, best, label, low, high)
    outcome = reading.outcome.value if known is not None or not reading.outcome.readable else READABLE
    leak = leaks_hint(answer) if row.get("hinted") is True else None
    return FileReading(outcome, reading, with_thoughts(reasoning, thoughts), leak)


def _integer(row: dict[str, Any], key: str, where: str, allowed: range) -> int | None:
    """Return the integer under a key; None where it is absent or null."""
    value = row.get(key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is not None and (type(value) is not int or value not in allowed):
        raise SourceError(f"{where}: {key} is no integer of {allowed[0]}..{allowed[-1]}")
    return value
