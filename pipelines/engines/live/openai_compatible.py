"""Any OpenAI-compatible endpoint, or several: which request goes to which, and when an endpoint rests.

`exchange` does the talking, `calls` says what is asked, `faults` what a failure means, `replies` reads answers; retries
and limits are the dispatcher's. Bodies are serialised by orjson here and again for the id and the
journal: 0.3 us each, not worth keeping.
"""

import asyncio
import math
import time
from dataclasses import replace

import aiohttp
import orjson

from pipelines.engines.faults import Broken, Fault, fault_of_break, fault_of_status, snippet, without_key
from pipelines.engines.live.calls import CHAT, Call
from pipelines.engines.live.exchange import AnswerTooLarge, Connections, broken_by, root_of
from pipelines.engines.live.limits import LastSecond
from pipelines.engines.protocol import OPENAI_URL, Attempt
from pipelines.engines.replies import is_same_model
from pipelines.engines.waits import exhausted_for_s
from schemas.errors import EngineError
from schemas.generation import Completion, FaultKind, Request
from schemas.recipe import ModelSection

FIRST_REST_S = 0.3
MAX_REST_S = 30.0
ROUNDS_AT_FIRST = 4
"""Endpoints that refused so many rounds of connections, over 4 s in all, and never answered are not there."""
PATIENCE_S = 120.0
"""How long all endpoints may refuse connections after they did answer: time for a server to be started again."""
SLACK, LEAST_SLACK = 0.25, 2
"""How much busier than the least busy endpoint a question's own one may be: by a share, and by so many requests."""
MAX_LIMIT_REST_S = 60.0


class Endpoint:
    """One base_url: its connections, how busy it is, and whether it rests."""

    def __init__(self, url: str, model: ModelSection, key: str | None, call: Call) -> None:
        self.url = url
        self.connections = Connections(url, key, model.timeout_s, call)
        self.in_flight = 0
        self.has_answered = False
        self.resting_until = 0.0
        self.refused_rounds = 0
        self.refused_since = math.inf
        self.set_aside: Fault | None = None
        """Why nothing is sent to it any more, where it would refuse everything."""
        self.notice: str | None = None
        """What the user should read, until someone takes it away to show it."""
        self._noticed: set[str] = set()
        self._second = LastSecond()

    def note(self, now: float, fault: Fault | None) -> None:
        """Learn from one exchange: an endpoint that is down or overloaded rests for a while."""
        if fault is not None and fault.unreachable:
            # Requests that were on their way when it was set aside belong to the same round.
            if now >= self.resting_until:
                self.refused_rounds += 1
                self.refused_since = min(self.refused_since, now)
                self.resting_until = now + min(MAX_REST_S, FIRST_REST_S * 3 ** (self.refused_rounds - 1))
            return
        self.refused_rounds, self.refused_since = 0, math.inf
        if fault is None:
            self.has_answered = True
        throttled = fault is not None and fault.throttled
        self._second.add(now, throttled)
        # A single 429 is its request's own affair; many of them in a second are the endpoint's.
        if throttled and self._second.overloaded and fault is not None and fault.retry_after_s:
            self.rest(now, fault.retry_after_s)

    def rest(self, now: float, seconds: float) -> None:
        if seconds > MAX_LIMIT_REST_S:
            self.notify(
                f"{self.url} says that its limits are used up for more than {MAX_LIMIT_REST_S:.0f} s; "
                f"it is asked again after that: Ctrl-C ends the run, and the same command goes on later"
            )
        self.resting_until = max(self.resting_until, now + min(seconds, MAX_LIMIT_REST_S))

    def check_name(self, sent: str, served: str | None) -> None:
        """Warn once where an answer comes under a name that has nothing to do with the one that was sent."""
        if served and not is_same_model(sent, served):
            self.notify(
                f"{self.url} answers under another name than {sent}; it says {snippet(served)!r}: check model and "
                "base_url, since its answers count as those of the recipe's model"
            )

    def notify(self, notice: str) -> None:
        """Have the user read a notice, once for each of its kind."""
        kind = notice.split(";")[0]
        if kind not in self._noticed:
            self._noticed.add(kind)
            self.notice = notice

    def is_gone(self, now: float) -> bool:
        """Whether it refuses connections for so long that waiting is no use, or would refuse everything."""
        if self.set_aside is not None:
            return True
        if not self.has_answered:
            return self.refused_rounds >= ROUNDS_AT_FIRST
        return now - self.refused_since > PATIENCE_S


class OpenAICompatibleEngine:
    """One model behind one or several endpoints: each question at one of them while that is not busier than others."""

    def __init__(self, model: ModelSection, key: str | None, call: Call = CHAT) -> None:
        self._model = model
        self._key = key
        self._call = call
        self._endpoints = [Endpoint(url, model, key, call) for url in model.base_url or (OPENAI_URL,)]

    async def complete(self, request: Request) -> Attempt:
        """Try a request once, at an endpoint that is not set aside. Only `request.body` is sent.

        An endpoint that would refuse everything is set aside for as long as there is another one.
        """
        notice = None
        while True:
            endpoint = await self._free_endpoint(request.query_id)
            endpoint.in_flight += 1
            try:
                outcome = await self._exchange(endpoint, request)
            finally:
                endpoint.in_flight -= 1
            if isinstance(outcome, Completion) or outcome.kind is not FaultKind.ENGINE:
                break
            if all(other.set_aside is not None for other in self._endpoints if other is not endpoint):
                break
            endpoint.set_aside = endpoint.set_aside or outcome
            endpoint.notify(f"{endpoint.url} is not asked any more in this stage; {outcome.message}")
            notice, endpoint.notice = endpoint.notice or notice, None
        now = time.monotonic()
        if isinstance(outcome, Completion):
            endpoint.note(now, None)
            endpoint.check_name(self._model.model, outcome.served_model)
            attempt = Attempt(outcome)
        else:
            endpoint.note(now, outcome)
            if outcome.unreachable and all(endpoint.is_gone(now) for endpoint in self._endpoints):
                raise EngineError(self._gone(outcome))
            attempt = self._failed(request, outcome, now)
        notice, endpoint.notice = notice or endpoint.notice, None
        return replace(attempt, notice=notice) if notice else attempt

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(endpoint.connections.close() for endpoint in self._endpoints))

    async def _free_endpoint(self, query_id: str) -> Endpoint:
        """Return the question's own endpoint, or the least busy one where that is much less so; waits while all rest.

        Requests of one question begin with the same words, and only the server that read them has them in its cache.
        """
        own = self._endpoints[int(query_id[:8], 16) % len(self._endpoints)]
        while True:
            now = time.monotonic()
            usable = [endpoint for endpoint in self._endpoints if endpoint.set_aside is None]
            awake = [endpoint for endpoint in usable if endpoint.resting_until <= now]
            if awake:
                idlest = min(awake, key=lambda endpoint: endpoint.in_flight)
                is_fair = own.in_flight <= idlest.in_flight * (1 + SLACK) + LEAST_SLACK
                return own if is_fair and own in awake else idlest
            await asyncio.sleep(min(endpoint.resting_until for endpoint in usable) - now + 0.001)

    async def _exchange(self, endpoint: Endpoint, request: Request) -> Completion | Fault:
        """Send one request and read its answer; every way to fail comes back as a fault without our key in it."""
        key = self._key
        try:
            status, headers, content = await endpoint.connections.post(orjson.dumps(request.body))
        except (AnswerTooLarge, aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            broken = broken_by(error)
            detail = "" if broken is Broken.TIMEOUT else without_key(root_of(error), key)
            return fault_of_break(endpoint.url, broken, detail, has_answered=endpoint.has_answered)
        if "x-ratelimit-remaining-requests" in headers or "x-ratelimit-remaining-tokens" in headers:
            endpoint.rest(time.monotonic(), exhausted_for_s(headers) or 0.0)
        if not 200 <= status < 300:
            text = content.decode("utf-8", "replace") or headers.get("location", "")
            words, wait = without_key(text, key), headers.get("retry-after")
            return fault_of_status(endpoint.url, status, words, wait, self._call.unknown)
        outcome = self._call.read(
            content, request.request_id, self._model, endpoint.url, has_answered=endpoint.has_answered
        )
        return replace(outcome, message=without_key(outcome.message, key)) if isinstance(outcome, Fault) else outcome

    def _failed(self, request: Request, fault: Fault, now: float) -> Attempt:
        usable = [endpoint for endpoint in self._endpoints if endpoint.set_aside is None]
        retry_after_s = fault.retry_after_s
        if fault.unreachable and any(endpoint.resting_until <= now for endpoint in usable):
            retry_after_s = 0.0  # another endpoint is there for it
        aside = [endpoint.url for endpoint in self._endpoints if endpoint.set_aside is not None]
        if aside and fault.kind is FaultKind.ENGINE:
            fault = replace(fault, message=f"{fault.message}; set aside before: {', '.join(aside)}")
        return Attempt(
            fault.completion(request.request_id),
            retry_after_s,
            throttled=fault.throttled,
            is_doubtful=fault.is_doubtful,
            broke_off=fault.broke_off,
        )

    def _gone(self, fault: Fault) -> str:
        urls = ", ".join(endpoint.url for endpoint in self._endpoints)
        if any(endpoint.has_answered for endpoint in self._endpoints if endpoint.set_aside is None):
            return f"no endpoint has answered for {PATIENCE_S:.0f} s at {urls}; start it and run again to go on"
        return f"no endpoint answers at {urls}: {fault.message.removeprefix(self._endpoints[0].url + ': ')}"
