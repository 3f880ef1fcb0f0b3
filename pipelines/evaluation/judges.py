"""The judge of an evaluation: a role of the recipe, and what each of its samples is asked with."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from pipelines.engines.identity import identity
from pipelines.judging.answer_forms import form_in_body
from pipelines.judging.prompts import Template, score_range
from pipelines.judging.samples import ROLE, SamplingJob, sampling_job
from schemas.errors import RecipeError
from schemas.recipe import ModelSection, Recipe
from schemas.trajectory import Purpose

GRADES = (1, 10)
"""The scale of a benchmark's single response, METHOD section 1."""
_PURPOSES = {role: purpose for purpose, role in ROLE.items() if purpose is not Purpose.PAIRED}
"""What a build samples with each role: its samples are the first ones of an evaluation."""


@dataclass(frozen=True, kw_only=True)
class Judge(SamplingJob):
    """A role that is evaluated. A single response gets a grade of 1 to 10, or 0 or 1 as in training."""

    grades_single: bool

    def template_of(self, n_responses: int) -> Template:
        return self.template if self.grades_single else super().template_of(n_responses)

    def scale(self, n_responses: int) -> tuple[int, int]:
        """Return the lowest and the highest score that the judge may give."""
        return GRADES if self.grades_single else score_range(n_responses)

    def form_of(self, n_responses: int) -> dict[str, Any]:
        form, text = self.settings.structured_output, self.settings.structured_text
        return form_in_body(form, text, self.template_of(n_responses), n_responses, self.scale(n_responses))

    def greedy(self) -> "Judge":
        """Return the same judge, asked once at temperature 0."""
        return replace(self, n=1, settings=self.settings.model_copy(update={"temperature": 0.0}))


def judge_of(recipe: Recipe, role: str, k: int, *, grades_single: bool, temperature: float | None = None) -> Judge:
    """Return the judge that a role of the recipe is, with k samples a prompt.

    Raises RecipeError where the recipe has no model for the role.
    """
    model = getattr(recipe.models, role)
    if not isinstance(model, ModelSection):
        raise RecipeError(f"the recipe has no [models.{role}] of its own to evaluate")
    job = sampling_job(recipe, _PURPOSES.get(role, Purpose.RFT))
    if job is None or job.role != role:  # a role that no build samples with: it judges as the grm does
        job = sampling_job(recipe, Purpose.RFT)
        assert job is not None
        job = replace(job, role=role, model=model, identity=identity(model, Path(recipe.directory)))
    settings = job.settings if temperature is None else job.settings.model_copy(update={"temperature": temperature})
    kept = {field.name: getattr(job, field.name) for field in fields(job)}
    changed = {"settings": settings, "n": k, "hinted_sources": frozenset[str](), "is_for_rft": False}
    return Judge(**kept | changed, grades_single=grades_single)
