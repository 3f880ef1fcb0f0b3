"""A job: what one role is asked with, whatever it is asked."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pipelines.engines.identity import identity
from pipelines.engines.request_body import request_body, score_body
from schemas.generation import Request, RequestTruth, ScoreTruth, request
from schemas.query import Messages
from schemas.recipe import GrmSection, ModelSection, Recipe, RubricsSection, SynthesisSection


@dataclass(frozen=True, kw_only=True)
class Job:
    """A role of the recipe, with the settings that decide how its answers are."""

    role: str
    model: ModelSection
    identity: dict[str, Any]
    section: str
    """Of the recipe, where `settings` stand."""
    settings: GrmSection | SynthesisSection | RubricsSection

    def body(self, messages: Messages, temperature: float | None = None) -> dict[str, Any]:
        """Return the body of a request; `temperature` is that of the settings unless given."""
        heat = self.settings.temperature if temperature is None else temperature
        return request_body(self.model, messages, temperature=heat, max_tokens=self.settings.max_tokens)

    def request(
        self, query_id: str, body: dict[str, Any], sample_index: int, truth: RequestTruth, repeat: int = 0
    ) -> Request:
        """Return the request with this body; `repeat` is the number of earlier ones with the same prompt."""
        made = request(
            role=self.role,
            identity=self.identity,
            query_id=query_id,
            body=body,
            sample_index=sample_index,
            truth=truth,
        )
        return replace(made, repeat=repeat) if repeat else made


@dataclass(frozen=True, kw_only=True)
class ScoringJob(Job):
    """A role that scores texts: the score of a conversation's last turn. It depends on no settings of the recipe."""

    def body(self, messages: Messages, temperature: float | None = None) -> dict[str, Any]:
        """Return the body of a request; nothing is drawn, so there is no temperature."""
        return score_body(self.model, messages)

    def scoring(self, query_id: str, messages: Messages, is_right: bool) -> Request:
        """Return the request for a score. `is_right` is for the simulated scorer alone, and never sent."""
        return request(
            role=self.role,
            identity=self.identity,
            query_id=query_id,
            body=self.body(messages),
            sample_index=0,
            truth=ScoreTruth(is_right),
            is_seeded=False,
        )


def scoring_job(recipe: Recipe, role: str) -> ScoringJob | None:
    """Return what a scorer is asked with; None where the recipe has no model for the role."""
    model: ModelSection | None = getattr(recipe.models, role)
    if model is None:
        return None
    whose = identity(model, Path(recipe.directory))
    return ScoringJob(role=role, model=model, identity=whose, section="grm", settings=recipe.grm)


def job_of(recipe: Recipe, role: str, section: Literal["synthesis", "rubrics"]) -> Job | None:
    """Return what a role is asked with, by a section of the recipe; None where the recipe has no model for it."""
    model: ModelSection | None = getattr(recipe.models, role)
    if model is None:
        return None
    whose = identity(model, Path(recipe.directory))
    return Job(role=role, model=model, identity=whose, section=section, settings=getattr(recipe, section))
