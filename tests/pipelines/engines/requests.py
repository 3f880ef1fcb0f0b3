"""Requests and an observer for the tests of engines."""

from dataclasses import dataclass, field
from typing import Any

from pipelines.engines.jobs import request_body
from schemas.generation import Completion, FaultKind, Request, Truth, request
from schemas.query import user
from schemas.recipe import ModelSection
from schemas.record import content_id


def ask(
    number: int,
    model: ModelSection,
    *,
    prompt: str = "Which is it?",
    sample: int = 0,
    truth: Truth | None = None,
    max_tokens: int = 100,
    **extra: Any,
) -> Request:
    """Return the number-th request; `number` stands in the prompt as "row <number>"."""
    body = request_body(model, user(f"{prompt} row {number}"), temperature=0.5, max_tokens=max_tokens)
    return request(
        role="grm",
        identity={"model": model.model},
        query_id=content_id("query", number),
        body=body | extra,
        sample_index=sample,
        truth=truth,
    )


def row_of(request: Request) -> int:
    return int(request.body["messages"][-1]["content"].rsplit(" ", 1)[1])


@dataclass
class Watcher:
    """An observer that keeps what it was told."""

    completions: list[Completion] = field(default_factory=list)
    retries: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    """What was said."""
    rooms: list[int] = field(default_factory=list)
    flying: int = 0
    """Requests in flight, as last told."""

    def count(self, fault: FaultKind | None = None) -> int:
        """Return how many requests were answered, or came to their end with a fault."""
        return sum(completion.fault is fault for completion in self.completions)

    def stage(self, name: str, total: int | None) -> None:
        pass

    def found(self, completion: Completion) -> None:
        pass

    def judged(self, outcome: str, is_kept: bool = False) -> None:
        pass

    def said(self, text: str) -> None:
        self.lines.append(text)

    def answered(self, completion: Completion) -> None:
        self.completions.append(completion)

    def retried(self, reason: str) -> None:
        self.retries.append(reason)

    def in_flight(self, requests: int, room: int) -> None:
        self.rooms.append(room)
        self.flying = requests

    def warn(self, text: str) -> None:
        self.warnings.append(text)
