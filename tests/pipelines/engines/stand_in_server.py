"""Stand-ins for the servers that grmforge talks to: real HTTP on loopback, and every way to fail.

    with StandIn() as server:                                   # judges well, every time
        ModelSection(engine="openai", model="stand-in", base_url=server.url)

    with StandIn(rate_limited("1"), reset(), half_json()) as server:    # first these three, then well
    with StandIn(then=html_page()) as server:                           # never anything else
    with StandIn(then=lambda body: refused_400() if "bad row" in str(body) else judged(body)) as server:

    server.requests         every request received, save for GETs: body, raw bytes, headers, when
    server.most_in_flight   how many replies were owed at once
    server.next("POST /batches", server_error(), done=True)     # the next such call: does it, and answers this
    server.always("POST /batches", hang(), done=False)          # from now on, until server.recover()

An `Answer` is a `Reply`, or a function from the request's body (parsed) to one. Functions that answer run in the
server's thread. CONNECT is refused. `StandIn(tls=context)` speaks TLS. A stand-in for another kind of server is a
`Server` with a `reply` of its own. Nothing but the standard library: `stand_in_vllm.py` must start fast.
"""

import asyncio
import hashlib
import json
import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Self

MARKER = re.compile(r"\[The Begin of Response (\d+)\]")
JSON_TYPE = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server does with one request: a status and a body, and how it ends."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON_TYPE))
    ends: Literal["well", "reset", "hangs", "cut", "drips"] = "well"
    """`reset`: aborted without an answer. `hangs`: no answer, ever. `cut`: closed half way through the body. `drips`: a
    byte now and then, without end."""
    latency_s: float = 0.0
    after: threading.Event | None = None
    """The reply waits until a test sets it."""
    raw: bytes | None = None
    """Bytes to send in place of HTTP."""
    megabytes: int = 0
    """So many of filler follow the body, written as fast as the client reads them."""


@dataclass(frozen=True)
class Received:
    """One request as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes
    at: float
    """Monotonic seconds."""

    @cached_property
    def body(self) -> dict[str, Any]:
        tree: dict[str, Any] = json.loads(self.raw or b"{}")
        return tree

    @property
    def call(self) -> str:
        """Its method and path, without /v1: what a test names when it scripts a reply."""
        return f"{self.method} {self.path.partition('?')[0].removeprefix('/v1')}"


Answer = Reply | Callable[[dict[str, Any]], Reply]


class Server:
    """A server on loopback with `reply` to say what it does. Use as a context manager; `url` is known inside."""

    def __init__(
        self, *, latency_s: float = 0.0, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.received: list[Received] = []
        self.most_in_flight = 0
        self.bytes_sent = 0
        """Of filler."""
        self.hung = threading.Event()
        """Set once a reply hangs."""
        self._latency_s = latency_s
        self._tls = tls
        self._place = (host, port)
        self._script: dict[str, list[tuple[Answer, bool]]] = {}
        self._always: dict[str, tuple[Answer, bool]] = {}
        self._in_flight = 0
        self._ready = threading.Event()
        self._connections: set[asyncio.Task[None]] = set()

    def reply(self, received: Received) -> Reply:
        """Return what the server does with a request that no script says anything of."""
        raise NotImplementedError

    def call_of(self, received: Received) -> str:
        """Return the name of a call for scripts."""
        return received.call

    def log(self, received: Received, reply: Reply) -> None:
        """Called before a reply is sent."""

    def next(self, call: str, *answers: Answer, done: bool = False) -> None:
        """Answer the next such calls with these; `done` says whether they take effect."""
        self._script.setdefault(call, []).extend((answer, done) for answer in answers)

    def always(self, call: str, answer: Answer, *, done: bool) -> None:
        """Answer every such call with this from now on; `done` says whether they take effect."""
        self.hung.clear()
        self._always[call] = (answer, done)

    def recover(self) -> None:
        """Answer as if nothing was scripted."""
        self._script.clear()
        self._always.clear()

    @property
    def calls(self) -> list[str]:
        """Every call received."""
        return [self.call_of(received) for received in list(self.received)]

    @property
    def requests(self) -> list[Received]:
        """What tests count."""
        return list(self.received)

    def wait_for(self, requests: int, seconds: float = 60.0) -> None:
        """Return when so many requests have been received."""
        until = time.monotonic() + seconds
        while len(self.requests) < requests:
            assert time.monotonic() < until, f"{len(self.requests)} of {requests} requests came"
            time.sleep(0.005)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._ready.clear()
        self._thread = threading.Thread(target=self.run, daemon=True)
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the stand-in server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)

    def run(self) -> None:
        """Serve in this thread."""
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        server = await asyncio.start_server(self._connected, *self._place, ssl=self._tls, backlog=1024)
        self.port: int = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # the client has gone, or the test is over
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; whether the connection may go on."""
        first_byte = await reader.readexactly(1)
        if first_byte == b"\x16":  # a TLS greeting, which plain servers answer in plain words
            return await self._send(writer, Reply(400, b"TLS is not spoken here", ends="cut"))
        head = (first_byte + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first_line, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, path, _ = first_line.split(" ")  # a whole address where the server is asked as a proxy
        raw = await reader.readexactly(int(headers.get("content-length", "0")))
        received = Received(method, path, headers, raw, time.monotonic())
        self.received.append(received)
        if method == "CONNECT":  # asks a proxy for a way through
            return await self._send(writer, Reply(407, headers={"proxy-authenticate": "Basic"}))
        reply = self._scripted(received)
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            await asyncio.sleep(reply.latency_s or self._latency_s)
            while reply.after is not None and not reply.after.is_set():
                await asyncio.sleep(0.005)
            self.log(received, reply)
            return await self._send(writer, reply, with_body=method != "HEAD")
        finally:
            self._in_flight -= 1

    def _scripted(self, received: Received) -> Reply:
        call = self.call_of(received)
        if call in self._always:
            answer, done = self._always[call]
        elif self._script.get(call):
            answer, done = self._script[call].pop(0)
        else:
            return self.reply(received)
        if done:
            self.reply(received)
        return answer(received.body) if callable(answer) else answer

    async def _send(self, writer: asyncio.StreamWriter, reply: Reply, with_body: bool = True) -> bool:
        """Write a reply; whether the connection may go on."""
        if reply.ends == "hangs":
            self.hung.set()
            await asyncio.sleep(3600)
        if reply.ends == "reset":
            return False
        if reply.raw is not None:
            writer.write(reply.raw)
            await writer.drain()
            writer.close()
            return False
        filler = reply.megabytes * 2**20
        length = [] if reply.ends == "drips" else [f"content-length: {len(reply.body) + filler}"]
        lines = [f"HTTP/1.1 {reply.status} Stand-In", *length]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        body = reply.body[: len(reply.body) // 2] if reply.ends == "cut" else reply.body
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (body if with_body else b""))
        while reply.ends == "drips":
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)
        await writer.drain()
        for _ in range(reply.megabytes * 16):
            writer.write(b" " * 2**16)
            await writer.drain()
            self.bytes_sent += 2**16
        if reply.ends == "cut":
            writer.close()
        return reply.ends == "well"


class StandIn(Server):
    """An OpenAI-compatible endpoint: chat completions, and a list of models."""

    def __init__(self, *first: Answer, then: Answer | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.next("POST /chat/completions", *first)
        self.then = then or judged
        """The reply after the script; a test may change it."""

    @property
    def requests(self) -> list[Received]:
        return [received for received in list(self.received) if received.method != "GET"]

    def call_of(self, received: Received) -> str:
        return "POST /chat/completions" if received.method == "POST" else received.call  # at whatever address

    def reply(self, received: Received) -> Reply:
        if received.method == "GET":
            models = {"object": "list", "data": [{"id": "stand-in", "object": "model"}]}
            return Reply(body=json.dumps(models).encode())
        return self.then(received.body) if callable(self.then) else self.then


# -- Replies: well --


def chat(
    text: str | list[dict[str, str]] | None,
    *,
    reasoning_content: str | None = None,
    refusal: str | None = None,
    finish_reason: str = "stop",
    model: str = "stand-in",
    usage: dict[str, Any] | Literal["counted"] | None = "counted",
    body: dict[str, Any] | None = None,
    **message_fields: Any,
) -> Reply:
    """Return a chat completion with this content; `usage` None leaves it out, a dict replaces it."""
    message: dict[str, Any] = {"role": "assistant", "content": text, **message_fields}
    if reasoning_content is not None:
        message["reasoning_content"] = reasoning_content
    if refusal is not None:
        message["refusal"] = refusal
    answer: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}],
    }
    if usage == "counted":
        prompt = len(json.dumps((body or {}).get("messages", ""))) // 4
        written = len(str(text)) // 4
        usage = {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
    if usage is not None:
        answer["usage"] = usage
    return Reply(body=json.dumps(answer).encode())


def judged(body: dict[str, Any], *, thinks: bool = False, **settings: Any) -> Reply:
    """Return a judgement of as many responses as the prompt shows, different scores, always the same for a body."""
    prompt = str(body["messages"][-1]["content"])
    n = max((int(number) for number in MARKER.findall(prompt)), default=2)
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
    ranking = sorted(range(n), key=lambda position: digest[position % 32])
    scores = [max(1, 9 - ranking.index(position)) for position in range(n)] if n > 1 else [digest[0] % 2]
    analysis = "\n".join(f"Response {position + 1} is considered on each criterion." for position in range(n))
    text = (
        "Specific Criteria:\n1. Factual accuracy (Weight: 60%): claims hold.\n"
        "2. Clarity (Weight: 40%): easy to read.\n\n"
        f"Analysis:\n{analysis}\n\nScores: \\boxed{{{', '.join(map(str, scores))}}}"
    )
    return chat(f"<think>Compare them.</think>\n{text}" if thinks else text, body=body, **settings)


# -- Replies: every way to fail --


def error(status: int, message: str, *, code: str | None = None, headers: dict[str, str] | None = None) -> Reply:
    """Return an error in OpenAI's form."""
    tree = {"error": {"message": message, "type": "stand_in", "param": None, "code": code}}
    return Reply(status, json.dumps(tree).encode(), JSON_TYPE | (headers or {}))


def rate_limited(retry_after: str | None = None) -> Reply:
    headers = {"retry-after": retry_after} if retry_after is not None else {}
    return error(429, "Rate limit reached", code="rate_limit_exceeded", headers=headers)


def no_credit() -> Reply:
    return error(429, "You exceeded your current quota", code="insufficient_quota")


def server_error(status: int = 500) -> Reply:
    return error(status, "stand-in trouble")


def refused_400(message: str = "bad request") -> Reply:
    return error(400, message)


def context_too_long() -> Reply:
    return error(400, "This model's maximum context length is 4096 tokens", code="context_length_exceeded")


def content_filtered() -> Reply:
    return error(400, "The prompt was flagged by the content management policy", code="content_filter")


def wrong_key(message: str = "Incorrect API key provided") -> Reply:
    return error(401, message, code="invalid_api_key")


def no_such_model() -> Reply:
    return error(404, "The model `gone` does not exist", code="model_not_found")


def reset() -> Reply:
    return Reply(ends="reset")


def hang() -> Reply:
    return Reply(ends="hangs")


def drip() -> Reply:
    """Return an answer that goes on and on, and whose socket never closes."""
    return Reply(ends="drips")


def cut_off() -> Reply:
    """Return a good answer whose connection closes half way through."""
    return replace(chat("Scores: \\boxed{7, 3}" + " " * 2000), ends="cut")


def half_json() -> Reply:
    """Return half of a good answer, in a body that is whole as HTTP goes."""
    whole = chat("Scores: \\boxed{7, 3}")
    return replace(whole, body=whole.body[: len(whole.body) // 2])


def html_page(status: int = 200) -> Reply:
    return Reply(status, b"<!doctype html><title>Welcome</title><p>It works!", {"content-type": "text/html"})


def other_json() -> Reply:
    return Reply(body=b'{"detail": "a server of another kind"}')


def empty_choices() -> Reply:
    return Reply(body=b'{"id": "x", "object": "chat.completion", "model": "m", "choices": []}')


def error_inside(code: int | str = 502, message: str = "upstream is down") -> Reply:
    return Reply(body=json.dumps({"error": {"message": message, "code": code}}).encode())


def huge(megabytes: int = 50) -> Reply:
    return replace(chat("much"), megabytes=megabytes)


def other_protocol() -> Reply:
    return Reply(raw=b"SSH-2.0-OpenSSH_9.9\r\n")
