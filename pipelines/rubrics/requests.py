"""What models are asked about rubrics, and how their answers are read.

The schemas say all they have to say by `enum` and `required`, as `pipelines.judging.answer_forms` does: `minItems` and
`minimum` have many strict modes refuse the request. A judgement has a key for each criterion, so that the server counts
them; how many criteria a rubric has is for the reader to check.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson

from pipelines.engines.jobs import Job, job_of
from pipelines.judging.prompts import filled, prompt_text
from pipelines.judging.shown_text import conversation_text, shown_text
from pipelines.rubrics.cases import Case
from pipelines.rubrics.panels import Panelist
from schemas.errors import RecipeError
from schemas.generation import Request, RubricTruth
from schemas.query import Messages, user
from schemas.recipe import Recipe
from schemas.rubric import MAX_POINTS, Criterion, CriterionKind, Rubric, criterion

LEAST, MOST = 5, 12
"""Criteria that a model is asked for; published rubrics have 7 to 20, and filtering takes some."""
TEMPLATES = ("generation", "judgement")
_TEXTS = "pipelines.rubrics.templates"

template = partial(prompt_text, _TEXTS)
"""Returns the text of a template of this stage, by its name."""


class MalformedAnswer(ValueError):
    """An answer that is not what was asked for; `reason` is what it is counted by."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an object that has these keys and no others."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


CRITERIA_SCHEMA = _object(
    {
        "criteria": {
            "type": "array",
            "items": _object(
                {
                    "text": {"type": "string"},
                    "points": {"type": "integer", "enum": [*range(-MAX_POINTS, 0), *range(1, MAX_POINTS + 1)]},
                    "kind": {"type": "string", "enum": [kind.value for kind in CriterionKind]},
                    "tags": {"type": "array", "items": {"type": "string"}},
                }
            ),
        }
    }
)


def met_schema(count: int) -> dict[str, Any]:
    """Return the schema of a judgement of so many criteria, by their numbers."""
    return _object({"met": _object({number: {"type": "boolean"} for number in _numbers(count)})})


def rubric_job(recipe: Recipe) -> Job:
    """Return what rubrics are written and tried with. Raises RecipeError where the recipe has no model for it."""
    if (job := job_of(recipe, "rubric", "rubrics")) is None:
        raise RecipeError("rubrics need a model that writes them: add [models.rubric] to the recipe")
    return job


def generation_request(job: Job, case: Case, retrieved: str, attempt: int) -> Request:
    """Return the request for the rubric of a case; `retrieved` are criteria that served for similar ones."""
    prompt = generation_prompt(case.preference.query, case.text_of(case.better), case.text_of(case.worse), retrieved)
    return job.request(case.query_id, _in_form("rubric", CRITERIA_SCHEMA, job.body(prompt)), attempt, RubricTruth())


def judgement_request(job: Job, rubric: Rubric, panelist: Panelist, attempt: int) -> Request:
    """Return the request to judge one answer by all criteria of a rubric.

    At temperature 0; where the answer to that was malformed it would be again, so the next attempt is sampled.
    """
    prompt = judgement_prompt(panelist.query, panelist.answer, rubric.criteria)
    sampled = job.body(prompt, job.settings.temperature if attempt else 0.0)
    body = _in_form("judgement", met_schema(len(rubric.criteria)), sampled)
    criteria = tuple((one.text, one.kind is CriterionKind.PITFALL) for one in rubric.criteria)
    return job.request(panelist.query_id, body, attempt, RubricTruth(panelist.is_best, criteria))


def _in_form(name: str, schema: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """Return a body that has an OpenAI-compatible endpoint, vLLM's too, keep to a schema.

    A recipe's extra_body may name another way to keep to one.
    """
    form = {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}
    return {"response_format": form, **body}


def generation_prompt(query: Messages, better: str, worse: str, retrieved: str) -> Messages:
    """Return the request to write a rubric for a question, in the context of what the pools hold for it."""
    return user(
        filled(
            _TEXTS,
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
    return user(
        filled(
            _TEXTS,
            "judgement",
            question=shown_text(conversation_text(query)),
            answer=shown_text(answer),
            criteria="\n".join(f"{number}. {shown_text(one.text)}" for number, one in enumerate(criteria, 1)),
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
        if not isinstance((tags := item.get("tags") or []), list) or not all(isinstance(tag, str) for tag in tags):
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


def object_in(text: str) -> dict[str, Any]:
    """Return the one JSON object of an answer, which may stand in a code fence. Raises MalformedAnswer."""
    body = text.strip()
    if body.startswith("```") and body.endswith("```"):
        body = body[3:-3].removeprefix("json").strip()
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise MalformedAnswer("not_json") from None
    if not isinstance(found, dict):
        raise MalformedAnswer("no_object")
    return found


def _numbers(count: int) -> list[str]:
    """Return the numbers that a judgement's prompt gives so many criteria."""
    return [str(number) for number in range(1, count + 1)]
