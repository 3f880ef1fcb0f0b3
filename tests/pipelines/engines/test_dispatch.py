"""The dispatcher, with small engines written for each question: what is sent, when, and what comes back."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from pipelines.engines.budget import Budget
from pipelines.engines.live.dispatch import dispatch
from pipelines.engines.live.line import MAX_RETRY_AFTER_S
from pipelines.engines.protocol import Attempt, OnCompletion, open_engine
from pipelines.engines.refusals import REFUSALS
from schemas.errors import BudgetReached, EngineError
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


@pytest.fixture(autouse=True)
def _ctrl_c_interrupts() -> None:
    """A shell starts what is in the background deaf to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


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


def test_passing_failures_are_tried_again_and_come_to_an_end() -> None:
    def flaky(request: Request, tries: int) -> Attempt | float:
        if row_of(request) == 3:
            return bad(request, FaultKind.TRANSIENT, 0.01)
        return bad(request, FaultKind.TRANSIENT, 0.01) if tries < row_of(request) % 3 else 0.001

    engine, watcher = run(flaky, 30, max_retries=4)
    assert engine.tries[3] == 5
    assert (watcher.count(), watcher.count(FaultKind.TRANSIENT)) == (29, 1)
    assert len(engine.sent) == 30 + len(watcher.retries)


def test_a_retry_waits_longer_each_time_and_holds_no_place() -> None:
    started = time.monotonic()
    engine, watcher = run(
        lambda request, tries: bad(request, FaultKind.TRANSIENT) if row_of(request) == 0 and tries < 2 else 0.001,
        50,
        max_concurrency=1,
    )
    assert time.monotonic() - started >= 0.25 + 0.5
    assert engine.sent[0] == 0 and engine.sent[-1] == 0  # the others did not wait for it
    assert watcher.count() == 50


def test_retry_after_delays_its_own_request_only() -> None:
    started = time.monotonic()

    def limited(request: Request, tries: int) -> Attempt | float:
        return bad(request, FaultKind.TRANSIENT, 0.5, True) if row_of(request) == 0 and not tries else 0.001

    engine, _ = run(limited, 20, max_concurrency=4)
    assert time.monotonic() - started >= 0.5
    assert engine.sent == [*range(20), 0], "the others did not wait for it"


def test_a_days_wait_is_capped_counted_and_said() -> None:
    model = section()
    engine = Played(lambda request, tries: bad(request, FaultKind.TRANSIENT, 86_400.0, True))

    class Impatient(Watcher):
        def in_flight(self, requests: int, room: int) -> None:
            super().in_flight(requests, room)
            if len(self.retries) == 3 and not requests:
                os.kill(os.getpid(), signal.SIGINT)

    watcher = Impatient()
    with pytest.raises(KeyboardInterrupt):
        dispatch(rows(3, model), engine, model, Budget(), lambda request, completion: (), watcher)
    assert len(watcher.warnings) == 1
    assert f"{MAX_RETRY_AFTER_S:.0f} s" in watcher.warnings[0]
    assert watcher.rooms and watcher.flying == 0, "those that wait are not in flight"


def test_a_request_that_is_refused_is_recorded_and_never_tried_again() -> None:
    engine, watcher = run(
        lambda request, tries: bad(request, FaultKind.REQUEST) if row_of(request) in (3, 77) else 0.001
    )
    assert engine.tries[3] == engine.tries[77] == 1
    assert (watcher.count(), watcher.count(FaultKind.REQUEST)) == (98, 2)


def test_refusals_from_the_start_are_the_recipes_fault() -> None:
    with pytest.raises(EngineError, match=r"were all refused.*extra_body"):
        run(lambda request, tries: bad(request, FaultKind.REQUEST), 1000)
    _, watcher = run(lambda request, tries: bad(request, FaultKind.REQUEST), REFUSALS - 1)
    assert watcher.count(FaultKind.REQUEST) == REFUSALS - 1


@pytest.mark.parametrize(("latency_s", "in_flight"), [(0.001, 4), (0.2, 100)])
def test_refusals_without_a_code_are_kept_only_beside_an_answer(latency_s: float, in_flight: int) -> None:
    """An account that runs dry in the middle, in words alone: the run stops, and no row is kept as refused."""
    dry = Attempt(
        Completion("", error="400: your credit balance is too low", fault=FaultKind.REQUEST), is_doubtful=True
    )

    def played(request: Request, tries: int) -> Attempt | float:
        if row_of(request) in (3, 77) or row_of(request) >= 200:
            return Attempt(replace(dry.completion, request_id=request.request_id), is_doubtful=True)
        return latency_s

    engine, handed, model = Played(played), dict[int, Completion](), section(max_concurrency=in_flight)

    def keep(request: Request, completion: Completion) -> Iterable[Request]:
        handed[row_of(request)] = completion
        return ()

    with pytest.raises(
        EngineError, match=r"the last [0-9]+ requests were all refused: 400: your credit .* run again: no"
    ):
        dispatch((ask(n, model) for n in range(10_000)), engine, model, Budget(), keep, Watcher())
    assert sorted(row for row, one in handed.items() if one.fault) == [3, 77]
    assert set(handed) == set(range(200))
    assert len(engine.sent) < 200 + REFUSALS + in_flight + 8


def test_slow_answers_behind_quick_refusals_are_waited_for() -> None:
    """Every third row is refused at once, while the others take their time: no reason to stop."""

    def played(request: Request, tries: int) -> Attempt | float:
        refused = Completion(request.request_id, error="400: too long, in words", fault=FaultKind.REQUEST)
        return Attempt(refused, is_doubtful=True) if row_of(request) % 3 == 0 else 0.3

    _, watcher = run(played, 300)
    assert (watcher.count(), watcher.count(FaultKind.REQUEST)) == (200, 100)


def test_an_engine_fault_stops_the_run_at_once() -> None:
    model = section(max_concurrency=4)
    engine = Played(lambda request, tries: bad(request, FaultKind.ENGINE) if row_of(request) == 10 else 0.005)
    handed: list[int] = []

    def keep(request: Request, completion: Completion) -> Iterable[Request]:
        handed.append(row_of(request))
        return ()

    with pytest.raises(EngineError, match="http://x: engine trouble"):
        dispatch(rows(1000, model), engine, model, Budget(), keep, Watcher())
    assert engine.closed
    assert len(engine.sent) <= 14
    assert set(handed) >= set(range(5))


@pytest.mark.parametrize("raised", [EngineError("no endpoint answers"), RuntimeError("a defect")])
def test_an_engine_that_raises_ends_the_run(raised: Exception) -> None:
    def gone(request: Request, tries: int) -> Attempt | float:
        if row_of(request) == 5:
            raise raised
        return 0.001

    with pytest.raises(type(raised), match=str(raised)):
        run(gone, max_concurrency=4)


def test_what_source_and_receiver_raise_comes_out() -> None:
    model = section(max_concurrency=4)

    def source() -> Iterator[Request]:
        yield from rows(3, model)
        raise OSError("disk full")

    engine = Played(lambda request, tries: 0.001)
    with pytest.raises(OSError, match="disk full"):
        dispatch(source(), engine, model, Budget(), lambda request, completion: (), Watcher())
    assert engine.closed

    def full(request: Request, completion: Completion) -> Iterable[Request]:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        run(lambda request, tries: 0.001, on_completion=full)


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
