"""A watched run: its event log tells how it went, without a word of prompts, answers or endpoints."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from flows.watching.tally import StageTally
from flows.watching.watcher import RunWatcher, watched_run
from schemas.errors import BudgetReached, EngineError
from schemas.generation import Completion
from schemas.recipe import Recipe, read_recipe
from storage.root import Root
from storage.run_events import read_events, run_ids
from tests.end_to_end.commands import grmforge, write_recipe
from tests.end_to_end.questions import write_teleqna
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.stand_in_server import StandIn, judged

SECRET = "sk-a-key-for-tests-0123456789"


def events_of(root: Path) -> list[dict[str, Any]]:
    """Return the events of the latest run."""
    place = Root(root)
    return list(read_events(place, run_ids(place)[0]))


def small_recipe(directory: Path) -> Recipe:
    write_teleqna(directory / "teleqna.txt", 10)
    return read_recipe(
        write_recipe(
            directory / "recipe.toml",
            build={"name": "small", "sets": ["rft"]},
            sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
            models={"grm": {"engine": "simulated"}},
        )
    )


class Looks:
    """A display that writes down what it was called for."""

    def __init__(self, every_s: float = 0.05) -> None:
        self.every_s = every_s
        self.calls: list[str] = []

    def began(self, stage: StageTally) -> None:
        self.calls.append(f"began {stage.name}")

    def show(self, stage: StageTally) -> None:
        self.calls.append("show")

    def ended(self, stage: StageTally) -> None:
        self.calls.append(f"ended {stage.name}")

    def say(self, text: str) -> None:
        self.calls.append(text)

    def warn(self, text: str) -> None:
        self.calls.append(text)

    def stopping(self, in_flight: int) -> None:
        self.calls.append(f"stopping {in_flight}")

    def close(self, error: BaseException | None) -> None:
        self.calls.append(f"close {type(error).__name__}")


def test_displays_look_now_and_then_and_see_every_stage_end() -> None:
    often, seldom = Looks(0.05), Looks(30)
    with pytest.raises(EngineError), RunWatcher([often, seldom]) as watcher:
        watcher.stage("curating", None)
        watcher.stage("sampling", 10)
        watcher.answered(Completion("r", "text"))
        watcher.warn("careful")
        time.sleep(0.5)
        watcher.stop(3)
        time.sleep(0.2)
        raise EngineError("gone")
    assert seldom.calls == [
        "began curating",
        "ended curating",
        "began sampling",
        "careful",
        "stopping 3",
        "ended sampling",
        "close EngineError",
    ]
    assert often.calls.count("show") >= 4


def test_a_watcher_nobody_looks_at_starts_no_thread() -> None:
    with RunWatcher() as watcher:
        watcher.answered(Completion("r", "before any stage"))
        watcher.stage("sampling", 10)
        watcher.found(Completion("r", "text"))


def test_a_budget_says_what_is_left(tmp_path: Path) -> None:
    recipe, root = small_recipe(tmp_path), Root(tmp_path / "data")
    with (
        pytest.raises(BudgetReached, match="left: 99 of 100 answers of sampling rft with m"),
        watched_run(recipe, root, {}, what="build") as (_, watcher),
    ):
        watcher.stage("sampling rft with m", 100)
        watcher.answered(Completion("r", "text"))
        watcher.judged("correct")
        raise BudgetReached("budget: spent")
    events = events_of(root.path)
    assert events[-1]["how"] == "budget"
    assert "left: 99" in events[-1]["message"]


def test_the_log_tells_the_whole_run(tmp_path: Path) -> None:
    recipe = small_recipe(tmp_path)
    done = grmforge("build", tmp_path / "recipe.toml", "--root", tmp_path / "data")
    assert done.code in (0, 1)
    events = events_of(tmp_path / "data")
    first, last = events[0], events[-1]
    assert first["event"] == "run_started"
    assert (first["name"], first["what"], first["models"]) == ("small", "build", {"grm": "simulated"})
    assert first["sources"] == [source.source for source in recipe.sources]
    began = [event["stage"] for event in events if event["event"] == "stage_began"]
    ended = [event["stage"] for event in events if event["event"] == "stage_ended"]
    assert began == ended
    assert began[:3] == ["reading teleqna", "curating", "sampling rft with simulated"]
    (sampled,) = (event for event in events if event["event"] == "stage_ended" and "outcomes" in event)
    assert sampled["bought"] == sum(sampled["outcomes"].values()) == last["requests"]
    assert sampled["seconds"] >= 0
    assert last["event"] == "run_ended"


def test_the_log_quotes_nobody(tmp_path: Path) -> None:
    """Retries by kind, the end by kind: an endpoint's words may hold a prompt, an answer or a key."""
    write_teleqna(tmp_path / "teleqna.txt", 10)
    script = [stand_in.server_error(), stand_in.rate_limited("0.05"), *[judged] * 5]
    with StandIn(*script, then=stand_in.wrong_key(f"Incorrect API key provided: {SECRET}")) as server:
        recipe = write_recipe(
            tmp_path / "recipe.toml",
            build={"name": "small", "sets": ["rft"]},
            sources=[{"kind": "teleqna", "path": "teleqna.txt"}],
            models={
                "grm": {"engine": "openai", "model": "m", "base_url": server.url, "api_key_env": "K"}
                | {"max_concurrency": 1}
            },
        )
        assert grmforge("build", recipe, "--root", tmp_path / "data", env={"K": SECRET}).code == 1
        address = server.url.removeprefix("http://")
    events = events_of(tmp_path / "data")
    (sampled,) = (event for event in events if event["event"] == "stage_ended" and "outcomes" in event)
    assert sampled["retries"] == {"HTTP 500": 1, "HTTP 429": 1}
    assert (events[-1]["how"], events[-1]["error"]) == ("failed", "EngineError")
    assert "message" not in events[-1]
    text = json.dumps(events)
    for word in (SECRET, "Incorrect", "Which ", address, "Score"):
        assert word not in text
