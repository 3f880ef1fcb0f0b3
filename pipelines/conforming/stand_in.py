"""The judge's endpoint of the kit: OpenAI's chat completions on loopback, and whatever a case says.

It knows by a word in the question which case a request belongs to, and by a mark in each response which of them the
prompt shows, in which order: so it can be asked about one response or several, shuffled or not.
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from pipelines.conforming.cases import CONTRACT, Case, mark_of, written
from schemas.errors import RecipeError

BEGIN = "[The Begin of Response"
"""How our prompts open a response; where a prompt has it, it says where a response without a mark stands."""
LONGEST_BODY = 64 * 2**20
FLOOD = 50 * 2**20
DRIP_S = 0.2
_CHUNK = b" " * 2**16
_QUIET = logging.getLogger(__name__)
_QUIET.disabled = True  # a grader that hangs up in the middle of a reply is no news


@dataclass
class Judge:
    """A judge that answers as cases say."""

    form: str = CONTRACT
    base_url: str = ""
    """Where it listens."""
    cases: dict[str, tuple[Case, list[str]]] = field(default_factory=dict)
    """By the token in their question: a case, and its responses as they are sent."""
    asked: Counter[str] = field(default_factory=Counter)
    """How many requests came for each token."""
    _turns: Counter[tuple[str, tuple[int, ...]]] = field(default_factory=Counter)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request as its case says."""
        try:
            contents = [message["content"] for message in (await request.json())["messages"]]
            texts = [one if isinstance(one, str) else "".join(part["text"] for part in one) for one in contents]
        except (ValueError, KeyError, TypeError):
            return _error(400, "these are no chat messages")
        prompt = "\n".join(texts)
        token = next((token for token in self.cases if f"{token}-" in prompt or f"{token}]" in prompt), None)
        if token is None:
            return web.json_response(_completion("No case of the kit stands in this prompt.", "stop"))
        case, responses = self.cases[token]
        shown = shown_in(prompt, token, responses)
        turn = self._turns[key := (token, tuple(sorted(shown)))]
        self._turns[key] += 1
        self.asked[token] += 1
        is_fooled = bool(case.believes) and prompt.count(case.believes) > len(shown)
        favour = {number: 10 if number == case.attacker else 1 for number in shown}
        scores = favour if is_fooled else {number: case.scores[number] for number in shown}
        whole = _completion(written(case, scores, responses, self.form), case.finish)
        return await _reply(request, case.replies[min(turn, len(case.replies) - 1)], whole)


def shown_in(prompt: str, token: str, responses: Sequence[str]) -> list[int]:
    """Return the indices of the responses that a prompt shows, in the order in which it does."""
    places = {number: prompt.find(mark_of(token, number)) for number in range(len(responses))}
    marked = sorted((number for number, place in places.items() if place >= 0), key=places.__getitem__)
    unmarked = [number for number, text in enumerate(responses) if mark_of(token, number) not in text]
    if not marked or not unmarked or BEGIN not in prompt:
        return marked or unmarked[:1] or [0]
    empty = [place for place, part in enumerate(prompt.split(BEGIN)[1:]) if f"({token}-" not in part]
    return [*marked[: empty[0]], unmarked[0], *marked[empty[0] :]] if empty else marked


async def _reply(request: web.Request, reply: str, whole: dict[str, Any]) -> web.StreamResponse:
    """Send one reply, by the name that cases use."""
    message = whole["choices"][0]["message"]
    match reply:
        case "refusal":
            message |= {"content": None, "refusal": "I can't help with that."}
        case "null_content":
            message["content"] = None
        case "no_choices":
            whole["choices"] = []
        case "error_inside":
            whole = {"error": {"message": "upstream is down", "code": 502}}
        case "html":
            return web.Response(text="<!doctype html><p>It works!", content_type="text/html")
        case "half":
            return web.Response(text=json.dumps(whole)[:80], content_type="application/json")
        case "empty":
            return web.Response(text="", content_type="application/json")
        case "reset" | "cut" | "drip" | "flood":
            return await _slowly(request, reply, json.dumps(whole).encode())
        case "hang":
            await asyncio.Event().wait()
    if reply.isdigit():
        return _error(int(reply), "content_filter" if reply == "400" else f"the stand-in's {reply}")
    return web.json_response(whole)


async def _slowly(request: web.Request, reply: str, body: bytes) -> web.StreamResponse:
    """Send no byte of a reply, half of it, a byte now and then for ever, or all of it and a flood behind it."""
    response = web.StreamResponse(
        headers={"content-type": "application/json", "content-length": str(len(body) + FLOOD)}
    )
    with suppress(ConnectionError):  # the grader has gone
        if reply != "reset":
            await response.prepare(request)
            await response.write(body if reply == "flood" else body[: len(body) // 2])
        while reply == "drip":
            await asyncio.sleep(DRIP_S)
            await response.write(b" ")
        for _ in range(FLOOD // len(_CHUNK) if reply == "flood" else 0):
            await response.write(_CHUNK)
    if reply != "flood" and request.transport is not None:
        request.transport.abort()
    return response


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "code": message}}, status=status)


def _completion(text: str, finish: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return {"id": "conform", "object": "chat.completion", "created": 1, "model": "stand-in", "choices": [choice]}


@asynccontextmanager
async def listening(judge: Judge, port: int) -> AsyncIterator[None]:
    """Let a judge listen on loopback, and set its base URL. Port 0 takes a free one."""
    app = web.Application(client_max_size=LONGEST_BODY, logger=_QUIET)
    app.add_routes([web.post("/v1/chat/completions", judge.answer)])
    runner = web.AppRunner(app, access_log=None, logger=_QUIET, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        judge.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield
    except OSError as error:
        if judge.base_url:
            raise
        raise RecipeError(f"port {port} cannot be used ({error.strerror}): name another --judge-port") from None
    finally:
        await runner.cleanup()
