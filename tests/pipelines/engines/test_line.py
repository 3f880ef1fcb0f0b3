"""The line: when a failed request is tried again, and what comes before what."""

import pytest

from pipelines.engines.live.line import MAX_BACKOFF_S, MAX_RETRY_AFTER_S, Line
from schemas.recipe import ModelSection
from tests.pipelines.engines.requests import ask

MODEL = ModelSection(engine="simulated")


def line_of(max_retries: int) -> Line:
    return Line(iter(()), max_retries)


def test_waits_double_up_to_a_minute() -> None:
    line, request, waits = line_of(100), ask(1, MODEL), []
    for _ in range(40):
        assert line.put_back(request, None, 0.0)
        assert line.next_retry_at is not None
        waits.append(line.next_retry_at)
        assert line.next(line.next_retry_at) is request
    assert 0.25 <= waits[0] <= 0.5 and 0.5 <= waits[1] <= 1.0 and 1.0 <= waits[2] <= 2.0
    assert max(waits) <= MAX_BACKOFF_S


def test_the_line_is_in_order_of_time_and_nothing_comes_early() -> None:
    line = line_of(1)
    late, soon = ask(1, MODEL), ask(2, MODEL)
    line.put_back(late, 20.0, 0.0)
    line.put_back(soon, 10.0, 0.0)
    assert line.next(9.9) is None
    assert line.next(10.6) is soon
    assert line.next(10.6) is None
    assert line.next(21.1) is late
    assert line.next_retry_at is None


def test_tries_are_used_up_and_forgotten_at_the_end() -> None:
    line, request = line_of(2), ask(1, MODEL)
    assert [line.put_back(request, None, 0.0) for _ in range(3)] == [True, True, False]
    line.forget(request)
    assert line.put_back(request, None, 0.0)


def test_a_days_wait_is_capped_and_counted() -> None:
    line = line_of(2)
    line.put_back(ask(1, MODEL), 86_400.0, 0.0)
    assert line.next_retry_at == pytest.approx(MAX_RETRY_AFTER_S, rel=0.05)
    assert line.capped_waits == 1
