"""Small engines written for each question about the dispatcher."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from pipelines.engines.budget import Budget
from pipelines.engines.live.dispatch import dispatch
from pipelines.engines.protocol import Attempt, OnCompletion
from schemas.generation import Completion, FaultKind, Request
from schemas.recipe import ModelSection
from tests.pipelines.engines.requests import Watcher, ask, row_of

Behaviour = Callable[[Request, int], Attempt | float]
"""From a request and the number of its try (from 0) to what happens: an attempt, or an answer after so many seconds."""


class Played:
    """An engine that does what a function says."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.tries: Counter[int] = Counter()
        self.sent: list[int] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.closed = False

    async def complete(self, request: Request) -> Attempt:
        row = row_of(request)
        played = self.behaviour(request, self.tries[row])
        self.tries[row] += 1
        self.sent.append(row)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if isinstance(played, float):
                await asyncio.sleep(played)
                return good(request)
            return played
        finally:
            self.in_flight -= 1

    async def close(self) -> None:
        self.closed = True


def good(request: Request) -> Attempt:
    return Attempt(Completion(request.request_id, "fine", prompt_tokens=10, completion_tokens=10))


def bad(request: Request, kind: FaultKind, retry_after_s: float | None = None, throttled: bool = False) -> Attempt:
    completion = Completion(request.request_id, error=f"http://x: {kind.value} trouble", fault=kind)
    return Attempt(completion, retry_after_s, throttled)


def section(**settings: Any) -> ModelSection:
    return ModelSection(engine="simulated", **settings)


def rows(count: int, model: ModelSection) -> Iterator[Request]:
    return (ask(number, model) for number in range(count))


def run(
    behaviour: Behaviour,
    count: int = 100,
    budget: Budget | None = None,
    on_completion: OnCompletion | None = None,
    **settings: Any,
) -> tuple[Played, Watcher]:
    model = section(**settings)
    engine, watcher = Played(behaviour), Watcher()
    dispatch(
        rows(count, model),
        engine,
        model,
        budget or Budget(),
        on_completion or (lambda request, completion: ()),
        watcher,
    )
    assert engine.closed
    return engine, watcher
