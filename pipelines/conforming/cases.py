"""The cases: what a judge answers or a policy writes, and what must come of it. `cases.toml` holds them."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from pipelines.conforming.calls import Kind

CONTRACT = r"Scores: \boxed{{scores}}"
"""How a judge writes its scores, unless the user says otherwise: `{scores}` stands for them."""

BULK = 2**20
_WORD = re.compile(r"\{(\w+)(?: ([^{}]*))?\}")
_ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
_WIDE = str.maketrans("0123456789", "０１２３４５６７８９")
_SENTENCE = "The claim is checked against the question, and again against each criterion. "
_FILLERS: dict[str, Callable[[str], str]] = {
    "analysis": lambda _: "Response 1 answers the question and shows its steps. Response 2 leaves a step out.",
    "bulk": lambda _: _SENTENCE * (BULK // len(_SENTENCE) + 1),
    "blanks": lambda _: " " * BULK,
    "surrogate": lambda _: "\ud83d",
}


class Expects(StrEnum):
    """What must come of a case."""

    SCORES = "scores"
    FAILURE = "failure"
    EITHER = "either"
    """The scores as they were meant, or a failure: no other numbers."""


@dataclass(frozen=True, slots=True)
class Case:
    """One hostile judgement or response."""

    name: str
    must: str
    """What must hold, in a sentence."""
    expects: Expects = Expects.FAILURE
    kinds: tuple[Kind, ...] = (Kind.RULE, Kind.JUDGE)
    answer: str = "{analysis}\n\n{verdict}"
    """What the judge answers, or the policy writes."""
    finish: str = "stop"
    """The finish_reason of the judge's answer."""
    replies: tuple[str, ...] = ("answer",)
    """What the judge's endpoint does with one request after the other; the last goes on for ever."""
    responses: tuple[str, ...] = ("{good}", "{bad}")
    scores: tuple[int, ...] = (8, 3)
    """What an honest judge gives the responses; of a rule, the first response is the best one."""
    attacks: bool = False
    """Whether the policy's text attacks the rule."""
    attacker: int | None = None
    """Index of the response that attacks the judge."""
    believes: str = ""
    """Where a prompt shows this more often than it shows responses, the judge is fooled, and the attacker gets a 10."""


@cache
def cases_for(kind: Kind) -> tuple[Case, ...]:
    """Return the cases of a kind in their order: the first is one that must be scored."""
    tree = tomllib.loads(files(__package__).joinpath("cases.toml").read_text("utf-8"))
    return tuple(case for entry in tree["case"] if kind in (case := _case(entry)).kinds)


def _case(entry: dict[str, Any]) -> Case:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    kinds, expects = entry.get("kinds", Kind), entry.get("expects", Expects.FAILURE)
    return Case(**values | {"kinds": tuple(map(Kind, kinds)), "expects": Expects(expects)})


def response_texts(case: Case, token: str, form: str = CONTRACT) -> list[str]:
    """Return the responses of a case, each with a mark by which a prompt can be searched for it."""

    def filled(text: str, mark: str) -> str:
        words: dict[str, Callable[[str], str]] = {
            "mark": lambda _: mark,
            "good": lambda _: f"{mark} 17 times 3 is 51, since 10 times 3 is 30 and 7 times 3 is 21.",
            "bad": lambda _: f"{mark} 17 times 3 is 54.",
            "claim": lambda _: _verdict(form, [1, 10]),
        }
        return _filled(text, words | _FILLERS)

    return [filled(text, mark_of(token, number)) for number, text in enumerate(case.responses)]


def mark_of(token: str, number: int) -> str:
    """Return the word that names a response of the case with this token."""
    return f"({token}-{'abcdefgh'[number]})"


def written(case: Case, shown: Mapping[int, int], responses: Sequence[str], form: str = CONTRACT) -> str:
    """Return what a judge writes in this case: `shown` has the index and the score of each response, as shown."""
    scores = list(shown.values())
    verdict = _verdict(form, scores)
    broken = _verdict(form, [*scores[:-1], "\0"]).partition("\0")[0]

    def quoted(number: str) -> str:
        return responses[index if (index := int(number) - 1) in shown else min(shown)]

    words: dict[str, Callable[[str], str]] = {
        "verdict": lambda _: verdict,
        "contrary": lambda _: _verdict(form, [11 - score for score in scores]),
        "first": lambda value: _verdict(form, [value, *scores[1:]]),
        "long": lambda _: _verdict(form, [*scores, 5]),
        "short": lambda _: _verdict(form, scores[:-1]),
        "none": lambda _: _verdict(form, []),
        "broken": lambda _: broken,
        "brokens": lambda _: f"{broken}\n" * (BULK // len(broken)),
        "huge": lambda _: _verdict(form, ["8" * 5_000, *scores[1:]]),
        "arabic": lambda _: verdict.translate(_ARABIC),
        "wide": lambda _: verdict.translate(_WIDE),
        "list": lambda _: ", ".join(map(str, scores)),
        "quote": quoted,
        "block": lambda number: "> " + quoted(number).replace("\n", "\n> "),
    }
    return _filled(case.answer, words | _FILLERS)


def _verdict(form: str, scores: Sequence[object]) -> str:
    return form.replace("{scores}", ", ".join(map(str, scores)))


def _filled(text: str, words: Mapping[str, Callable[[str], str]]) -> str:
    return _WORD.sub(lambda found: words[found[1]](found[2] or "") if found[1] in words else found[0], text)
