"""Answering: look up, buy what is missing, store. Nothing is paid for twice, and nothing bought is lost."""

import random
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.engines.answering import LOOK_ON_S, answer, check_key
from pipelines.orders import new_run
from schemas.errors import BudgetReached, EngineError
from schemas.generation import Completion, FaultKind, Request
from schemas.recipe import ModelSection, Recipe
from storage.generations import Generations
from storage.imports import import_answers
from storage.root import Root
from tests.examples import Watcher, a_recipe, a_run, simulated, write_rows
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.requests import ask
from tests.pipelines.engines.stand_in_server import StandIn

NOTHING_MORE: list[Request] = []


def over_http(server: StandIn, **settings: Any) -> Recipe:
    section = {"engine": "openai", "model": "stand-in", "base_url": server.url, "max_retries": 0} | settings
    return a_recipe(models={"grm": section, "difficulty": simulated()})


def answered(
    root: Root, recipe: Recipe, count: int, retry_failed: bool = False, keys: dict[str, str] | None = None
) -> tuple[dict[str, Completion], Watcher]:
    """Answer `count` requests; return what was handed over, and who watched."""
    run, watcher = a_run(recipe, retry_failed, keys)
    handed: dict[str, Completion] = {}

    def keep(request: Request, completion: Completion) -> Iterable[Request]:
        assert request.request_id not in handed
        handed[request.request_id] = completion
        return NOTHING_MORE

    model = recipe.models.grm
    asked = sorted((ask(number, model) for number in range(count)), key=lambda request: request.query_id)
    answer(root, run, model, iter(asked), keep)
    return handed, watcher


def stored(root: Root) -> int:
    generations = Generations(root)
    return sum(len(generations.lookup(bucket)) for bucket in range(256))


def test_every_answer_is_stored_and_found_again(tmp_path: Path) -> None:
    root = Root(tmp_path)
    first, watcher = answered(root, a_recipe(), 40)
    assert (watcher.bought, watcher.stored, stored(root)) == (40, 0, 40)
    second, watcher = answered(root, a_recipe(), 60)
    assert (watcher.bought, watcher.stored) == (20, 40)
    assert all(second[request_id] == completion for request_id, completion in first.items())


def test_when_all_is_there_no_engine_is_opened_and_no_key_needed(tmp_path: Path) -> None:
    root = Root(tmp_path)
    with StandIn() as server:
        recipe = over_http(server, api_key_env="SOME_KEY")
        answered(root, recipe, 5, keys={"SOME_KEY": "sk-1"})
    handed, watcher = answered(root, recipe, 5)  # the server is gone, and so is the key
    assert (len(handed), watcher.bought) == (5, 0)
    with pytest.raises(EngineError, match="export SOME_KEY="):
        answered(root, recipe, 6)


def test_transient_failures_are_handed_over_but_not_stored_and_asked_again_by_the_next_run(tmp_path: Path) -> None:
    root = Root(tmp_path)
    bad = {"row 1", "row 3"}

    def reply(body: dict[str, Any]) -> stand_in.Reply:
        return stand_in.server_error(500) if body["messages"][-1]["content"][-5:] in bad else stand_in.judged(body)

    with StandIn(then=reply) as server:
        recipe = over_http(server)
        handed, _ = answered(root, recipe, 6)
        assert [one.fault for one in handed.values()].count(FaultKind.TRANSIENT) == 2
        assert stored(root) == 4
        bad.clear()
        handed, watcher = answered(root, recipe, 6)
        assert all(one.fault is None for one in handed.values())
        assert (watcher.stored, watcher.bought) == (4, 2)


def test_refusals_are_stored_and_asked_again_only_when_told_to(tmp_path: Path) -> None:
    root = Root(tmp_path)

    def reply(body: dict[str, Any]) -> stand_in.Reply:
        return stand_in.refused_400() if "row 2" in str(body) else stand_in.judged(body)

    with StandIn(then=reply) as server:
        recipe = over_http(server)
        handed, _ = answered(root, recipe, 4)
        assert [one.fault for one in handed.values()].count(FaultKind.REQUEST) == 1
        for retry_failed, sent in ((False, 4), (True, 5)):
            handed, _ = answered(root, recipe, 4, retry_failed)
            assert len(server.requests) == sent
    assert [one.fault for one in handed.values()].count(FaultKind.REQUEST) == 1
    with StandIn() as server:
        handed, watcher = answered(root, over_http(server), 4, retry_failed=True)
        assert watcher.bought == 1
    assert all(one.fault is None for one in handed.values())
    assert stored(root) == 4
    assert answered(root, recipe, 4)[1].stored == 4  # the answer wins over the earlier error


def test_a_dead_engine_keeps_what_was_answered_by_then(tmp_path: Path) -> None:
    root = Root(tmp_path)
    judged = [stand_in.judged] * 5
    with (
        StandIn(*judged, then=stand_in.wrong_key()) as server,
        pytest.raises(EngineError, match="key"),
    ):
        answered(root, over_http(server, max_concurrency=1), 20)
    assert stored(root) == 5


def test_a_budget_stops_cleanly_and_the_next_run_goes_on(tmp_path: Path) -> None:
    root = Root(tmp_path)
    recipe = a_recipe(budget={"max_requests": 7})
    with pytest.raises(BudgetReached):
        answered(root, recipe, 20)
    assert stored(root) == 7
    with pytest.raises(BudgetReached):
        answered(root, recipe, 20)
    _, watcher = answered(root, recipe, 20)
    assert (watcher.stored, watcher.bought, stored(root)) == (14, 6, 20)


def test_what_a_budget_leaves_is_counted_past_the_place_where_it_stopped(tmp_path: Path) -> None:
    """Answers of an earlier run stand anywhere, as those of shares do: what is left is less than it seems so far."""
    root, recipe = Root(tmp_path), a_recipe(budget={"max_requests": 3})
    model = recipe.models.grm
    asked = sorted((ask(number, model) for number in range(20)), key=lambda request: request.query_id)
    answer(root, a_run(a_recipe())[0], model, iter(asked[15:]), lambda request, completion: NOTHING_MORE)
    run, watcher = a_run(recipe)
    with pytest.raises(BudgetReached) as stop:
        answer(root, run, model, iter(asked), lambda request, completion: NOTHING_MORE)
    assert (watcher.bought, watcher.stored) == (3, 5)
    assert "may be there already" not in str(stop.value)


def test_a_budget_that_stops_a_long_run_does_not_look_for_long(tmp_path: Path) -> None:
    root, recipe = Root(tmp_path), a_recipe(budget={"max_requests": 3})
    model = recipe.models.grm

    def endless() -> Iterator[Request]:
        for number in range(1_000_000_000):
            yield ask(number, model)

    started = time.monotonic()
    with pytest.raises(BudgetReached, match="some may be there already"):
        answer(root, a_run(recipe)[0], model, endless(), lambda request, completion: NOTHING_MORE)
    assert time.monotonic() - started < LOOK_ON_S + 5


def test_what_follows_from_an_answer_is_asked_too_stored_or_not(tmp_path: Path) -> None:
    root, recipe = Root(tmp_path), a_recipe()
    model: ModelSection = recipe.models.grm
    for bought in (30, 0, 20):
        depth = 3 if bought < 20 or bought == 30 else 5
        run, watcher = a_run(recipe)

        def further(request: Request, completion: Completion, depth: int = depth) -> Iterable[Request]:
            index = request.sample_index + 1
            return [ask(int(request.body["messages"][-1]["content"].split()[-1]), model, sample=index)][: index < depth]

        answer(root, run, model, iter([ask(number, model) for number in range(10)]), further)
        assert watcher.bought == bought
    assert stored(root) == 50


def test_an_imported_answer_is_not_bought(tmp_path: Path) -> None:
    root, recipe = Root(tmp_path), a_recipe()
    model = recipe.models.grm
    prompt = ask(3, model).body["messages"]
    write_rows(tmp_path / "paid.jsonl", [{"prompt": prompt, "text": "paid elsewhere", "model": model.model}])
    import_answers(root, tmp_path / "paid.jsonl")
    handed, watcher = answered(root, recipe, 5)
    assert watcher.bought == 4
    assert handed[ask(3, model).request_id].text == "paid elsewhere"
    assert answered(root, recipe, 5)[1].bought == 0


def test_a_key_that_is_not_set_is_named_and_never_written_down(tmp_path: Path) -> None:
    model = ModelSection(engine="openai", model="gpt")
    with pytest.raises(EngineError, match="export OPENAI_API_KEY="):
        check_key(model, {})
    assert check_key(model, {"OPENAI_API_KEY": "sk-1"}) == "sk-1"
    assert check_key(ModelSection(engine="simulated"), {}) is None
    recipe = a_recipe(models={"grm": {"engine": "openai", "model": "gpt"}, "difficulty": simulated()})
    run = new_run(recipe, {"OPENAI_API_KEY": "sk-1", "ANOTHER": "sk-2"}, Watcher())
    assert dict(run.keys) == {"OPENAI_API_KEY": "sk-1"}
    with StandIn() as server:
        answered(Root(tmp_path), over_http(server, api_key_env="MY_KEY"), 3, keys={"MY_KEY": "sk-never-on-disk"})
    assert not any(b"sk-never-on-disk" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_clock_that_jumps_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever waits goes by the monotonic clock: the time of day may leap by a day between any two looks at it."""
    draw, real = random.Random(1), time.time
    monkeypatch.setattr(time, "time", lambda: real() + draw.uniform(-86_400, 86_400))
    monkeypatch.setattr(time, "time_ns", lambda: int(1e9 * (real() + draw.uniform(-86_400, 86_400))))
    root, started = Root(tmp_path), time.monotonic()
    with StandIn(stand_in.rate_limited("1"), stand_in.server_error(), stand_in.hang(), latency_s=0.01) as server:
        recipe = over_http(server, rpm=6_000, timeout_s=0.5, max_concurrency=8, max_retries=3)
        _, first = answered(root, recipe, 150)
        _, again = answered(root, recipe, 150)
        assert (first.bought, again.bought, len(server.requests)) == (150, 0, 153)
    assert 1.0 < time.monotonic() - started < 10.0
