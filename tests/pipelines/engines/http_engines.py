"""The openai engine asked over real HTTP: one request at a time, or a whole run."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

from pipelines.engines.budget import Budget
from pipelines.engines.live.dispatch import dispatch
from pipelines.engines.protocol import Attempt, open_engine
from schemas.generation import Completion, Request
from schemas.recipe import ModelSection
from tests.pipelines.engines.requests import Watcher, ask, row_of
from tests.pipelines.engines.stand_in_server import Answer, StandIn

KEY = "sk-secret-0123456789"


def section(*urls: str, **settings: Any) -> ModelSection:
    usual: dict[str, Any] = {"engine": "openai", "model": "stand-in", "base_url": urls, "timeout_s": 5.0}
    return ModelSection(**(usual | settings))


def attempts(model: ModelSection, *requests: Request, key: str | None = None) -> list[Attempt]:
    """Return one try of each request, one after the other."""

    async def tried() -> list[Attempt]:
        engine = open_engine(model, key)
        try:
            return [await engine.complete(request) for request in requests]
        finally:
            await engine.close()

    return asyncio.run(tried())


def attempt(*script: Answer, key: str | None = None, **settings: Any) -> Attempt:
    """Return the last of as many tries as the script has replies."""
    with StandIn(*script) as server:
        model = section(server.url, **settings)
        return attempts(model, *(ask(number, model) for number in range(len(script))), key=key)[-1]


def run(model: ModelSection, count: int, key: str | None = None) -> tuple[dict[int, Completion], Watcher]:
    handed: dict[int, Completion] = {}
    watcher = Watcher()

    def keep(request: Request, completion: Completion) -> Iterable[Request]:
        assert row_of(request) not in handed
        handed[row_of(request)] = completion
        return ()

    requests: Iterator[Request] = (ask(number, model) for number in range(count))
    dispatch(requests, open_engine(model, key), model, Budget(), keep, watcher)
    return handed, watcher
