"""What models are asked about rubrics, and how their answers are read: pure functions.

The schemas say all they have to say by `enum` and `required`, as `pipelines.judging.answer_forms` does: `minItems` and
`minimum` have many strict modes refuse the request. A judgement has a key for each criterion, so that the server counts
them; how many criteria a rubric has is for the reader to check.
"""

from collections.abc import Sequence
from typing import Any

from pipelines.judging.prompt_texts import filled, prompt_text
from pipelines.judging.shown_text import conversation_text, shown_text
from pipelines.rubrics.json_answers import MalformedAnswer, object_in
from schemas.query import Messages, user
from schemas.rubric import MAX_POINTS, Criterion, CriterionKind, criterion

LEAST, MOST = 5, 12
"""Criteria that a model is asked for; published rubrics have 7 to 20, and filtering takes some."""
TEMPLATES = ("generation", "judgement")
_TEXTS = "pipelines.rubrics.templates"

CRITERIA_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "criteria": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "text": {"type": "string"},
                    "points": {"type": "integer", "enum": [*range(-MAX_POINTS, 0), *range(1, MAX_POINTS + 1)]},
                    "kind": {"type": "string", "enum": [kind.value for kind in CriterionKind]},
                    "tags": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["text", "points", "kind", "tags"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["criteria"],
    "additionalProperties": False,
}


def met_schema(count: int) -> dict[str, Any]:
    """Return the schema of a judgement of so many criteria, by their numbers."""
    values = {number: {"type": "boolean"} for number in _numbers(count)}
    met = {"type": "object", "properties": values, "required": list(values), "additionalProperties": False}
    return {"type": "object", "properties": {"met": met}, "required": ["met"], "additionalProperties": False}


def template(name: str) -> str:
    """Return the text of a template of this stage."""
    return prompt_text(_TEXTS, name)


def generation_prompt(query: Messages, better: str, worse: str, retrieved: str) -> Messages:
    """Return the request to write a rubric for a question, in the context of what the pools hold for it."""
    return user(
        _filled(
            "generation",
            question=shown_text(conversation_text(query)),
            better=shown_text(better),
            worse=shown_text(worse),
            retrieved=shown_text(retrieved) or "(none)",
            least=str(LEAST),
            most=str(MOST),
        )
    )


def judgement_prompt(query: Messages, answer: str, criteria: Sequence[Criterion]) -> Messages:
    """Return the request to say of every criterion whether an answer meets it."""
    lines = [f"{number}. {shown_text(one.text)}" for number, one in enumerate(criteria, 1)]
    return user(
        _filled(
            "judgement",
            question=shown_text(conversation_text(query)),
            answer=shown_text(answer),
            criteria="\n".join(lines),
            count=str(len(criteria)),
        )
    )


def read_criteria(text: str, origin: str) -> list[Criterion]:
    """Return the criteria that a model wrote, repeats left out. Raises MalformedAnswer, InvalidRubric."""
    items = object_in(text).get("criteria")
    if not isinstance(items, list):
        raise MalformedAnswer("no_list_of_criteria")
    criteria: dict[str, Criterion] = {}
    for item in items:
        if not isinstance(item, dict) or not {"text", "points", "kind"} <= item.keys():
            raise MalformedAnswer("criterion_lacks_a_key")
        tags = item.get("tags") or []
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise MalformedAnswer("tags_are_no_list")
        one = criterion(item["text"], item["points"], item["kind"], tags=tags, origin=origin)
        criteria.setdefault(one.criterion_id, one)
    if len(criteria) > MOST:
        raise MalformedAnswer("too_many_criteria")
    return list(criteria.values())


def read_judgement(text: str, count: int) -> tuple[bool, ...]:
    """Return what a judgement says of each criterion. Raises MalformedAnswer, as where a number is missing."""
    met = object_in(text).get("met")
    if not isinstance(met, dict) or not all(isinstance(one, bool) for one in met.values()):
        raise MalformedAnswer("no_booleans_by_number")
    numbers = _numbers(count)
    if met.keys() != set(numbers):
        raise MalformedAnswer("wrong_count")
    return tuple(met[number] for number in numbers)


def _numbers(count: int) -> list[str]:
    """Return the numbers that a judgement's prompt gives so many criteria."""
    return [str(number) for number in range(1, count + 1)]


def _filled(name: str, **values: str) -> str:
    return filled(_TEXTS, name, **values)
