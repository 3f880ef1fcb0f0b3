"""A scalar reward model as the judge: one score a response, a real number on a scale of its own.

It is shown the conversation as it is, with the response as the assistant's last turn; no template stands around them.
"""

from dataclasses import dataclass
from typing import Any

from pipelines.engines.jobs import ScoringJob, scoring_job
from pipelines.evaluation.prompts import Prompt
from pipelines.judging.draws import Draw
from pipelines.judging.shown_text import Shown, response_text, without_special_tokens
from schemas.errors import RecipeError
from schemas.generation import Request
from schemas.query import Message, Messages
from schemas.recipe import Recipe

ROLE = "reward_model"


@dataclass(frozen=True, kw_only=True)
class RewardModel(ScoringJob):
    """The recipe's reward model."""

    n: int = 1
    """Scores of each response: nothing is drawn, so another one would be the same."""
    shown: Shown
    """What of a response is shown, as judges see it."""

    @property
    def draw(self) -> Draw:
        """The one sample of a prompt, which shows one response."""
        return Draw(0, (0,), None, "", "")

    def request_of(self, prompt: Prompt) -> Request:
        """Return the request for the score of the prompt's response."""
        return self.scoring(prompt.preference.query_id, self.turns_of(prompt), bool(prompt.preference.label))

    def turns_of(self, prompt: Prompt) -> Messages:
        """Return the conversation whose last turn is scored: harmless to a chat template, else as it is."""
        (response,) = prompt.preference.responses
        turns = [*prompt.preference.query, Message("assistant", response_text(response, self.shown))]
        return tuple(Message(turn.role, without_special_tokens(turn.content)) for turn in turns)

    def key_settings(self) -> dict[str, Any]:
        """Return everything that its scores depend on."""
        return {
            "role": self.role,
            "model": self.model.name,
            "identity": self.identity,
            "body": self.body(()),
            "system_role": self.model.system_role,
            "shown": self.shown,
        }


def reward_model_of(recipe: Recipe) -> RewardModel:
    """Return the recipe's reward model as a judge. Raises RecipeError where it has none."""
    job = scoring_job(recipe, ROLE)
    if job is None:
        raise RecipeError("the recipe has no [models.reward_model] to evaluate")
    return RewardModel(
        role=ROLE,
        model=job.model,
        identity=job.identity,
        section=job.section,
        settings=recipe.grm,
        shown=recipe.grm.shown,
    )
