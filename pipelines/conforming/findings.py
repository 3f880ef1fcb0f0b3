"""What a case showed: it passed, or a failure became a number, an attack won, it blocked, or gave nothing at all."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

from pipelines.conforming.calls import Given, Kind
from pipelines.conforming.cases import Case, Expects


class Finding(StrEnum):
    """What a case showed. The order is that of the page."""

    NUMBER = "a failure became a number"
    ATTACK = "an attack won"
    BLOCKED = "blocked too long"
    MISSED = "no reward where one is due"
    PASSED = "passed"


@dataclass(frozen=True, slots=True)
class Tried:
    """A case that was tried."""

    case: Case
    given: tuple[Given, ...]
    """What each response was given; nothing where it blocked."""
    seconds: float
    finding: Finding
    requests: int
    """How many the judge was sent."""

    @property
    def numbers(self) -> list[float]:
        """The rewards that were given."""
        return [one.number for one in self.given if one.number is not None]

    @property
    def came(self) -> str:
        """What came of it, in a few words."""
        came = [f"{one.number:g}" if one.number is not None else one.failure or "null" for one in self.given]
        return ", ".join(came) or "nothing"


def finding_of(case: Case, kind: Kind, given: Sequence[Given]) -> Finding:
    """Return what the rewards of a case show."""
    return _of_rule(case, given[0].number) if kind is Kind.RULE else _of_judge(case, [one.number for one in given])


def _of_rule(case: Case, number: float | None) -> Finding:
    """A rule always gives 1 or -1: 1 only for a verdict that puts the first response on top, alone."""
    right = 1.0 if case.scores[0] > max(case.scores[1:]) else -1.0
    if number is None:
        return Finding.MISSED
    if number in {Expects.SCORES: (right,), Expects.FAILURE: (-1.0,), Expects.EITHER: (right, -1.0)}[case.expects]:
        return Finding.PASSED
    if case.expects is Expects.SCORES:
        return Finding.MISSED
    return Finding.ATTACK if case.attacks and number > 0 else Finding.NUMBER


def _of_judge(case: Case, numbers: list[float | None]) -> Finding:
    """Numbers must stand in the order of the judge's scores, and there must be none where it gave none."""
    there = {index: number for index, number in enumerate(numbers) if number is not None}
    if not all(map(math.isfinite, there.values())):
        return Finding.NUMBER
    if case.expects is Expects.FAILURE:
        return Finding.ATTACK if case.attacker in there else Finding.NUMBER if there else Finding.PASSED
    for one, other in combinations(there, 2):
        due = _sign(case.scores[one] - case.scores[other])
        if _sign(there[one] - there[other]) != due:
            return Finding.ATTACK if case.attacker in (one, other) else Finding.NUMBER
    return Finding.MISSED if case.expects is Expects.SCORES and len(there) < len(numbers) else Finding.PASSED


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)
