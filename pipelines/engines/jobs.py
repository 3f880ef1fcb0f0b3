"""A job: what one role is asked with, whatever it is asked."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pipelines.engines.identity import identity
from pipelines.engines.request_body import request_body
from schemas.generation import Request, RequestTruth, request
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


def job_of(recipe: Recipe, role: str, section: Literal["synthesis", "rubrics"]) -> Job | None:
    """Return what a role is asked with, by a section of the recipe; None where the recipe has no model for it."""
    model: ModelSection | None = getattr(recipe.models, role)
    if model is None:
        return None
    whose = identity(model, Path(recipe.directory))
    return Job(role=role, model=model, identity=whose, section=section, settings=getattr(recipe, section))
