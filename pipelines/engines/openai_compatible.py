"""Any OpenAI-compatible endpoint, through the `openai` package: its client, its errors, our reading of what comes back.

The package does the talking (its aiohttp transport is 2.8 times as fast as its own); retries, limits and choices among
endpoints are ours. Bodies are serialised by orjson and answers read from bytes, since its typed layer costs more than
the exchange itself.
"""

import asyncio
import math
import ssl
import time
from collections.abc import AsyncIterator, Iterator

import aiohttp
import httpx2
import openai
import orjson

from pipelines.engines.faults import Broken, Fault, exhausted_for_s, fault_of_break, fault_of_error, fault_of_status
from pipelines.engines.limits import LastSecond
from pipelines.engines.protocol import Attempt
from pipelines.engines.wire import Unreadable, read_answer
from schemas.errors import EngineError
from schemas.generation import Completion, Request
from schemas.recipe import ModelSection

OPENAI_URL = "https://api.openai.com/v1"
MAX_ANSWER_BYTES = 8 * 2**20
COMPRESSED_SHARE = 32
"""An answer compressed against our asking may be this much smaller, or it could unfold into gigabytes."""
CONNECT_TIMEOUT_S = 15.0

FIRST_REST_S = 0.3
MAX_REST_S = 30.0
ROUNDS_AT_FIRST = 4
"""Endpoints that refused so many rounds of connections, over 4 s in all, and never answered are not there."""
PATIENCE_S = 120.0
"""How long all endpoints may refuse connections after they did answer: time for a server to be started again."""
MAX_LIMIT_REST_S = 60.0


class AnswerTooLarge(httpx2.RequestError):
    """A body went on past `MAX_ANSWER_BYTES`, and was left unread."""


class CappedStream(httpx2.AsyncByteStream):
    """A body that is read up to a limit, and no further."""

    def __init__(self, stream: httpx2.AsyncByteStream, limit: int) -> None:
        self._stream = stream
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for chunk in self._stream:
            read += len(chunk)
            if read > self._limit:
                raise AnswerTooLarge(f"more than {self._limit:,} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _cap(response: httpx2.Response) -> None:
    """Cap a response before anybody reads its body, error bodies included."""
    limit = MAX_ANSWER_BYTES if "content-encoding" not in response.headers else MAX_ANSWER_BYTES // COMPRESSED_SHARE
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = CappedStream(response.stream, limit)


class Endpoint:
    """One base_url: its client, how busy it is, and whether it rests."""

    def __init__(self, url: str, model: ModelSection, key: str | None) -> None:
        self.url = url
        self.client = openai.AsyncOpenAI(
            base_url=url,
            api_key=key or "none",
            max_retries=0,
            default_headers={"Accept-Encoding": "identity"},
            http_client=openai.DefaultAioHttpClient(
                # The time-out of a whole request is the engine's; the package's would start anew with each byte.
                timeout=httpx2.Timeout(None, connect=min(CONNECT_TIMEOUT_S, model.timeout_s)),
                limits=httpx2.Limits(max_connections=model.max_concurrency, keepalive_expiry=15.0),
                event_hooks={"response": [_cap]},
            ),
        )
        self.in_flight = 0
        self.has_answered = False
        self.resting_until = 0.0
        self.refused_rounds = 0
        self.refused_since = math.inf
        self._second = LastSecond()

    def note(self, now: float, fault: Fault | None) -> None:
        """Learn from one exchange: set a dead endpoint aside, and let an overloaded one rest."""
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
        self.resting_until = max(self.resting_until, now + min(seconds, MAX_LIMIT_REST_S))

    def is_gone(self, now: float) -> bool:
        """Whether it refuses connections for so long that waiting is no use."""
        if not self.has_answered:
            return self.refused_rounds >= ROUNDS_AT_FIRST
        return now - self.refused_since > PATIENCE_S


class OpenAICompatibleEngine:
    """One model behind one or several endpoints, the least busy first."""

    def __init__(self, model: ModelSection, key: str | None) -> None:
        self._model = model
        self._key = key
        self._endpoints = [Endpoint(url, model, key) for url in model.base_url or (OPENAI_URL,)]

    async def complete(self, request: Request) -> Attempt:
        """Try a request once, at the least busy endpoint that is not set aside. Only `request.body` is sent."""
        endpoint = await self._free_endpoint()
        endpoint.in_flight += 1
        try:
            outcome = await self._exchange(endpoint, request)
        finally:
            endpoint.in_flight -= 1
        now = time.monotonic()
        if isinstance(outcome, Completion):
            endpoint.note(now, None)
            return Attempt(outcome)
        endpoint.note(now, outcome)
        if outcome.unreachable and all(endpoint.is_gone(now) for endpoint in self._endpoints):
            raise EngineError(self._gone(outcome))
        return self._failed(request, outcome, now)

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(endpoint.client.close() for endpoint in self._endpoints))

    async def _free_endpoint(self) -> Endpoint:
        """Return the least busy endpoint, waiting while all of them rest."""
        while True:
            now = time.monotonic()
            awake = [endpoint for endpoint in self._endpoints if endpoint.resting_until <= now]
            if awake:
                return min(awake, key=lambda endpoint: endpoint.in_flight)
            await asyncio.sleep(min(endpoint.resting_until for endpoint in self._endpoints) - now + 0.001)

    async def _exchange(self, endpoint: Endpoint, request: Request) -> Completion | Fault:
        """Send one request and read its answer; every way to fail comes back as a fault."""
        try:
            async with asyncio.timeout(self._model.timeout_s):
                response = await endpoint.client.post(
                    "/chat/completions", cast_to=httpx2.Response, content=orjson.dumps(request.body)
                )
        except openai.APIStatusError as error:
            self._obey_limits(endpoint, error.response)
            return self._status_fault(endpoint, error.response)
        except (openai.OpenAIError, aiohttp.ClientError, httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            broken = broken_by(error)
            detail = "" if broken is Broken.TIMEOUT else root_of(error)
            return fault_of_break(endpoint.url, broken, self._without_key(detail), has_answered=endpoint.has_answered)
        self._obey_limits(endpoint, response)
        answer = read_answer(response.content, request.request_id, self._model)
        if isinstance(answer, Completion):
            return answer
        return self._unreadable_fault(endpoint, answer)

    def _status_fault(self, endpoint: Endpoint, response: httpx2.Response) -> Fault:
        body = self._without_key(response.content.decode("utf-8", "replace"))
        return fault_of_status(endpoint.url, response.status_code, body, response.headers.get("retry-after"))

    def _unreadable_fault(self, endpoint: Endpoint, answer: Unreadable) -> Fault:
        if answer.error is not None:
            fault = fault_of_error(endpoint.url, answer.error)
        else:
            fault = fault_of_break(endpoint.url, answer.broken, answer.detail, has_answered=endpoint.has_answered)
        return fault if not self._key else _replaced(fault, self._without_key(fault.message))

    def _obey_limits(self, endpoint: Endpoint, response: httpx2.Response) -> None:
        """Let an endpoint rest whose rate-limit headers say that nothing is left."""
        headers = response.headers
        if "x-ratelimit-remaining-requests" in headers or "x-ratelimit-remaining-tokens" in headers:
            wait = exhausted_for_s(headers)
            if wait:
                endpoint.rest(time.monotonic(), wait)

    def _failed(self, request: Request, fault: Fault, now: float) -> Attempt:
        retry_after = fault.retry_after_s
        if fault.unreachable and any(endpoint.resting_until <= now for endpoint in self._endpoints):
            retry_after = 0.0  # another endpoint is there for it
        completion = Completion(request.request_id, error=fault.message, fault=fault.kind)
        return Attempt(completion, retry_after, throttled=fault.throttled)

    def _gone(self, fault: Fault) -> str:
        urls = ", ".join(endpoint.url for endpoint in self._endpoints)
        if any(endpoint.has_answered for endpoint in self._endpoints):
            return f"no endpoint has answered for {PATIENCE_S:.0f} s at {urls}; start it and run again to go on"
        return f"no endpoint answers at {urls}: {fault.message.removeprefix(self._endpoints[0].url + ': ')}"

    def _without_key(self, text: str) -> str:
        """Return a foreign text with our key, which some endpoints repeat, struck out."""
        return text.replace(self._key, "***") if self._key else text


def _replaced(fault: Fault, message: str) -> Fault:
    return Fault(fault.kind, message, fault.retry_after_s, throttled=fault.throttled, unreachable=fault.unreachable)


def broken_by(error: BaseException) -> Broken:
    """Return how an exchange broke off, by the deepest cause that tells: the outer layers call a reset a time-out."""
    chain = list(_causes(error))
    for cause in chain:
        match cause:
            case AnswerTooLarge():
                return Broken.TOO_LARGE
            case ssl.SSLCertVerificationError() | aiohttp.ClientConnectorCertificateError():
                return Broken.CERTIFICATE
            case aiohttp.ClientConnectorDNSError():
                return Broken.UNKNOWN_HOST
            case aiohttp.ClientConnectorSSLError() | ssl.SSLError():
                return Broken.NOT_TLS
            case aiohttp.ClientConnectorError() | ConnectionRefusedError() | aiohttp.ConnectionTimeoutError():
                return Broken.REFUSED
            case aiohttp.ClientResponseError() | httpx2.UnsupportedProtocol() | httpx2.InvalidURL():
                return Broken.NOT_HTTP
            case aiohttp.ClientPayloadError():
                return Broken.HALF
            case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | ConnectionError():
                return Broken.RESET
    if any(isinstance(cause, TimeoutError | httpx2.TimeoutException | openai.APITimeoutError) for cause in chain):
        return Broken.TIMEOUT
    return Broken.RESET


def root_of(error: BaseException) -> str:
    """Return what the deepest cause says of itself."""
    for cause in reversed(list(_causes(error))):
        if str(cause).strip():
            return str(cause)
    return type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and everything that it came from, outermost first."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
