"""The dispatcher, with small engines written for each question: what is sent, when, and what comes back."""

import asyncio
import os
import signal
import time
from collections.abc import Iterable, Iterator

import pytest

from pipelines.engines.budget import Budget
from pipelines.engines.live.dispatch import dispatch
from pipelines.engines.protocol import Attempt, open_engine
from schemas.errors import BudgetReached, EngineError
from schemas.generation import Completion, FaultKind, Request
from tests.pipelines.engines.played_engines import Played, bad, rows, run, section
from tests.pipelines.engines.requests import Watcher, ask, row_of


@pytest.fixture(autouse=True)
def _ctrl_c_interrupts() -> None:
    """A shell starts what is in the background deaf to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_every_request_is_answered_once_and_handed_over() -> None:
    handed: list[str] = []

    def keep(request: Request, completion: Completion) -> Iterable[Request]:
        assert completion.request_id == request.request_id
        handed.append(request.request_id)
        return ()

    engine, watcher = run(lambda request, tries: 0.001, 500, on_completion=keep, max_concurrency=32)
    assert len(set(handed)) == len(handed) == 500
    assert engine.sent == list(range(500))  # in order
    assert engine.most_in_flight == 32
    assert (watcher.count(), watcher.retries) == (500, [])


def test_nothing_to_do_is_done_at_once() -> None:
    _, watcher = run(lambda request, tries: 0.0, 0)
    assert not watcher.completions


def test_requests_are_pulled_only_as_far_as_there_is_room() -> None:
    model = section(max_concurrency=8)
    pulled, finished, ahead = 0, 0, 0

    def source() -> Iterator[Request]:
        nonlocal pulled, ahead
        for number in range(100):
            pulled += 1
            ahead = max(ahead, pulled - finished)
            yield ask(number, model)

    def finish(request: Request, completion: Completion) -> Iterable[Request]:
        nonlocal finished
        finished += 1
        return ()

    dispatch(source(), Played(lambda request, tries: 0.002), model, Budget(), finish, Watcher())
    assert finished == 100
    assert ahead <= 9


def test_a_slow_source_does_not_hold_back_the_first_request() -> None:
    model = section(max_concurrency=64)
    pulled, pulled_at_answers = 0, list[int]()

    def slow() -> Iterator[Request]:
        nonlocal pulled
        for number in range(40):
            time.sleep(0.01)
            pulled += 1
            yield ask(number, model)

    def note(request: Request, completion: Completion) -> Iterable[Request]:
        pulled_at_answers.append(pulled)
        return ()

    dispatch(slow(), Played(lambda request, tries: 0.001), model, Budget(), note, Watcher())
    assert pulled_at_answers[0] < 10
    assert len(pulled_at_answers) == 40


def test_follow_ups_go_in_front() -> None:
    model = section(max_concurrency=1)

    def twice(request: Request, completion: Completion) -> Iterable[Request]:
        return [ask(1000 + row_of(request), model), ask(2000, model)] if row_of(request) == 1 else []

    engine, _ = run(lambda request, tries: 0.0001, 4, on_completion=twice, max_concurrency=1)
    assert engine.sent == [0, 1, 1001, 2000, 2, 3]


def test_a_follow_up_of_the_last_request_is_sent_too() -> None:
    model = section()
    engine, _ = run(
        lambda request, tries: 0.001,
        1,
        on_completion=lambda request, completion: [ask(row_of(request) + 1, model)] if row_of(request) < 5 else (),
    )
    assert engine.sent == [0, 1, 2, 3, 4, 5]


def test_concurrency_shrinks_under_429_and_grows_back() -> None:
    started = time.monotonic()

    def overloaded(request: Request, tries: int) -> Attempt | float:
        if time.monotonic() - started < 2.2:
            return bad(request, FaultKind.TRANSIENT, 0.02, True)
        return 0.02

    _, watcher = run(overloaded, 1000, max_concurrency=20, max_retries=1000)
    assert min(watcher.rooms) in (9, 12, 16)  # by a fifth, once for each of the two or three seconds
    assert watcher.rooms[-1] > min(watcher.rooms)
    assert watcher.count() == 1000


def test_requests_a_minute() -> None:
    started = time.monotonic()
    engine, watcher = run(lambda request, tries: 0.001, 30, rpm=1200)
    assert watcher.count() == 30
    assert 0.3 < time.monotonic() - started < 2.0  # a burst of 20, then 20 a second
    assert engine.sent == list(range(30))


def test_tokens_a_minute_are_corrected_by_usage() -> None:
    started = time.monotonic()
    # 100 tokens a second, 20 a request; each is feared to take some 130.
    _, watcher = run(lambda request, tries: 0.001, 20, tpm=6000)
    assert watcher.count() == 20
    assert 1.5 < time.monotonic() - started < 5.0


def test_a_budget_is_never_overdrawn_and_stops_cleanly() -> None:
    budget = Budget(max_tokens=1000)
    handed: list[Completion] = []

    def keep(request: Request, completion: Completion) -> Iterable[Request]:
        handed.append(completion)
        return ()

    with pytest.raises(BudgetReached, match="max_tokens = 1000"):
        run(lambda request, tries: 0.002, 1000, budget, keep, max_concurrency=8)
    assert budget.tokens == 20 * len(handed) <= 1000
    assert len(handed) >= 40  # reservations are given back: not one in seven of what the ceiling buys


def test_retries_are_requests_of_the_budget_and_80_percent_is_said_once() -> None:
    budget = Budget(max_requests=10)
    model = section()
    watcher = Watcher()
    engine = Played(lambda request, tries: bad(request, FaultKind.TRANSIENT, 0.001))
    with pytest.raises(BudgetReached, match="10 requests of max_requests = 10"):
        dispatch(rows(4, model), engine, model, budget, lambda request, completion: (), watcher)
    assert len(engine.sent) == 10
    assert len(watcher.warnings) == 1


def test_one_budget_over_two_dispatches() -> None:
    budget = Budget(max_requests=15)
    run(lambda request, tries: 0.001, 10, budget)
    with pytest.raises(BudgetReached):
        run(lambda request, tries: 0.001, 10, budget)
    assert budget.requests == 15


def test_ctrl_c_leaves_cleanly_with_everything_finished_handed_over() -> None:
    model = section(max_concurrency=8)
    engine, watcher = Played(lambda request, tries: 0.005), Watcher()
    handed: list[int] = []

    def keep(request: Request, completion: Completion) -> Iterable[Request]:
        handed.append(row_of(request))
        if len(handed) == 100:
            os.kill(os.getpid(), signal.SIGINT)
        return ()

    with pytest.raises(KeyboardInterrupt):
        dispatch(rows(100_000, model), engine, model, Budget(), keep, watcher)
    assert engine.closed
    assert 100 <= len(handed) <= 130
    assert len(watcher.completions) == len(handed)


def test_ctrl_c_reaches_an_engine_that_never_waits() -> None:
    model = section()
    handed = 0

    def keep(request: Request, completion: Completion) -> Iterable[Request]:
        nonlocal handed
        handed += 1
        if handed == 1000:
            os.kill(os.getpid(), signal.SIGINT)
        return ()

    with pytest.raises(KeyboardInterrupt):
        dispatch(rows(100_000, model), open_engine(model, None), model, Budget(), keep, Watcher())
    assert handed < 20_000


def test_a_slow_request_does_not_stall_the_others() -> None:
    done: list[int] = []

    def note(request: Request, completion: Completion) -> Iterable[Request]:
        done.append(row_of(request))
        return ()

    run(lambda request, tries: 1.0 if row_of(request) == 0 else 0.0001, 100, on_completion=note, max_concurrency=4)
    assert done[-1] == 0


def test_an_engine_that_cancels_its_own_request_does_not_hang_the_run() -> None:
    def cancels(request: Request, tries: int) -> Attempt | float:
        if row_of(request) == 5:
            raise asyncio.CancelledError
        return 0.001

    with pytest.raises(EngineError, match="cancelled"):
        run(cancels, max_concurrency=4)
