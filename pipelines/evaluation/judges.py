"""The judge of an evaluation: a role of the recipe, and what each of its samples is asked with."""

from dataclasses import replace

from pipelines.judging.samples import ROLE, SamplingJob, sampling_job
from schemas.errors import RecipeError
from schemas.recipe import SCORERS, ModelSection, Recipe
from schemas.trajectory import Purpose

_PURPOSES = {role: purpose for purpose, role in ROLE.items() if purpose is not Purpose.PAIRED}
"""What a build samples with each role: its samples are the first ones of an evaluation."""


def judge_of(
    recipe: Recipe,
    role: str,
    k: int,
    *,
    grades_single: bool,
    temperature: float | None = None,
    logprobs: bool = False,
) -> SamplingJob:
    """Return what a role of the recipe is asked as a judge, with k samples a prompt.

    `grades_single`: single responses get a grade of 1 to 10. `logprobs`: answers come with the log-probabilities of
    their tokens. Raises RecipeError where the recipe has no model for the role.
    """
    if role in SCORERS:
        raise RecipeError(
            f"{role} gives scores and writes no judgements: take another role; docs/evaluation.md says what it is for"
        )
    model = getattr(recipe.models, role)
    if not isinstance(model, ModelSection):
        raise RecipeError(f"the recipe has no [models.{role}] of its own to evaluate")
    if role in _PURPOSES:
        job = sampling_job(recipe, _PURPOSES[role])
    else:  # a role that no build samples with: it judges as the grm does
        job = sampling_job(_with_grm(recipe, model), Purpose.RFT)
    assert job is not None  # the recipe has a model for the role
    job = replace(job, role=role)
    if logprobs:  # part of the body, and so of every request's id
        asked = model.model_copy(update={"extra_body": model.extra_body | {"logprobs": True}})
        job = replace(job, model=asked)
    settings = job.settings if temperature is None else job.settings.model_copy(update={"temperature": temperature})
    return replace(
        job, settings=settings, n=k, hinted_sources=frozenset(), is_for_rft=False, grades_single=grades_single
    )


def _with_grm(recipe: Recipe, model: ModelSection) -> Recipe:
    return recipe.model_copy(update={"models": recipe.models.model_copy(update={"grm": model})})


def greedy(judge: SamplingJob) -> SamplingJob:
    """Return the same judge, asked once at temperature 0."""
    return replace(judge, n=1, settings=judge.settings.model_copy(update={"temperature": 0.0}))
