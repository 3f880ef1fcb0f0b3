"""A loopback server that speaks just enough of OpenAI's protocol, and costs so little that it never is the limit.

    with serving() as server:
        server.behave(latency_s=0.2, error_share=0.05)      # and every count starts again at 0
        ..                                                  # drive `server.url`
        server.counts()["answers"]

It runs as a process of its own (`python -m benchmarks.stand_in`), binds 127.0.0.1 only, and ends with its parent or
after `LIFETIME_S`. What a request is worth is decided by the digest of its body, so that a build gets the same answers
however often it is killed. An answer counts as paid as soon as its request came in whole, whoever is left to read it.
"""

import asyncio
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, cast

LIFETIME_S = 3600.0
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.I)
MARKER = re.compile(rb"\[The Begin of Response (\d+)\]")

ANALYSIS = (
    "Specific Criteria:\n"
    "1. Factual accuracy (Weight: 40%): claims are right, can be checked, and no source or figure is invented.\n"
    "2. Relevance (Weight: 30%): what was asked is answered, in the detail that fits it, with a next step to take.\n"
    "3. Clarity (Weight: 20%): well ordered, free of needless repetition, easy for a reader without special training.\n"
    "4. Safety (Weight: 10%): nothing in it may do harm, and it says where its knowledge ends.\n\n"
    "Analysis:\n"
    "The first response answers directly and its main claim holds, but its second paragraph takes two similar terms "
    "for one, and its worked example loses a factor of two in the last step, so that a careful reader would come to "
    "another number. It is well built, with a short summary first and the steps below it. The second response is "
    "longer and covers more ground; each of its claims can be checked against the prompt, and it names the one "
    "assumption that it makes. It repeats itself towards its end, and a table that it promises is missing. Nothing in "
    "any of them is unsafe. With accuracy weighing most, the order of the scores follows from how far each reasoning "
    "holds when it is gone through step by step, and only then from how well it is told; where two of them are "
    "close, the one that says what it does not know comes first.\n\n"
    "Scores: \\boxed{"
)
ANSWER = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"stand-in","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"%s%s}"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":%d,"completion_tokens":300,"total_tokens":%d}}'
)
ANALYSIS_JSON = json.dumps(ANALYSIS)[1:-1].encode()
HTTP = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"


def http(status: bytes, body: bytes) -> bytes:
    return HTTP % (status, len(body), body)


TOO_MANY = http(b"429 Too Many Requests\r\nretry-after: 1", b'{"error":{"message":"Rate limit reached"}}')
TROUBLE = http(b"500 Internal Server Error", b'{"error":{"message":"trouble"}}')


@dataclass(frozen=True)
class Behaviour:
    """How the server answers."""

    latency_s: float = 0.0
    tail_share: float = 0.0
    tail_s: float = 0.0
    """So large a share of the requests takes so long."""
    error_share: float = 0.0
    """Of the tries: a 429 with `Retry-After: 1`, a 500 and a reset in equal parts."""


class Counts:
    """What the server has seen since it was last told how to behave. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.requests = 0
        self.errors = 0
        self.paid: Counter[bytes] = Counter()
        """Good answers by the digest of the body they answer."""
        self.first_request = self.last_request = self.last_answer = 0.0
        self.in_flight = 0
        self._integral = 0.0
        """Of requests in flight over seconds, up to the last arrival."""
        self._integral_now = 0.0
        self._since = 0.0

    def arrived(self, now: float) -> None:
        if not self.requests:
            self.first_request = self._since = now
        self.requests += 1
        self._integral_now += self.in_flight * (now - self._since)
        self._integral, self._since, self.last_request = self._integral_now, now, now
        self.in_flight += 1

    def left(self, now: float) -> None:
        self._integral_now += self.in_flight * (now - self._since)
        self._since = self.last_answer = now
        self.in_flight -= 1

    def as_json(self) -> dict[str, Any]:
        """Return the counts; `in_flight` is the average while requests were waiting: up to the last arrival."""
        arriving_s = self.last_request - self.first_request
        return {
            "requests": self.requests,
            "errors": self.errors,
            "answers": self.paid.total(),
            "rows": len(self.paid),
            "paid_twice": self.paid.total() - len(self.paid),
            "request_window_s": arriving_s,
            "answer_window_s": self.last_answer - self.first_request,
            "in_flight": self._integral / arriving_s if arriving_s else 0.0,
        }


class State:
    """What all connections share."""

    def __init__(self) -> None:
        self.behave({})

    def behave(self, settings: dict[str, Any]) -> None:
        self.behaviour = Behaviour(**settings)
        self.counts = Counts()
        self.draw = random.Random(7)


class Connection(asyncio.Protocol):
    """One keep-alive connection; a request at a time, as HTTP/1.1 clients send them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = LENGTH.search(self._buffer, 0, end)
        whole = end + 4 + (int(length[1]) if length else 0)
        if len(self._buffer) < whole:
            return
        head, body, self._buffer = self._buffer[:end], self._buffer[end + 4 : whole], self._buffer[whole:]
        if head.startswith(b"POST /v1/chat/completions"):
            self._ask(body)
        else:
            self._control(head, body)

    def _ask(self, body: bytes) -> None:
        state, behaviour = self._state, self._state.behaviour
        counts = state.counts
        counts.arrived(time.monotonic())
        latency_s = behaviour.latency_s
        if behaviour.tail_share and state.draw.random() < behaviour.tail_share:
            latency_s = behaviour.tail_s
        reply: bytes | None
        if behaviour.error_share and state.draw.random() < behaviour.error_share:
            counts.errors += 1
            reply = state.draw.choice((TOO_MANY, TROUBLE, None))
        else:
            digest = hashlib.blake2b(body, digest_size=16).digest()
            counts.paid[digest] += 1
            reply = answer_to(body, digest)
        if latency_s:
            asyncio.get_running_loop().call_later(latency_s, self._send, reply, counts)
        else:
            self._send(reply, counts)

    def _send(self, reply: bytes | None, counts: Counts) -> None:
        counts.left(time.monotonic())
        if reply is None:
            self._transport.abort()
        elif not self._transport.is_closing():
            self._transport.write(reply)

    def _control(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"POST /behave"):
            self._state.behave(json.loads(body))
        if head.startswith(b"GET /v1/models"):
            said: dict[str, Any] = {"object": "list", "data": [{"id": "stand-in", "object": "model"}]}
        else:
            said = self._state.counts.as_json()
        self._transport.write(http(b"200 OK", json.dumps(said).encode()))


def answer_to(body: bytes, digest: bytes) -> bytes:
    """Return the whole HTTP answer: as many different scores as the prompt shows responses, by the body's digest."""
    n = max((int(number) for number in MARKER.findall(body)), default=2)
    order = sorted(range(n), key=lambda position: digest[position % 16] * 64 + position)
    scores = b", ".join(b"%d" % max(1, 9 - order.index(position)) for position in range(n))
    return http(b"200 OK", ANSWER % (ANALYSIS_JSON, scores, len(body) // 4, len(body) // 4 + 300))


@dataclass(frozen=True)
class Server:
    """A running server, as its user sees it."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def behave(self, **settings: float) -> None:
        """Change its `Behaviour`; every count starts again at 0."""
        self._asked("behave", json.dumps(asdict(Behaviour(**settings))).encode())

    def counts(self) -> dict[str, Any]:
        """Return `Counts.as_json`."""
        return self._asked("counts", None)

    def _asked(self, what: str, body: bytes | None) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{what}", body, timeout=10) as response:
            told: dict[str, Any] = json.load(response)
        return told


@contextmanager
def serving() -> Iterator[Server]:
    """Start the server as a process of its own, and stop it at the end."""
    command = [sys.executable, "-m", "benchmarks.stand_in"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Server(int(process.stdout.readline()))
        finally:
            process.kill()


async def serve() -> None:
    """Print the port, and serve until the parent has gone or the time is over."""
    state = State()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(state), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    ends_at, parent = time.monotonic() + LIFETIME_S, os.getppid()
    while time.monotonic() < ends_at and os.getppid() == parent:
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve())
