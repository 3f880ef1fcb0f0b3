"""The rule that scores a judge's answer: +1 if it found the best response, -1 if not, a little more for named errors.

This module needs nothing but Python 3.10. It is a part of the published `rewards.py`, whose docstring tells the rule.
"""

import json
import re
from collections import deque
from typing import Any, NamedTuple

from pipelines.judging.verdicts import answer_of, read_scores

ERROR_BONUS = 0.1
MOST_ERRORS = 3
"""So many named errors pay: a right pick must stay worth more than all that is said about the others."""
LONGEST_ANSWER = 20_000
LONGEST_PARAGRAPH = 1_000
"""Characters; what is longer names no error."""

_BEST = re.compile(r"(?<![a-z])best[\s*_]*:", re.IGNORECASE | re.ASCII)
_PICK = re.compile(r"(?<![a-z])best[\s*_]*:[\s*_$]*\\boxed", re.IGNORECASE)
_PICK_DRESS = " \t\r\n\f\v\u00a0*_$["
_BOXED_PICK = re.compile(
    rf"(?:\\[\[(]|[{re.escape(_PICK_DRESS)}])*\\boxed\{{\s*(?:\[([0-9]{{1,2}})\]|([0-9]{{1,2}}))\s*\}}"
)

_ERRORS = re.compile(r"^[ \t*_#]*errors[ \t*_]*:[ \t*_]*$", re.IGNORECASE | re.MULTILINE)
_PARAGRAPH = re.compile(r"^[ \t*_>-]*Response ([0-9]{1,2})[*_]*:[*_]*", re.MULTILINE)
_CLAIM = re.compile(r'"([^"]+)" is wrong, "([^"]+)" is right(?:(?:[.:;,]| because)([^"]*))?')
_QUOTATION_MARKS = str.maketrans("\u201c\u201d", '""')
# A reason that takes its claim back; the plain ways to say so in English, since no list holds them all.
_DOUBT = re.compile(
    r"\b(?:may ?be|might|perhaps|possibl[ey]|probably|arguably|not sure|unsure|unclear|on second thought|take that back"
    r"|the other way (?:a?round)|no (?:error|mistake)s?|not an error|nothing wrong"
    r"|(?:is|are|was|were|be|seems?|looks?|also|both|equally) (?:\w+ ){0,2}"
    r"(?:right|correct|true|valid|fine|wrong|incorrect|false|mistaken))\b",
    re.IGNORECASE,
)
# Characters that nobody sees, and words that mix Latin letters with others of the same looks.
_DISGUISE = re.compile(
    "[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\uff01-\uff5e]|[A-Za-z][\u0400-\u052f]|[\u0400-\u052f][A-Za-z]"
)


def outcome_of(scores: tuple[int, ...], best_position: int | None, label: int | None) -> str:
    """Return "correct", "incorrect" or "tied".

    Correct means that the best response scored strictly higher than every other; `best_position` is 0-based, as
    shown. A single response is correct when its score is the label.
    """
    if len(scores) == 1:
        return "correct" if scores[0] == label else "incorrect"
    if best_position is None or not 0 <= best_position < len(scores):
        raise ValueError(f"best position {best_position} is none of {len(scores)} responses")
    highest = max(scores)
    if scores[best_position] < highest:
        return "incorrect"
    return "tied" if scores.count(highest) > 1 else "correct"


def read_pick(answer: str, n_responses: int) -> tuple[int, int, int] | None:
    """Return the pick after the last `Best:` of an answer without its thinking; None unless it is a single response.

    (position from 0 as shown, where its `Best:` begins, where its box ends). Never raises.
    """
    heading = _last(_BEST, answer)
    pick = _BOXED_PICK.match(answer, heading.end()) if heading else None
    if heading is None or pick is None or "\\boxed{" in answer[pick.end() :]:
        return None
    number = int(pick[1] or pick[2])
    return (number - 1, heading.start(), pick.end()) if 1 <= number <= n_responses else None


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """Return the last match. No list of them all is made: of a hostile text it would hold hundreds of thousands."""
    found = deque(pattern.finditer(text), maxlen=1)
    return found[0] if found else None


def named_errors(text: str, answers: list[str | None], best: int) -> int:
    """Return of how many wrong responses the last `Errors:` of a text names the error, verified.

    `answers` holds the final answer of each response as shown, None where it has none of its own. The part holds
    paragraphs `Response i: ..`, one a response and none on the best one: otherwise nothing in it counts. A paragraph
    that stands there twice counts for neither response.
    """
    heading = _last(_ERRORS, text)
    before, *parts = _PARAGRAPH.split(text[heading.end() :] if heading else "")
    positions = [int(number) - 1 for number in parts[::2]]
    wrong = set(range(len(answers))) - {best}
    if before.strip() or len(set(positions)) < len(positions) or not wrong.issuperset(positions):
        return 0
    bodies = [" ".join(body.split()) for body in parts[1::2]]
    return sum(
        bodies.count(body) == 1 and _is_verified(body, answers[position], answers[best])
        for position, body in zip(positions, bodies, strict=True)
    )


def _is_verified(body: str, wrong: str | None, right: str | None) -> bool:
    """Say whether a paragraph claims that the one answer is wrong and the other right, and leaves it at that."""
    if wrong is None or right is None or len(body) > LONGEST_PARAGRAPH or _DISGUISE.search(body):
        return False
    claim = _CLAIM.fullmatch(body.translate(_QUOTATION_MARKS))
    if claim is None or bare_answer(claim[1]) != bare_answer(wrong) or bare_answer(claim[2]) != bare_answer(right):
        return False
    return not _DOUBT.search(claim[3] or "")


def bare_answer(answer: str) -> str:
    """Return an answer as it is compared: to the letter, but for blanks, dollar signs and a stop around it."""
    return " ".join(answer.split()).strip("$ ").rstrip(".,;$ ")


def reward(text: str, ground_truth: str) -> float:
    """Return +1.0 for a correct answer, -1.0 for any other; up to +1.3 where it is a pick that names errors.

    The ground truth is JSON: {"n": 4, "best": 2}, the best response's position counted from 0 as shown, or
    {"n": 1, "label": 0} for a single response, which is scored 0 or 1. With "answers", the final answer of each
    response as shown or null, a pick is wanted. Raises ValueError where it is none of these.
    """
    truth = read_ground_truth(ground_truth)
    if truth.answers is not None:
        return _selection_reward(answer_of(text), truth)
    scores = read_scores(text, truth.n_responses, *truth.range)
    if isinstance(scores, str):
        return -1.0
    return 1.0 if outcome_of(scores, truth.best, truth.label) == "correct" else -1.0


def _selection_reward(answer: str, truth: "Truth") -> float:
    """Return 1.0 for the right pick and 0.1 for each error named before it, -1.0 for any other answer."""
    pick = read_pick(answer, truth.n_responses)
    if pick is None or pick[0] != truth.best:
        return -1.0
    best, start, end = pick
    further = re.sub(r"<\|\w+\|>", "", answer[end:]).strip(_PICK_DRESS + "])\\.")
    if len(answer) > LONGEST_ANSWER or further or len(_PICK.findall(answer)) > 1:
        return 1.0
    return round(1.0 + ERROR_BONUS * min(named_errors(answer[:start], truth.answers or [], best), MOST_ERRORS), 1)


class Truth(NamedTuple):
    """What a judge should have found."""

    n_responses: int
    best: int | None
    label: int | None
    answers: list[str | None] | None

    @property
    def range(self) -> tuple[int, int]:
        return (0, 1) if self.n_responses == 1 else (1, 10)


def read_ground_truth(ground_truth: str) -> Truth:
    """Return what a row's ground truth says; raises ValueError where it is none (see `reward`)."""
    try:
        truth = json.loads(ground_truth)
        n_responses, best, label, answers = truth["n"], *map(truth.get, ("best", "label", "answers"))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        n_responses, best, label, answers = None, None, None, None
    if type(n_responses) is int:
        if n_responses == 1 and type(label) is int and label in (0, 1) and answers is None:
            return Truth(1, None, label, None)
        if n_responses > 1 and type(best) is int and 0 <= best < n_responses and _fit(answers, n_responses):
            return Truth(n_responses, best, None, answers)
    raise ValueError(
        f'ground truth {repr(ground_truth)[:200]} is neither {{"n": 4, "best": 2}}, with or without 4 "answers", '
        'nor {"n": 1, "label": 0}'
    )


def _fit(answers: Any, n_responses: int) -> bool:
    if not isinstance(answers, list):
        return answers is None
    return len(answers) == n_responses and all(text is None or (isinstance(text, str) and text) for text in answers)
