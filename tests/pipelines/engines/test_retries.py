"""When a failed request is tried again."""

import pytest

from pipelines.engines.live.retries import MAX_BACKOFF_S, MAX_RETRY_AFTER_S, Retries
from pipelines.engines.protocol import Attempt
from schemas.generation import Completion, FaultKind
from schemas.recipe import ModelSection
from tests.pipelines.engines.requests import ask

MODEL = ModelSection(engine="simulated")


def failed(retry_after_s: float | None = None) -> Attempt:
    return Attempt(Completion("r", error="trouble", fault=FaultKind.TRANSIENT), retry_after_s)


def test_waits_double_up_to_a_minute() -> None:
    retries, request, waits = Retries(100), ask(1, MODEL), []
    for _ in range(40):
        assert retries.put(request, failed(), 0.0)
        assert retries.next_at is not None
        waits.append(retries.next_at)
        assert retries.due(retries.next_at) is request
    assert 0.25 <= waits[0] <= 0.5 and 0.5 <= waits[1] <= 1.0 and 1.0 <= waits[2] <= 2.0
    assert max(waits) <= MAX_BACKOFF_S


def test_the_line_is_in_order_of_time_and_nothing_comes_early() -> None:
    retries = Retries(1)
    late, soon = ask(1, MODEL), ask(2, MODEL)
    retries.put(late, failed(20.0), 0.0)
    retries.put(soon, failed(10.0), 0.0)
    assert retries.due(9.9) is None
    assert retries.due(10.6) is soon
    assert retries.due(10.6) is None
    assert retries.due(21.1) is late
    assert (len(retries), retries.next_at) == (0, None)


def test_tries_are_used_up_and_forgotten_at_the_end() -> None:
    retries, request = Retries(2), ask(1, MODEL)
    assert [retries.put(request, failed(), 0.0) for _ in range(3)] == [True, True, False]
    retries.forget(request)
    assert retries.put(request, failed(), 0.0)


def test_a_days_wait_is_capped_and_counted() -> None:
    retries = Retries(2)
    retries.put(ask(1, MODEL), failed(86_400.0), 0.0)
    assert retries.next_at == pytest.approx(MAX_RETRY_AFTER_S, rel=0.05)
    assert retries.capped == 1
