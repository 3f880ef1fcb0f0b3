"""`[serve]`: the recipe's judge as the reward of a training run (docs/serve.md)."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.recipe.evaluate import Judge
from schemas.recipe.section import Count, LocalPath, Number, Section, Share, Variable, Whole

OnFailure = Literal["skip", "group_mean", "raise"]
Seconds = Annotated[Number, Field(gt=0, le=86_400)]


class ServeSection(Section):
    """`[serve]`: how `grmforge serve` scores the responses of a training run."""

    judge: Judge = "grm"
    """Role of the model that judges. Samples that a build bought of it count."""
    k: Annotated[Whole, Field(ge=1, le=64)] = 4
    """Samples of each prompt, each with its responses in another order."""
    select: Literal["voting", "meta_rm"] = "voting"
    """`voting`: the mean score over all readable samples. `meta_rm`: over the half that `[models.meta_rm]` scores
    highest."""
    group_size: Annotated[Whole, Field(ge=2, le=1_024)] | None = None
    """How many responses to a prompt a trainer hands over one by one; a request may say another number."""
    group_wait_s: Seconds = 30.0
    """How long a group waits for its members from the first one on. Then those present are judged, as a partial
    group."""
    most_shown: Annotated[Whole, Field(ge=2, le=64)] = 8
    """Responses that one prompt shows at most. A larger group is judged in overlapping parts."""
    shuffles: Annotated[Whole, Field(ge=1, le=16)] = 2
    """How often a larger group is divided anew into parts."""
    on_failure: OnFailure | None = None
    """What a trainer that takes numbers only is told of a failed judgement; its door is shut without it. `group_mean`:
    the mean of its group, which moves nothing. `raise`: the call fails. `skip`: the response is left out, which only
    slime's group function can do."""
    canary: LocalPath | Share | None = None
    """Sets that are judged again and again, to see the judge drift: a JSONL file with a query and responses in each
    row, or this share of the kept sets of the recipe's latest version."""
    canary_every_steps: Count = 100
    """Training steps from one judgement of the canary to the next."""
    token_env: Variable | None = None
    """Environment variable that holds the token which every call must carry. Needed where the service listens on more
    than the loopback."""
    most_body_mb: Annotated[Number, Field(gt=0, le=1_024)] = 4.0
    """The largest body of a call, in MB."""
    most_responses: Annotated[Whole, Field(ge=2, le=1_024)] = 64
    """The most responses in one call, and in one group."""
    most_calls: Annotated[Whole, Field(ge=1, le=1_000_000)] = 4_096
    """Calls that may be open at once, waiting for a group included; further ones are told to come again."""
    timeout_s: Seconds = 110.0
    """How long a call may take. Trainers give up after 120 s (slime) or 180 s (OpenRLHF)."""

    @model_validator(mode="after")
    def _group_comes_in_time(self) -> "ServeSection":
        if self.group_wait_s >= self.timeout_s:
            raise ValueError("serve.group_wait_s must be less than serve.timeout_s, or no partial group is ever judged")
        if self.group_size is not None and self.group_size > self.most_responses:
            raise ValueError("serve.group_size is more than serve.most_responses: raise that one, too")
        return self
