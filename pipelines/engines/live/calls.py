"""What an endpoint is asked: chats that it answers, or texts that it scores."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pipelines.engines.faults import Fault
from pipelines.engines.replies import read_reply
from pipelines.engines.scorer.replies import NO_CLASSIFICATION, read_score
from schemas.generation import Completion
from schemas.recipe import ModelSection


class Read(Protocol):
    """From the body of an HTTP 200 to a completion, or to the fault that says why there is none. Never raises."""

    def __call__(
        self, content: bytes, request_id: str, model: ModelSection, endpoint: str, *, has_answered: bool
    ) -> Completion | Fault: ...


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an endpoint: where it is found, and how its reply is read."""

    path: Callable[[str], str]
    """The path of the call, by that of the base_url."""
    read: Read
    unknown: str | None = None
    """The way out where an endpoint does not know the call or the model; that of chats unless given."""


CHAT = Call(lambda base: f"{base}/chat/completions", read_reply)
CLASSIFY = Call(lambda base: f"{base.removesuffix('/v1')}/classify", read_score, NO_CLASSIFICATION)
"""vLLM has it beside `/v1`, not below it."""
