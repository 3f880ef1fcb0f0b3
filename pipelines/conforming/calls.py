"""One call of a reward: what it is given, what it gave, and the doors by which trainers come in."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Protocol


class Kind(StrEnum):
    """What is tried."""

    RULE = "rule"
    """A rule over the policy's own text: 1 for the right answer, -1 for any other, the unreadable ones included."""
    JUDGE = "judge"
    """A judge that is used as a reward: a failed judgement is null, left out or raised, never a number."""


class Door(StrEnum):
    """How a reward is called: as a trainer does it, or plainly."""

    JUDGE = "judge"
    """POST {prompt, responses} -> {rewards}; of a file, a function of these two that returns a list."""
    COMPARE = "compare"
    """NeMo-Gym's POST /compare with conversation_history and response_objs -> {rewards}."""
    OPENRLHF = "openrlhf"
    """POST {query, prompts, labels} of one response -> {rewards}; or reward_func(queries, prompts, labels)."""
    SLIME = "slime"
    """POST {prompt, response, label} of one response -> its reward; or async custom_rm(args, sample)."""
    VERL = "verl"
    """compute_score(data_source, solution_str, ground_truth, extra_info) of one response."""
    TRL = "trl"
    """A function of prompts, completions and columns that returns a list."""


ALL_AT_ONCE = frozenset({Door.JUDGE, Door.COMPARE, Door.TRL})
"""The doors through which all responses to a prompt come in one call."""


@dataclass(frozen=True, slots=True)
class Call:
    """A prompt with the responses to it, all of which are scored, each as its door hands it over."""

    prompt: str
    responses: list[str]
    truth: str
    """The ground truth: of a rule that of an rl row, else the reference answer."""
    is_rule: bool
    router: str = ""
    """Host and port of the judge, which verl hands to a function that asks for `reward_router_address`."""

    def as_json(self) -> dict[str, Any]:
        """Return the call as a worker reads it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Given:
    """What one response was given: a number, or nothing, and why."""

    number: float | None = None
    failure: str = ""
    """What was raised, or the status of the reply; empty for a plain null."""


class Asks(Protocol):
    """A way to call a reward. `ask` raises TimeoutError past the patience, and ConnectionError where nobody listens."""

    async def ready(self) -> None: ...

    async def ask(self, call: Call, patience_s: float) -> Sequence[Given]: ...

    async def close(self) -> None: ...
