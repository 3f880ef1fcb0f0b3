"""One bounded stream of requests through an engine: as many in flight as there is room for, each retried by its kind.

A pool of long-lived workers, grown one by one, so that a request costs no task of its own and the loop looks at its
sockets between two pulls of a slow generator. A worker that finds nothing to send parks; a failed request that waits
for its next try stands in a heap and holds no worker.
"""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from pipelines.engines.budget import Budget, Reservation, reservation_of, spent_tokens
from pipelines.engines.live.limits import Concurrency, RateLimits
from pipelines.engines.live.retries import MAX_RETRY_AFTER_S, Retries
from pipelines.engines.protocol import Attempt, Engine, Observer
from pipelines.engines.refusals import Refusals
from schemas.errors import EngineError
from schemas.generation import Completion, FaultKind, Request
from schemas.recipe import ModelSection

WAITING_AT_LEAST = 64
"""So many requests may wait for their next try, or as many as may be in flight, before no new one is pulled."""
SENDS_BETWEEN_POLLS = 8
"""An engine that answers at once never yields to the loop, so the workers do."""
WATCH_EVERY_S = 0.1

OnCompletion = Callable[[Request, Completion], Iterable[Request]]
"""Called once a request, with its final completion; what it returns is asked next, before anything else."""


@dataclass(slots=True)
class DispatchTally:
    """What a dispatch did."""

    sent: int = 0
    """Tries, retries included."""
    answered: int = 0
    refused: int = 0
    """Requests that the endpoint refused for good."""
    given_up: int = 0
    """Requests whose tries were used up."""
    retries: int = 0
    capped_waits: int = 0
    """Times that an endpoint asked for a longer wait than `MAX_RETRY_AFTER_S`."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0


def dispatch(
    requests: Iterator[Request],
    engine: Engine,
    model: ModelSection,
    budget: Budget,
    on_completion: OnCompletion,
    observer: Observer,
    flush: Callable[[], None] = lambda: None,
) -> DispatchTally:
    """Send every request, hand every final completion to `on_completion`, and close the engine.

    `requests` is pulled in order and only as far as there is room; it may be slow. Completions come in any order. A
    request that fails for a passing reason is tried `model.max_retries` times more; after that its completion keeps
    `fault=TRANSIENT`. Everything here runs in the caller's thread, `on_completion` and `observer` included. When the
    budget is stopped, `flush` is called first, in a thread of its own; then what is in flight is waited for.

    Raises EngineError when the engine is gone, BudgetReached when a ceiling stands before the next request and
    nothing is in flight any more, what the budget was stopped with, KeyboardInterrupt on Ctrl-C, and whatever
    `requests` or `on_completion` raise. By then every finished request has been handed over, and `requests` has not
    been pulled any further.
    """
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with contextlib.suppress(ImportError):  # it does not exist on Windows
        import uvloop

        loop_factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(dispatched(requests, engine, model, budget, on_completion, observer, flush))


async def dispatched(
    requests: Iterator[Request],
    engine: Engine,
    model: ModelSection,
    budget: Budget,
    on_completion: OnCompletion,
    observer: Observer,
    flush: Callable[[], None] = lambda: None,
) -> DispatchTally:
    """Do what `dispatch` does, in a loop that runs already."""
    stream = _Stream(requests, engine, model, budget, on_completion, observer, flush)
    started = time.monotonic()
    try:
        await stream.run()
    finally:
        await engine.close()
        stream.tally.seconds = time.monotonic() - started
    return stream.tally


class _Stream:
    """The state that the workers share. One loop, no locks: it changes only between two awaits."""

    def __init__(
        self,
        requests: Iterator[Request],
        engine: Engine,
        model: ModelSection,
        budget: Budget,
        on_completion: OnCompletion,
        observer: Observer,
        flush: Callable[[], None],
    ) -> None:
        self.requests = requests
        self.engine = engine
        self.model = model
        self.budget = budget
        self.on_completion = on_completion
        self.observer = observer
        self.flush = flush
        self.tally = DispatchTally()
        self.limits = RateLimits(model.rpm, model.tpm)
        self.concurrency = Concurrency(model.max_concurrency)
        self.exhausted = False
        self.front: deque[Request] = deque()
        self.retries = Retries(model.max_retries)
        self.refusals = Refusals()
        self.held: tuple[Request, Reservation] | None = None
        """The next request, which neither budget nor rate limits let through yet."""
        self.in_flight = 0
        self.workers: set[asyncio.Task[None]] = set()
        self.parked: deque[asyncio.Future[None]] = deque()
        self.alarm: asyncio.TimerHandle | None = None
        self.alarm_at = 0.0
        self.watched_at = 0.0
        self.answer_tokens = 0

    async def run(self) -> None:
        """Start the first worker and wait until there is nothing left to do, or one of them fails."""
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self.loop.create_future()
        self.budget.on_stop = self._told_to_stop
        self._add_worker()
        try:
            await self.done
        finally:
            self.budget.on_stop = lambda: None
            if self.alarm:
                self.alarm.cancel()
            for worker in self.workers:
                worker.cancel()
            await asyncio.gather(*self.workers, return_exceptions=True)

    def _told_to_stop(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed since: there is nothing left to stop
            self.loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        """Bring to the disk what has come in, and wait for what is in flight, as long as the budget says."""
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
        worker = self.loop.create_task(self._work())
        self.workers.add(worker)
        worker.add_done_callback(self._worker_ended)

    def _worker_ended(self, worker: asyncio.Task[None]) -> None:
        """Pass the first error on to `run`. No worker ends by itself before all is done."""
        if self.done.done():
            return
        # One cancelled from inside the engine would otherwise leave its request, and the run, waiting for ever.
        error = None if worker.cancelled() else worker.exception()
        self.done.set_exception(error or EngineError("the engine cancelled a request; run again to go on"))

    async def _work(self) -> None:
        """Send one request after the other; park while there is none that may go."""
        sends = 0
        while True:
            taken = self._next()
            if taken is None:
                if self.done.done():
                    return
                await self._park()
                continue
            request, reservation, expected_tokens = taken
            number, attempt = self.tally.sent, None
            try:
                attempt = await self.engine.complete(request)
            finally:
                self.in_flight -= 1
                if attempt is None:
                    self.budget.release(reservation)
            if not self.limits.unlimited:
                self.limits.correct(sum(spent_tokens(reservation, attempt.completion)) - expected_tokens)
            self._finish(number, request, reservation, attempt)
            sends += 1
            if sends % SENDS_BETWEEN_POLLS == 0:
                await asyncio.sleep(0)

    async def _park(self) -> None:
        place: asyncio.Future[None] = self.loop.create_future()
        self.parked.append(place)
        await place

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
        if not self.in_flight:  # nothing comes in that could tell that all of them wait
            self._show_in_flight(time.monotonic())
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

        Returns it with its reservation and the tokens counted against the rate limits. None says: park. Whatever lets
        the request through later wakes a worker: an answer that comes in, or the alarm.
        """
        if self.done.done() or self.in_flight >= self.concurrency.room:
            return None
        if self.budget.stopped is not None:
            if not self.in_flight:
                raise self.budget.stopped
            return None
        if self.refusals.is_all:
            if not self.in_flight:
                raise EngineError(self.refusals.words())
            return None
        if self.held is None:
            request = self._choose()
            if request is None:
                return None
            self.held = request, reservation_of(request.body, self.model.price_per_mtok)
        request, reservation = self.held
        expected_tokens = self._admit(reservation)
        if expected_tokens is None:
            return None
        self.held = None
        self.in_flight += 1
        self.tally.sent += 1
        if self.in_flight < self.concurrency.room:
            self._wake_one()
        return request, reservation, expected_tokens

    def _choose(self) -> Request | None:
        """Return the next request: a retry that is due, a follow-up, or a new one. Finds out when all is done."""
        if request := self.retries.due(time.monotonic()) if self.retries else None:
            return request
        if self.front:
            return self.front.popleft()
        # A pile of retries means that the endpoint is in trouble: pulling more rows would only make the pile higher.
        if not self.exhausted and len(self.retries) < max(WAITING_AT_LEAST, self.model.max_concurrency):
            request = next(self.requests, None)
            if request is not None:
                return request
            self.exhausted = True
        if (next_at := self.retries.next_at) is not None:
            self._wake_at(next_at)
        elif self.in_flight == 0 and not self.done.done():
            if self.refusals.held:
                self._release_refusals()
                return self._choose()
            self.done.set_result(None)
        return None

    def _admit(self, reservation: Reservation) -> float | None:
        """Return the tokens counted if rate limits and budget let a request go now. Raises BudgetReached."""
        expected_tokens = 0.0
        if not self.limits.unlimited:
            now = time.monotonic()
            expected_tokens = self._expected_tokens(reservation)
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

    def _expected_tokens(self, reservation: Reservation) -> float:
        """Return what a request will probably count against tokens a minute: its prompt and a usual answer."""
        if not self.tally.answered:
            return reservation.tokens
        return reservation.prompt_tokens + self.answer_tokens / self.tally.answered

    def _finish(self, number: int, request: Request, reservation: Reservation, attempt: Attempt) -> None:
        """Settle what a try cost; hand its completion over, or put the request back in line."""
        completion = attempt.completion
        if warning := self.budget.settle(reservation, completion, attempt.broke_off):
            self.observer.warn(warning)
        if attempt.notice:
            self.observer.warn(attempt.notice)
        if completion.fault is FaultKind.ENGINE:
            raise EngineError(completion.error or "the engine is gone")
        now = time.monotonic()
        self.concurrency.answered(now, attempt.throttled)
        if now - self.watched_at >= WATCH_EVERY_S:
            self._show_in_flight(now)
        if completion.fault is FaultKind.TRANSIENT and self.retries.put(request, attempt, now):
            self._say_retried(completion)
            return
        self.retries.forget(request)
        if attempt.is_doubtful:
            self.refusals.hold(number, request, completion)
            return
        if completion.fault is None and self.refusals.held:
            self._release_refusals(number)
        self._hand_over(request, completion)

    def _hand_over(self, request: Request, completion: Completion) -> None:
        self.refusals.count(completion)
        self.budget.answers += 1
        self._count(completion)
        follow_ups = self.on_completion(request, completion)
        if follow_ups:
            self.front.extendleft(reversed(list(follow_ups)))
        self.observer.answered(completion)

    def _release_refusals(self, number: int | None = None) -> None:
        for request, completion in self.refusals.release(number):
            self._hand_over(request, completion)

    def _show_in_flight(self, now: float) -> None:
        self.watched_at = now
        self.observer.in_flight(self.in_flight, self.concurrency.room)

    def _say_retried(self, completion: Completion) -> None:
        tally = self.tally
        tally.retries = self.retries.count
        if self.retries.capped and not tally.capped_waits:
            self.observer.warn(
                f"an endpoint asks for waits longer than {MAX_RETRY_AFTER_S:.0f} s (Retry-After); "
                f"it is asked again after that: {completion.error}"
            )
        tally.capped_waits = self.retries.capped
        self.observer.retried(completion.error or "failed")

    def _count(self, completion: Completion) -> None:
        tally = self.tally
        if completion.fault is None:
            tally.answered += 1
        elif completion.fault is FaultKind.REQUEST:
            tally.refused += 1
        else:
            tally.given_up += 1
        tally.prompt_tokens += completion.prompt_tokens or 0
        tally.completion_tokens += completion.completion_tokens or 0
        tally.cost_usd += completion.cost_usd or 0.0
        self.answer_tokens += completion.completion_tokens or 0
