"""What outcomes, reasons, verdicts and origins mean, in words for someone who meets them first."""

from collections.abc import Mapping
from typing import NamedTuple

from schemas.candidate import Origin
from schemas.explained import Meaning
from schemas.preference import DropReason
from schemas.question import Verdict
from schemas.trajectory import Outcome, RejectReason

SURPLUS = "surplus"
"""General rows that were not mixed in."""

MEANINGS: Mapping[str, Meaning] = {
    **{value: value.meaning for kind in (Outcome, RejectReason, DropReason) for value in kind},
    SURPLUS: Meaning(
        "a general row beyond the recipe's ratio to judged ones",
        "raise [general] ratio, or the number of judged rows",
    ),
}
"""By the value of Outcome, RejectReason or DropReason, or SURPLUS; each value stands for one thing only."""


class OriginWords(NamedTuple):
    """Who gave an answer, in words."""

    step: str
    """As a step of the report's funnel."""
    answers: str
    """As answers that are counted in a sentence."""
    author: str
    """As a fact of one answer."""


ORIGINS: Mapping[str, OriginWords] = {
    Origin.GIVEN: OriginWords("answers given", "answers that came with the source", "came with the source"),
    Origin.RESPONDER: OriginWords("responder's answers", "answers of the responder", "the responder's"),
    Origin.TEACHER: OriginWords("teacher's answers", "of the teacher", "the teacher's own"),
    Origin.REWRITE: OriginWords(
        "wrong, reworded", "wrong ones reworded by the teacher", "a wrong response in the teacher's words"
    ),
}


def meaning(value: str, n_responses: int | None = None) -> Meaning:
    """Return what an outcome or reason means; one that a newer grmforge wrote stands for itself.

    `n_responses`, where it is known, makes the words those of one response or of several.
    """
    found = MEANINGS.get(value, Meaning(value.replace("_", " ")))
    if n_responses and value in (Outcome.CORRECT, Outcome.INCORRECT):  # their words hold both cases
        of_several, of_one = found.words.split(", or a single response ")
        found = found._replace(words=f"the judge gave the response {of_one}" if n_responses == 1 else of_several)
    return found


def verdict_meaning(verdict: str) -> Meaning:
    """Return what a verdict means; one that a newer grmforge wrote stands for itself."""
    return Verdict(verdict).meaning if verdict in set(Verdict) else Meaning(verdict.replace("_", " "))
