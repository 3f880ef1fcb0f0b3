"""Where in an answer stands what the reader read from it: its verdict, each of its principles, its critique, and the
words that give a hint away.

Nothing is read anew here: the places are those of the reader itself, or of the very texts that it returned.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from pipelines.judging.extraction import TRUNCATED_BY, read_parts
from pipelines.judging.hint_leaks import first_verdict, hint_sentences
from pipelines.judging.part_headings import first_parts
from pipelines.judging.prompts import score_range
from pipelines.judging.verdicts import FORGIVEN, answer_of, read_verdict
from schemas.trajectory import Outcome

Kind = Literal["verdict", "principle", "critique", "leak", "cut"]


class Mark(NamedTuple):
    """A place in an answer, in characters."""

    kind: Kind
    start: int
    end: int
    note: str
    """What was read there."""


def marks_of(
    text: str, n_responses: int, finish_reason: str | None, *, hinted: bool = False, reference_shown: bool = False
) -> list[Mark]:
    """Return the marks of an answer, by where they begin. Leaks are looked for where the prompt had a hint."""
    answer = answer_of(text)
    shift = text.find(answer)
    if shift < 0:  # thoughts stood in its midst, so that no place in the answer is one in the text
        return []
    found = [*_of_verdict(answer, n_responses), *_of_parts(answer)]
    if hinted:
        found += _of_hint(answer, reference_shown)
    if finish_reason in TRUNCATED_BY:
        found.append(Mark("cut", max(0, len(answer.rstrip()) - 1), len(answer), "the endpoint cut the answer off here"))
    shifted = (mark._replace(start=mark.start + shift, end=mark.end + shift) for mark in found)
    return sorted(shifted, key=lambda mark: (mark.start, -mark.end))


def _of_verdict(answer: str, n_responses: int) -> Iterator[Mark]:
    verdict = read_verdict(answer, n_responses, *score_range(n_responses))
    if verdict.scores is not None:
        form = ", in a form that is forgiven" if verdict.form == FORGIVEN else ""
        draft = "; it takes an earlier verdict back" if verdict.is_draft_before else ""
        yield Mark("verdict", verdict.start, verdict.end, f"read as {', '.join(map(str, verdict.scores))}{form}{draft}")
    elif verdict.start < verdict.end and verdict.failure:
        yield Mark("verdict", verdict.start, verdict.end, f"not read: {Outcome(verdict.failure).meaning.words}")


def _of_parts(answer: str) -> Iterator[Mark]:
    principles, critique = read_parts(answer)
    criteria, _ = first_parts("\n" + answer)
    place = criteria.end() - 1 if criteria else 0
    for principle in principles:
        start = answer.find(principle.name, place)
        if start < 0:
            continue
        place = start + len(principle.name)
        rest = answer.find(principle.description, place) if principle.description else -1
        if rest >= 0:
            place = rest + len(principle.description)
        weight = "" if principle.weight is None else f", weight {principle.weight:.0%}"
        yield Mark("principle", start, place, principle.name + weight)
    if critique and (start := answer.find(critique, place)) >= 0:
        yield Mark("critique", start, start + len(critique), "")


def _of_hint(answer: str, reference_shown: bool) -> Iterator[Mark]:
    for start, end in hint_sentences(answer, reference_shown):
        yield Mark("leak", start, end, "speaks of the hint")
    if place := first_verdict(answer, *read_parts(answer)):
        yield Mark("leak", *place, "a verdict before the first criterion is applied")
