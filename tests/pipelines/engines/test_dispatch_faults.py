"""The dispatcher where requests fail: what is tried again and when, what is recorded, and what ends the run."""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from pipelines.engines.budget import Budget
from pipelines.engines.live.dispatch import dispatch
from pipelines.engines.live.line import MAX_RETRY_AFTER_S
from pipelines.engines.protocol import Attempt
from pipelines.engines.refusals import REFUSALS
from schemas.errors import EngineError
from schemas.generation import Completion, FaultKind, Request
from tests.pipelines.engines.played_engines import Played, bad, rows, run, section
from tests.pipelines.engines.requests import Watcher, ask, row_of


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

    for seconds in (0.001, 0.0):  # an engine that answers at once, too: nobody else may find the source at its end
        engine = Played(lambda request, tries, seconds=seconds: seconds)
        with pytest.raises(OSError, match="disk full"):
            dispatch(source(), engine, model, Budget(), lambda request, completion: (), Watcher())
        assert engine.closed

    def full(request: Request, completion: Completion) -> Iterable[Request]:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        run(lambda request, tries: 0.001, on_completion=full)
