"""Builds that ask by batch, run after run, until every row is answered."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.engines.answering import Run, answer
from pipelines.engines.budget import Budget
from schemas.errors import Waiting
from schemas.generation import Completion, Request
from schemas.recipe import ModelSection
from storage.generations import Generations
from storage.root import Root
from tests.pipelines.engines.requests import Watcher, ask, row_of
from tests.pipelines.engines.stand_in_batches import BatchStandIn

KEY = "sk-batch-secret-0123456789"
ROWS = 12


@dataclass
class Build:
    """What runs of one build share: a root, a model, and rows to ask about."""

    root: Root
    model: ModelSection
    rows: int = ROWS
    again: Callable[[Request, Completion], Iterable[Request]] = lambda request, completion: ()

    def run(self, budget: Budget | None = None, **settings: Any) -> tuple[dict[int, Completion], Watcher]:
        """Answer every row once more; returns each row's completion. Raises what `answer` raises."""
        handed: dict[int, Completion] = {}

        def keep(request: Request, completion: Completion) -> Iterable[Request]:
            handed[row_of(request)] = completion
            return self.again(request, completion)

        self.watcher = Watcher()
        run = Run(f"run-{time.time_ns()}", budget or Budget(), {"TEST_KEY": KEY}, self.watcher, **settings)
        wanted: Iterator[Request] = (ask(row, self.model) for row in range(self.rows))
        answer(self.root, run, self.model, wanted, keep)
        return handed, self.watcher

    def waits(self, **settings: Any) -> str:
        """Run, and return what it waits for."""
        with pytest.raises(Waiting) as waiting:
            self.run(**settings)
        return str(waiting.value)


def build_of(tmp_path: Path, server: BatchStandIn, **settings: Any) -> Build:
    usual: dict[str, Any] = {
        "engine": "openai",
        "model": "stand-in",
        "base_url": server.url,
        "api_key_env": "TEST_KEY",
        "batch": True,
        "timeout_s": 5.0,
    }
    return Build(Root.open(str(tmp_path / "data")), ModelSection(**(usual | settings)))


def stored(build: Build) -> dict[str, Completion]:
    generations = Generations(build.root)
    return {key: value for bucket in range(256) for key, value in generations.lookup(bucket).items()}
