"""One bounded stream of requests through an engine: as many in flight as there is room for, each retried by its kind.

A pool of long-lived workers, grown one by one, so that a request costs no task of its own and the loop looks at its
sockets between two pulls of a slow generator. A worker that finds nothing to send parks. A failed request that waits
for its next try stands in the line and holds no worker.
"""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pipelines.engines.budget import Budget, Reservation, reservation_of, spent_tokens
from pipelines.engines.live.limits import Concurrency, RateLimits
from pipelines.engines.live.line import MAX_RETRY_AFTER_S, Line
from pipelines.engines.protocol import Attempt, Engine, Observer, OnCompletion
from pipelines.engines.refusals import Refusals
from schemas.errors import EngineError
from schemas.generation import Completion, FaultKind, Request
from schemas.recipe import SCORERS, ModelSection

SENDS_BETWEEN_POLLS = 8
"""An engine that answers at once never yields to the loop, so the workers do."""
WATCH_EVERY_S = 0.1


def dispatch(
    requests: Iterator[Request],
    engine: Engine,
    model: ModelSection,
    budget: Budget,
    on_completion: OnCompletion,
    observer: Observer,
    flush: Callable[[], None] = lambda: None,
) -> None:
    """Send every request, hand every final completion to `on_completion`, and close the engine.

    `requests` is pulled in order and only as far as there is room; it may be slow. Completions come in any order. A
    request that fails for a passing reason is tried `model.max_retries` times more; after that its completion keeps
    `fault=TRANSIENT`. Everything here runs in the caller's thread, except for `flush`: it is called when the budget is
    stopped, in a thread of its own, before what is in flight is waited for.

    Raises EngineError when the engine is gone, BudgetReached when a ceiling stands before the next request and
    nothing is in flight any more, what the budget was stopped with, KeyboardInterrupt on Ctrl-C, and whatever
    `requests` or `on_completion` raise. By then every finished request has been handed over, and nothing more is
    pulled.
    """
    line = Line(requests, model.max_retries, model.max_concurrency)
    limits, concurrency = RateLimits(model.rpm, model.tpm), Concurrency(model.max_concurrency)
    stream = Stream(line, engine, model, budget, on_completion, observer, flush, limits, concurrency)
    with asyncio.Runner(loop_factory=fast_loop()) as runner:
        runner.run(stream.run())


def fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the fastest loop there is; None for asyncio's own."""
    with contextlib.suppress(ImportError):  # it does not exist on Windows
        import uvloop

        factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
        return factory
    return None


@dataclass(slots=True, eq=False)
class Stream:
    """The state that the workers share. One loop, no locks: it changes only between two awaits."""

    line: Line
    engine: Engine
    model: ModelSection
    budget: Budget
    on_completion: OnCompletion
    observer: Observer
    flush: Callable[[], None]
    limits: RateLimits
    concurrency: Concurrency
    is_open: bool = False
    """Whether further requests may come by `put`, so that the stream does not end where nothing is left to do."""
    refusals: Refusals = field(default_factory=Refusals)
    held: tuple[Request, Reservation] | None = None
    """The next request, which neither budget nor rate limits let through yet."""
    sent: int = 0
    """Tries, retries included."""
    in_flight: int = 0
    workers: set[asyncio.Task[None]] = field(default_factory=set)
    parked: deque[asyncio.Future[None]] = field(default_factory=deque)
    alarm: asyncio.TimerHandle | None = None
    alarm_at: float = 0.0
    watched_at: float = 0.0
    loop: asyncio.AbstractEventLoop = field(init=False)
    done: asyncio.Future[None] = field(init=False)

    async def run(self) -> None:
        """Start the first worker, wait until there is nothing left to do or one of them fails, and close the engine."""
        self.loop = asyncio.get_running_loop()
        self.done = self.loop.create_future()
        self.budget.on_stop = self._stop_soon
        self._add_worker()
        try:
            await self.done
        finally:
            self.budget.on_stop = lambda: None
            if self.alarm:
                self.alarm.cancel()
            for worker in self.workers:
                worker.cancel()
            try:
                await asyncio.gather(*self.workers, return_exceptions=True)
            finally:
                await self.engine.close()

    def put(self, request: Request) -> None:
        """Take one more request, behind those that wait. Called in the loop of an open stream."""
        self.line.put_behind(request)
        if self.workers and self.in_flight < self.concurrency.room:  # before the first one there is no loop yet
            self._wake_one()

    def _stop_soon(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed since: there is nothing left to stop
            self.loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        """Bring to the disk what has come in, and wait for what is in flight, as long as the budget allows."""
        threading.Thread(target=self.flush, name="flush", daemon=True).start()
        if not self.in_flight:
            self._wake_one()
        elif self.budget.wait_s is not None:
            self.loop.call_later(self.budget.wait_s, self._give_up)

    def _give_up(self) -> None:
        """End without what is still in flight: whoever stopped the budget has no more time."""
        if not self.done.done():
            self.done.set_exception(self.budget.late or EngineError("stopped before every answer had come in"))

    def _add_worker(self) -> None:
        self.workers.add(self.loop.create_task(self._work()))

    async def _work(self) -> None:
        """Send until all is done. The first error ends the run at once: another worker may find nothing left to do."""
        try:
            await self._send_on()
        except BaseException as error:
            cancelled = EngineError("the engine cancelled a request; run again to go on")
            if not self.done.done():  # of one cancelled inside the engine, request and run would wait for ever
                self.done.set_exception(cancelled if isinstance(error, asyncio.CancelledError) else error)
            raise

    async def _send_on(self) -> None:
        """Send one request after the other; park while there is none that may go."""
        sends = 0
        while True:
            if (taken := self._next()) is None:
                if self.done.done():
                    return
                place = self.loop.create_future()
                self.parked.append(place)
                await place
                continue
            request, reservation, expected_tokens = taken
            number, attempt = self.sent, None
            if number == 1:  # its answer may take a minute
                self._show_in_flight()
                self.loop.call_later(WATCH_EVERY_S, self._show_in_flight)
            try:
                attempt = await self.engine.complete(request)
            finally:
                self.in_flight -= 1
                if attempt is None:
                    self.budget.release(reservation)
            if not self.limits.unlimited:
                self.limits.settle(expected_tokens, *spent_tokens(reservation, attempt.completion))
            self._finish(number, request, reservation, attempt)
            sends += 1
            if sends % SENDS_BETWEEN_POLLS == 0:
                await asyncio.sleep(0)

    def _wake_one(self) -> None:
        """Let one more worker look for something to send: a parked one, else a new one."""
        while self.parked:
            place = self.parked.popleft()
            if not place.done():
                place.set_result(None)
                return
        if len(self.workers) < self.model.max_concurrency:
            self._add_worker()

    def _wake_at(self, when: float) -> None:
        """Wake a worker at a monotonic time, unless one is woken before."""
        if not self.in_flight:  # no answer comes in that could show that all of them wait
            self._show_in_flight()
        if self.alarm:
            if self.alarm_at <= when:
                return
            self.alarm.cancel()
        self.alarm_at = when
        self.alarm = self.loop.call_later(max(0.0, when - time.monotonic()), self._ring)

    def _ring(self) -> None:
        self.alarm = None
        self._wake_one()

    def _next(self) -> tuple[Request, Reservation, float] | None:
        """Take the next request that may go now, count it as in flight, and have the next worker look in turn.

        Returns it with its reservation and the tokens counted against the rate limits. None means: park. Whatever lets
        the request through later wakes a worker: an answer that comes in, or the alarm.
        """
        if self.done.done() or self.in_flight >= self.concurrency.room:
            return None
        if self.budget.stopped is not None or self.refusals.is_all:
            if self.in_flight:
                return None
            raise self.budget.stopped or EngineError(self.refusals.words())
        if self.held is None:
            if (request := self._choose()) is None:
                return None
            need = reservation_of(request.body, self.model.price_per_mtok, is_scored=request.role in SCORERS)
            self.held = request, need
        request, reservation = self.held
        expected_tokens = self._admit(reservation)
        if expected_tokens is None:
            return None
        self.held = None
        self.in_flight += 1
        self.sent += 1
        if self.in_flight < self.concurrency.room and self.line.may_have_more:
            self._wake_one()
        return request, reservation, expected_tokens

    def _choose(self) -> Request | None:
        """Return the next request of the line. Finds out when all is done."""
        if request := self.line.next(time.monotonic()):
            return request
        if (retry_at := self.line.next_retry_at) is not None:
            self._wake_at(retry_at)
        elif self.in_flight == 0 and not self.done.done():
            if self.refusals.held:
                self._release_refusals()
                return self._choose()
            if not self.is_open:
                self.done.set_result(None)
        return None

    def _admit(self, reservation: Reservation) -> float | None:
        """Return the tokens counted if rate limits and budget let a request go now. Raises BudgetReached."""
        expected_tokens = 0.0
        if not self.limits.unlimited:
            now = time.monotonic()
            expected_tokens = self.limits.expected_tokens(reservation)
            if delay := self.limits.delay(now, expected_tokens):
                self._wake_at(now + delay)
                return None
        if not self.budget.reserve(reservation):
            if self.in_flight == 0:
                self._release_refusals()  # or the next run would spend as much on the same ones
                raise self.budget.reached(reservation)
            return None
        if not self.limits.unlimited:
            self.limits.take(expected_tokens)
        return expected_tokens

    def _finish(self, number: int, request: Request, reservation: Reservation, attempt: Attempt) -> None:
        """Settle what a try cost; hand its completion over, or put the request back in line."""
        completion = attempt.completion
        if warning := self.budget.settle(reservation, completion, attempt.broke_off):
            self.observer.warn(warning)
        if attempt.notice:
            self.observer.warn(attempt.notice)
        if completion.fault is FaultKind.ENGINE:
            raise EngineError(completion.error or "the engine is gone")
        self.concurrency.answered(now := time.monotonic(), attempt.throttled)
        if now - self.watched_at >= WATCH_EVERY_S:
            self._show_in_flight()
        if completion.fault is FaultKind.TRANSIENT and self._is_tried_again(request, attempt, now):
            return
        self.line.forget(request)
        if attempt.is_doubtful:
            self.refusals.hold(number, request, completion)
            return
        if completion.fault is None and self.refusals.held:
            self._release_refusals(number)
        self._hand_over(request, completion)

    def _is_tried_again(self, request: Request, attempt: Attempt, now: float) -> bool:
        """Put a request back in line, and show that; False when its tries are used up."""
        was_capped, error = self.line.capped_waits > 0, attempt.completion.error or "failed"
        if not self.line.put_back(request, attempt.retry_after_s, now):
            return False
        if self.line.capped_waits and not was_capped:
            self.observer.warn(
                f"an endpoint asks for waits longer than {MAX_RETRY_AFTER_S:.0f} s (Retry-After); "
                f"it is asked again after that: {error}"
            )
        self.observer.retried(error)
        return True

    def _hand_over(self, request: Request, completion: Completion) -> None:
        self.refusals.count(completion)
        self.budget.answers += 1
        if follow_ups := self.on_completion(request, completion):
            self.line.put_in_front(follow_ups)
        self.observer.answered(completion)

    def _release_refusals(self, number: int | None = None) -> None:
        for request, completion in self.refusals.release(number):
            self._hand_over(request, completion)

    def _show_in_flight(self) -> None:
        self.watched_at = time.monotonic()
        self.observer.in_flight(self.in_flight, self.concurrency.room)
