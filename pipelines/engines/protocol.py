"""What an engine is: one try of one request in, one `Attempt` out. A failed request is data; a dead engine raises."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from schemas.generation import Completion, Request
from schemas.recipe import ModelSection

OPENAI_URL = "https://api.openai.com/v1"
"""Where requests go unless the recipe gives a base_url."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one request: its completion, and what the dispatcher needs to know about the next try."""

    completion: Completion
    retry_after_s: float | None = None
    """How long the endpoint wants this request to wait; None leaves it to the dispatcher's own backing off."""
    throttled: bool = False
    """The endpoint was asked too much at once: 429, 503, or a time-out. Concurrency listens to this."""
    is_doubtful: bool = False
    """The request was refused without a code that says why: every other request may be refused as well."""
    broke_off: bool = False
    """The endpoint may have written, and may bill, an answer that never came whole: a cut, a reset, a time-out."""
    notice: str | None = None
    """Something about the endpoint that the user should read. An engine gives each notice once."""


OnCompletion = Callable[[Request, Completion], Iterable[Request]]
"""Called once a request, with its final completion; what it returns is sent next, before anything else."""


class Engine(Protocol):
    """A model behind some transport."""

    async def complete(self, request: Request) -> Attempt:
        """Try a request once.

        Never raises for a failed request: its completion has an error and a fault. Raises EngineError only when the
        engine is gone, so that every further request would fail.
        """

    async def close(self) -> None:
        """Close all connections. The engine answers nothing afterwards."""


class Observer(Protocol):
    """Who watches a dispatch. Called in the dispatcher's own thread; each call should take microseconds."""

    def answered(self, completion: Completion) -> None:
        """A request came to its end: an answer, or an error that is not tried again."""

    def retried(self, reason: str) -> None:
        """A request failed for a passing reason, one line, and will be tried again."""

    def in_flight(self, requests: int, room: int) -> None:
        """So many requests are in flight, and so many may be. Ten times a second, and when all that is left waits."""

    def warn(self, text: str) -> None:
        """Something that the user should read now."""

    def said(self, text: str) -> None:
        """Something that a person who waits likes to know, in one line."""


def open_engine(model: ModelSection, key: str | None) -> Engine:
    """Return the engine that a recipe's section asks for; `key` is what `model.key_variable` holds.

    It serves one `dispatch`, which closes it. Nothing is connected before the first request. What outlives a dispatch
    comes from elsewhere: a server of our own from `vllm.server.Servers`, a model loaded here from
    `scorer.engine.Scorers`.
    """
    if model.engine == "simulated":
        from pipelines.engines.simulated.engine import SimulatedEngine

        return SimulatedEngine(model)
    # Half a second and 60 MB that a simulated build need not pay.
    from pipelines.engines.live.calls import CHAT, CLASSIFY
    from pipelines.engines.live.openai_compatible import OpenAICompatibleEngine

    return OpenAICompatibleEngine(model, key, CLASSIFY if model.engine == "score" else CHAT)
