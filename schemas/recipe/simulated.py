"""`[models.<role>.simulated]`: how the simulated engine judges, answers and scores."""

from typing import Annotated

from pydantic import Field, model_validator

from schemas.recipe.section import Flag, Number, Section, Seed, Share

FAULTS = ("tied", "truncated", "wrong_count", "out_of_range", "unparsed", "refused", "failed")
"""The shares of `Simulated` of which one answer can have one only."""


class Simulated(Section):
    """How the simulated engine judges. The defaults make a decent judge with the usual small faults."""

    accuracy: Annotated[Number, Field(gt=0, lt=1)] = 0.75
    """Share of samples in which the best response scores highest, over all positions."""
    chance: Flag = False
    """Independent uniform scores in place of a judgement: right in .45 of pairs, .20 of fours."""
    position_bias: Number = 0.0
    """Added to the quality of the first response shown, in standard deviations of the judge's noise."""
    difficulty_spread: Annotated[Number, Field(ge=0)] = 1.0
    """How much sets differ in difficulty, in standard deviations of the judge's noise."""
    tied: Share = 0.02
    """Share of answers in which another response gets the best score too."""
    truncated: Share = 0.01
    """Share of answers that end at `max_tokens`."""
    wrong_count: Share = 0.01
    """Share of answers with a score too many or too few."""
    out_of_range: Share = 0.005
    """Share of answers with a score outside the range."""
    unparsed: Share = 0.005
    """Share of answers without a verdict."""
    refused: Share = 0.005
    """Share of answers that refuse to judge."""
    thinks_aloud: Share = 0.1
    """Share of answers that begin with a `<think>` part."""
    hint_leak: Share = 0.1
    """Share of hinted answers that speak of the hint."""
    failed: Share = 0.0
    """Share of requests that the engine refuses for good, as an endpoint does with a 400."""
    scorer_auc: Annotated[Number, Field(gt=0, lt=1)] = 0.7
    """Of a scorer: how often, within a set, it scores a right text above a wrong one; .5 knows nothing."""
    latency_s: Annotated[Number, Field(ge=0)] = 0.0
    """Seconds that each answer takes."""
    seed: Seed = 0
    """Seed of the judge; another one is another judge."""

    @model_validator(mode="after")
    def _faults_leave_no_less_than_nothing(self) -> "Simulated":
        # Only shares that are not the defaults: `unparsed = 1` alone is a plain wish, and the small faults give way.
        fields = type(self).model_fields
        given = {name: getattr(self, name) for name in FAULTS if getattr(self, name) != fields[name].default}
        if sum(given.values()) > 1 + 1e-9:
            raise ValueError(
                f"{' + '.join(given)} add up to {sum(given.values()):g}; shares of answers add up to 1 at most"
            )
        return self
