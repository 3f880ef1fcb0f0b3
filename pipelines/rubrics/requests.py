"""Requests for rubrics, and for judgements by them."""

from pathlib import Path
from typing import Any

from pipelines.engines.identity import identity
from pipelines.engines.request_body import request_body
from pipelines.rubrics.cases import Case
from pipelines.rubrics.json_answers import response_format
from pipelines.rubrics.panels import Panelist
from pipelines.rubrics.prompts import (
    CRITERIA_SCHEMA,
    generation_prompt,
    judgement_prompt,
    met_schema,
)
from pipelines.synthesis.answers import AnswerJob
from schemas.errors import RecipeError
from schemas.generation import Request, RubricTruth, request
from schemas.query import Messages
from schemas.recipe import Recipe
from schemas.rubric import CriterionKind, Rubric


def rubric_job(recipe: Recipe) -> AnswerJob:
    """Return what rubrics are written and tried with. Raises RecipeError where the recipe has no model for it."""
    model, settings = recipe.models.rubric, recipe.rubrics
    if model is None:
        raise RecipeError("rubrics need a model that writes them: add [models.rubric] to the recipe")
    return AnswerJob(
        "rubric",
        model,
        identity(model, Path(recipe.directory)),
        settings.temperature,
        settings.max_tokens,
        "rubrics",
        frozenset(settings.model_fields_set),
    )


def generation_request(job: AnswerJob, case: Case, retrieved: str, attempt: int) -> Request:
    """Return the request for the rubric of a case; `retrieved` are criteria that served for similar ones."""
    query = case.preference.query
    prompt = generation_prompt(query, case.text_of(case.better), case.text_of(case.worse), retrieved)
    form = response_format("rubric", CRITERIA_SCHEMA)
    return _request(job, case.query_id, prompt, form, job.temperature, attempt, RubricTruth())


def judgement_request(job: AnswerJob, rubric: Rubric, panelist: Panelist, attempt: int) -> Request:
    """Return the request to judge one answer by all criteria of a rubric.

    At temperature 0; where the answer to that was malformed it would be again, so the next attempt is sampled.
    """
    prompt = judgement_prompt(panelist.query, panelist.answer, rubric.criteria)
    form = response_format("judgement", met_schema(len(rubric.criteria)))
    criteria = tuple((one.text, one.kind is CriterionKind.PITFALL) for one in rubric.criteria)
    return _request(
        job,
        panelist.query_id,
        prompt,
        form,
        job.temperature if attempt else 0.0,
        attempt,
        RubricTruth(panelist.is_best, criteria),
    )


def _request(
    job: AnswerJob,
    query_id: str,
    messages: Messages,
    form: dict[str, Any],
    temperature: float,
    attempt: int,
    truth: RubricTruth,
) -> Request:
    body = request_body(job.model, messages, temperature=temperature, max_tokens=job.max_tokens)
    return request(
        role=job.role,
        identity=job.identity,
        query_id=query_id,
        body={"response_format": form, **body},  # a recipe's extra_body may name another way to keep to a schema
        sample_index=attempt,
        truth=truth,
    )
