r"""Judgements that came as JSON, rendered into the text that the template asks for.

Whatever reads or trains on a judgement meets one form, and one grammar decides its verdict: the scores are copied into
`Scores: \boxed{..}` as the digits that the model wrote, and read there. That line is the last one, so nothing that a
critique says can stand in its place. What is not exactly the JSON that was asked for is read as any other text.
"""

import json
import re
from typing import Any, NamedTuple

from pipelines.judging.answer_forms import ANALYSIS, CRITERIA, score_name
from schemas.record import clean_text
from schemas.strict_json import object_of

_SCORE = re.compile("response_([1-9][0-9]{0,3})")
_PERCENT = re.compile(r"(100|[1-9]?[0-9])(?:\.0+)?")


class _Number(NamedTuple):
    """A number as it was written. No value is made of it here, however long or large it is."""

    written: str


def judgement_text(answer: str, headings: frozenset[str], n_responses: int) -> str | None:
    """Return the text of a judgement that is JSON; None where the answer is anything else. Never raises.

    A score too many or too few, or out of range, stands in the text too, and is found there.
    """
    body = answer.strip()
    if body.startswith("```") and body.endswith("```"):
        body = body[3:-3].removeprefix("json")
    try:
        judgement = json.loads(body, object_pairs_hook=object_of, parse_int=_Number, parse_float=_Number)
        return clean_text(_text(judgement, headings, n_responses))
    except (ValueError, RecursionError):
        return None


def _text(judgement: Any, headings: frozenset[str], n_responses: int) -> str:
    """Return the text. Raises ValueError where the judgement is not of the form that was asked for."""
    names = ["principles", "critique", "scores"] if CRITERIA in headings else ["critique", "scores"]
    *principles, critique, scores = _members(judgement, *names)
    critique = _of(str, critique).strip()
    sections = [_criteria(_of(list, given)) for given in principles]
    sections.append(f"{ANALYSIS}\n{critique}" if ANALYSIS in headings else critique)
    sections.append(f"Scores: \\boxed{{{', '.join(_scores(_of(dict, scores), n_responses))}}}")
    return "\n\n".join(sections)


def _of(kind: type[Any], value: Any) -> Any:
    """Return a value of this type."""
    if not isinstance(value, kind):
        raise ValueError(f"not a {kind.__name__}")
    return value


def _members(value: Any, *names: str) -> list[Any]:
    """Return the members of an object that has these and no others."""
    if not isinstance(value, dict) or value.keys() != set(names):
        raise ValueError(f"not an object of {', '.join(names)}")
    return [value[name] for name in names]


def _criteria(principles: list[Any]) -> str:
    """Return the criteria as the template lays them out, an item a line.

    A weight that is no percentage is left out, and a criterion that has no name: no schema forbids them.
    """
    lines = [CRITERIA]
    for principle in principles:
        name, description, weight = _members(principle, "name", "description", "weight")
        name, description = (" ".join(_of(str, text).split()) for text in (name, description))
        percent = _PERCENT.fullmatch(_of(_Number, weight).written)
        share = f" (weight: {percent[1]}%)" if percent else ""
        if name:
            lines.append(f"{len(lines)}. {name}{share}: {description}")
    return "\n".join(lines)


def _scores(scores: dict[str, Any], n_responses: int) -> list[str]:
    """Return the scores as written, in the order shown; as many as there are."""
    numbered = {
        int(name[1]): _of(_Number, score).written for key, score in scores.items() if (name := _SCORE.fullmatch(key))
    }
    if len(numbered) < len(scores):
        raise ValueError("a score belongs to a response")
    if len(numbered) == n_responses and scores.keys() != set(map(score_name, range(1, n_responses + 1))):
        raise ValueError("scores of responses that were not shown")
    return [numbered[number] for number in sorted(numbered)]
