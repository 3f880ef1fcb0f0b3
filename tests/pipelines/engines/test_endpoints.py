"""Whole runs over one endpoint or several: which are asked, rest, come back, are set aside, or end the run."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import pytest

from pipelines.engines.budget import Budget
from pipelines.engines.live.dispatch import dispatch
from pipelines.engines.live.openai_compatible import MAX_LIMIT_REST_S
from pipelines.engines.protocol import open_engine
from schemas.errors import EngineError
from schemas.generation import Completion, FaultKind, Request
from tests.pipelines.engines import stand_in_server as stand_in
from tests.pipelines.engines.http_engines import attempts, run, section
from tests.pipelines.engines.requests import Watcher, ask
from tests.pipelines.engines.stand_in_server import Reply, StandIn


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_an_endpoint_that_is_down_ends_the_run_before_rows_are_burned() -> None:
    model = section(f"http://127.0.0.1:{free_port()}/v1")
    with pytest.raises(EngineError, match=r"no endpoint answers at http://127.*is the server up"):
        run(model, 1000)


def test_a_host_that_does_not_exist() -> None:
    model = section("http://nowhere.invalid/v1")
    completion = attempts(model, ask(1, model))[0].completion
    assert completion.fault is FaultKind.TRANSIENT
    assert "nowhere.invalid" in (completion.error or "")


def test_of_several_endpoints_the_least_busy_comes_first_and_a_dead_one_is_set_aside() -> None:
    with StandIn(latency_s=0.02) as one, StandIn(latency_s=0.02) as two:
        model = section(one.url, f"http://127.0.0.1:{free_port()}/v1", two.url, max_concurrency=16)
        handed, watcher = run(model, 400)
    assert watcher.count() == len(handed) == 400
    assert len(one.requests) + len(two.requests) == 400
    assert min(len(one.requests), len(two.requests)) > 150
    assert len(watcher.retries) < 40


def test_an_endpoint_that_comes_back_is_asked_again() -> None:
    port = free_port()
    with StandIn(latency_s=0.02) as one, ExitStack() as later:
        model = section(one.url, f"http://127.0.0.1:{port}/v1", max_concurrency=8)
        two = StandIn(latency_s=0.02, port=port)

        def open_two() -> None:
            one.wait_for(200)
            later.enter_context(two)

        opening = threading.Thread(target=open_two)
        opening.start()
        handed, watcher = run(model, 1200)
        opening.join()
    assert watcher.count() == len(handed) == 1200
    assert len(two.requests) > 100, "set aside for good"


def test_a_run_through_all_kinds_of_trouble_loses_nothing() -> None:
    trouble = [
        stand_in.rate_limited("0"),
        stand_in.server_error(500),
        stand_in.server_error(503),
        stand_in.reset(),
        stand_in.half_json(),
        stand_in.empty_choices(),
        stand_in.cut_off(),
        stand_in.error_inside(502),
    ]
    tries: Counter[str] = Counter()

    def mostly(body: dict[str, Any]) -> Reply:
        prompt = body["messages"][0]["content"]
        row = int(prompt.rsplit(" ", 1)[1])
        tries[prompt] += 1
        if row in (50, 60):
            return stand_in.refused_400()
        if row % 5 == 0 and tries[prompt] == 1:
            return trouble[row // 5 % len(trouble)]
        return stand_in.judged(body)

    with StandIn(then=mostly, latency_s=0.005) as server:
        handed, watcher = run(section(server.url, max_concurrency=32), 300)
    assert sorted(handed) == list(range(300))
    assert (watcher.count(), watcher.count(FaultKind.REQUEST)) == (298, 2)
    assert [row for row, completion in sorted(handed.items()) if completion.fault] == [50, 60]
    assert len(watcher.retries) == 58
    assert server.most_in_flight <= 32


def test_a_wrong_key_stops_at_once() -> None:
    with StandIn(then=stand_in.wrong_key()) as server, pytest.raises(EngineError, match="api_key_env"):
        run(section(server.url, max_concurrency=4), 1000)
    assert len(server.requests) <= 8


def test_rate_limit_headers_are_honoured() -> None:
    exhausted = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "600ms"}
    first = stand_in.chat("fine")
    with StandIn(Reply(body=first.body, headers=first.headers | exhausted)) as server:
        model = section(server.url)
        attempts(model, ask(1, model), ask(2, model))
    assert server.requests[1].at - server.requests[0].at > 0.55


def test_a_day_of_exhausted_limits_is_a_minutes_rest_and_is_said() -> None:
    exhausted = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "24h"}
    first = stand_in.chat("fine")
    with StandIn(Reply(body=first.body, headers=first.headers | exhausted)) as server:
        answer = attempts(section(server.url), ask(1, section(server.url)))[0]
    assert answer.completion.text == "fine"
    assert answer.notice is not None
    assert f"more than {MAX_LIMIT_REST_S:.0f} s" in answer.notice


def test_another_models_name_is_said_once_and_a_dated_one_is_the_same() -> None:
    names = ["stand-in", "stand-in-2026-01-01", "someone/Stand-In", "gpt-9\x1b[2J", "gpt-9", "gpt-10"]
    with StandIn(*(stand_in.chat("fine", model=name) for name in names)) as server:
        model = section(server.url, max_concurrency=1)
        handed, watcher = run(model, len(names))
    assert watcher.count() == len(handed) == len(names)
    (warning,) = watcher.warnings
    assert "answers under another name than stand-in; it says 'gpt-9 [2J': check model and base_url" in warning
    assert handed[3].served_model == "gpt-9\x1b[2J"


def test_an_endpoint_rests_only_when_a_second_of_its_answers_was_mostly_refusals() -> None:
    refuse_until = time.monotonic() + 1.5

    def overloaded(body: dict[str, Any]) -> Reply:
        return stand_in.rate_limited("0.8") if time.monotonic() < refuse_until else stand_in.judged(body)

    with StandIn(then=overloaded, latency_s=0.02) as server:
        _, watcher = run(section(server.url, max_concurrency=8), 100)
    assert watcher.count() == 100
    moments = [received.at for received in server.requests]
    assert max(later - earlier for earlier, later in pairwise(moments)) > 0.5


@pytest.mark.parametrize("status", [401, 402, 403, 404, 429])
@pytest.mark.parametrize("answers_before", [0, 30])
def test_an_endpoint_that_would_refuse_everything_is_set_aside_beside_another(status: int, answers_before: int) -> None:
    body = {"error": {"message": "no", "code": "insufficient_quota" if status == 429 else None}}
    gone = Reply(status, json.dumps(body).encode())
    with StandIn(*[stand_in.judged] * answers_before, then=gone) as one, StandIn() as other:
        model = section(one.url, other.url, max_retries=0, max_concurrency=8)
        handed, watcher = run(model, 200)
    assert (watcher.count(), watcher.retries) == (200, [])
    assert all(completion.fault is None for completion in handed.values())
    assert answers_before < len(one.requests) <= answers_before + 8
    (warning,) = [line for line in watcher.warnings if "is not asked any more" in line]
    assert warning.startswith(one.url) and f"HTTP {status}" in warning


def test_when_every_endpoint_would_refuse_the_run_ends_and_nothing_is_handed_over() -> None:
    with (
        StandIn(*[stand_in.judged] * 20, then=stand_in.no_such_model()) as one,
        StandIn(then=stand_in.wrong_key()) as two,
    ):
        model = section(one.url, two.url, max_concurrency=4)
        handed: list[Completion] = []

        def keep(request: Request, completion: Completion) -> Iterable[Request]:
            handed.append(completion)
            return ()

        requests = (ask(number, model) for number in range(100))
        with pytest.raises(EngineError, match="HTTP 404.*set aside before: " + two.url):
            dispatch(requests, open_engine(model, None), model, Budget(), keep, Watcher())
    assert len(handed) == 20
    assert all(completion.fault is None for completion in handed)


def test_an_endpoint_set_aside_beside_one_that_is_down() -> None:
    with StandIn() as down:
        port = down.port
    with StandIn(then=stand_in.wrong_key()) as one:
        model = section(one.url, f"http://127.0.0.1:{port}/v1", max_concurrency=4)
        with pytest.raises(EngineError, match="no endpoint answers"):
            run(model, 20)
