r"""Judgements that came as JSON, rendered into the text that the template asks for.

Whatever reads or trains on a judgement meets one form, and one grammar decides its verdict: the scores are copied into
`Scores: \boxed{..}` as the digits that the model wrote, and read there. That line is the last one, so nothing that a
critique says can stand in its place. What is not exactly the JSON that was asked for is read as any other text.
"""

import json
import re
from typing import Any, NamedTuple, NoReturn

from pipelines.judging.answer_forms import ANALYSIS, CRITERIA, score_name
from schemas.record import clean_text

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
        judgement = json.loads(
            body, object_pairs_hook=_object, parse_int=_Number, parse_float=_Number, parse_constant=_refused
        )
        return clean_text(_text(judgement, headings, n_responses))
    except (ValueError, RecursionError):
        return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice, and nothing says which one counts")
    return found


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _text(judgement: Any, headings: frozenset[str], n_responses: int) -> str:
    """Return the text. Raises ValueError where the judgement is not of the form that was asked for."""
    has_criteria = CRITERIA in headings
    parts = _members(judgement, *(["principles"] if has_criteria else []), "critique", "scores")
    critique, scores = parts[-2:]
    if not isinstance(critique, str):
        raise ValueError("the critique is no text")
    sections = [_criteria(parts[0])] if has_criteria else []
    sections.append(f"{ANALYSIS}\n{critique.strip()}" if ANALYSIS in headings else critique.strip())
    sections.append(f"Scores: \\boxed{{{', '.join(_scores(scores, n_responses))}}}")
    return "\n\n".join(sections)


def _members(value: Any, *names: str) -> list[Any]:
    """Return the members of an object that has these and no others."""
    if not isinstance(value, dict) or value.keys() != set(names):
        raise ValueError(f"not an object of {', '.join(names)}")
    return [value[name] for name in names]


def _criteria(principles: Any) -> str:
    """Return the criteria as the template lays them out, an item a line.

    A weight that is no percentage is left out, and a criterion that has no name: no schema forbids them.
    """
    if not isinstance(principles, list):
        raise ValueError("the principles are no list")
    lines = [CRITERIA]
    for principle in principles:
        name, description, weight = _members(principle, "name", "description", "weight")
        if not isinstance(name, str) or not isinstance(description, str) or not isinstance(weight, _Number):
            raise ValueError("a principle has a name, a description and a weight")
        percent = _PERCENT.fullmatch(weight.written)
        share = f" (weight: {percent[1]}%)" if percent else ""
        if name.strip():
            lines.append(f"{len(lines)}. {' '.join(name.split())}{share}: {' '.join(description.split())}")
    return "\n".join(lines)


def _scores(scores: Any, n_responses: int) -> list[str]:
    """Return the scores as written, in the order shown; as many as there are."""
    if not isinstance(scores, dict):
        raise ValueError("the scores are no object")
    numbered: list[tuple[int, str]] = []
    for name, score in scores.items():
        number = _SCORE.fullmatch(name)
        if number is None or not isinstance(score, _Number):
            raise ValueError("a score is a number, and belongs to a response")
        numbered.append((int(number[1]), score.written))
    if len(numbered) == n_responses and scores.keys() != {score_name(one + 1) for one in range(n_responses)}:
        raise ValueError("scores of responses that were not shown")
    return [score for _, score in sorted(numbered)]
