"""Answers in a file of people's own, graded as a build would: `grmforge grade`.

{"gold": "7.2\\\\%", "answer": "0.072"}
{"gold": "12.5 dB", "text": "So it is \\\\boxed{12.6\\\\text{ dB}}.", "form": "number", "tolerance": 0.02}
{"gold": "B", "text": "Answer: 2", "form": "option", "options": ["attach", "detach"]}
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.grading.crew import grade_all
from pipelines.sources.rows import json_lines, text_in
from pipelines.synthesis.grading import answer_text
from schemas.errors import SourceError
from schemas.question import AnswerForm, Gold, Verdict
from schemas.record import clean_text

_UNNAMED_OPTIONS = ("",) * 26
"""Options whose texts nobody gives go by number and letter."""


@dataclass(frozen=True, slots=True)
class FileGrade:
    """What is known of one line."""

    verdict: Verdict
    """Right, wrong or undecided."""
    answer: str | None
    """The final answer as read; None where the text has none."""
    reason: str | None = None
    """Why it is undecided, where that is not the verifier's doubt: `no_answer` or `timed_out`."""

    def as_json(self) -> dict[str, Any]:
        return {"verdict": self.verdict, "answer": self.answer, **({"reason": self.reason} if self.reason else {})}


def read_pairs(file: Path) -> list[tuple[Gold, str]]:
    """Return the gold answers and texts of a JSONL file. Raises SourceError that names the line."""
    return [_pair(row, where) for where, row in json_lines(file)]


def grades_of(pairs: Iterable[tuple[Gold, str]]) -> Iterator[FileGrade]:
    """Yield a grade for each pair, in order."""
    for grade in grade_all(pairs):
        is_decided = grade.verdict in (Verdict.RIGHT, Verdict.WRONG, Verdict.UNDECIDED)
        answer = None if grade.answer is None else clean_text(grade.answer)
        yield FileGrade(grade.verdict, answer) if is_decided else FileGrade(Verdict.UNDECIDED, answer, grade.verdict)


def _pair(row: dict[str, Any], where: str) -> tuple[Gold, str]:
    gold = _gold(row, where)
    if row.get("answer") is not None:
        return gold, answer_text(gold.form, _text(row, "answer", where))
    if row.get("text") is None:
        raise SourceError(f"{where}: has neither answer nor text; one of them is graded")
    return gold, _text(row, "text", where)


def _gold(row: dict[str, Any], where: str) -> Gold:
    """Return the known answer of a row, and how others are compared with it."""
    if not (answer := _text(row, "gold", where)).strip():
        raise SourceError(f"{where}: gold is empty; give the known answer")
    form = row.get("form") or AnswerForm.MATH
    if not isinstance(form, str) or form not in set(AnswerForm):
        raise SourceError(f"{where}: form {str(form)[:40]!r} is unknown; there are {', '.join(AnswerForm)}")
    options, tolerance = row.get("options") or (), row.get("tolerance")
    if not isinstance(options, list | tuple) or not all(isinstance(one, str) for one in options):
        raise SourceError(f"{where}: options is no list of texts")
    if tolerance is not None and (isinstance(tolerance, bool) or not isinstance(tolerance, int | float)):
        raise SourceError(f"{where}: tolerance is no number, such as 0.01")
    if tolerance is not None and not 0 <= tolerance < 1:
        raise SourceError(f"{where}: tolerance is no share from 0 to 1, such as 0.01 for 1 %")
    if form == AnswerForm.OPTION:
        options = options or _UNNAMED_OPTIONS
        answer = str(ord(answer.upper()) - ord("A") + 1) if len(answer) == 1 and answer.isalpha() else answer
    return Gold(AnswerForm(form), answer, tuple(options), tolerance)


def _text(row: dict[str, Any], key: str, where: str) -> str:
    if (value := text_in(row, key, where)) is None:
        raise SourceError(f"{where}: has no {key}")
    return value
