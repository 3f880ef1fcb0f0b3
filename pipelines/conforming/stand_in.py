"""The judge's endpoint of the kit: OpenAI's chat completions on loopback, and whatever a case says.

It knows by a word in the question which case a request belongs to, and by a mark in each response which of them the
prompt shows, in which order: so it can be asked about one response or several, shuffled or not.
"""

import asyncio
import json
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
_CHUNK = 2**16
_ERRORS = {"400": "content_filter", "401": "invalid_api_key", "404": "model_not_found", "429": "rate_limit_exceeded"}


@dataclass
class Judge:
    """A judge that answers as cases say."""

    form: str = CONTRACT
    cases: dict[str, tuple[Case, list[str]]] = field(default_factory=dict)
    """By the token in their question: a case, and its responses as they are sent."""
    asked: Counter[str] = field(default_factory=Counter)
    """How many requests came for each token."""
    _turns: Counter[tuple[str, tuple[int, ...]]] = field(default_factory=Counter)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request as its case says."""
        try:
            body = await request.json()
            prompt = _text_of(body["messages"])
        except (ValueError, KeyError, TypeError):
            return web.json_response({"error": {"message": "no chat messages", "code": "bad_request"}}, status=400)
        token = next((token for token in self.cases if f"{token}-" in prompt or f"{token}]" in prompt), None)
        if token is None:
            return web.json_response(_completion("Scores: none, since no case of the kit stands in this prompt."))
        case, responses = self.cases[token]
        shown = shown_in(prompt, token, responses)
        self.asked[token] += 1
        turn = self._turns[token, tuple(sorted(shown))]
        self._turns[token, tuple(sorted(shown))] += 1
        reply = case.replies[min(turn, len(case.replies) - 1)]
        text = written(case, _scored(case, shown, prompt), responses, self.form)
        return await _reply(request, reply, text, case.finish)


def shown_in(prompt: str, token: str, responses: Sequence[str]) -> list[int]:
    """Return the indices of the responses that a prompt shows, in the order in which it does."""
    places = {number: prompt.find(mark_of(token, number)) for number in range(len(responses))}
    marked = sorted((number for number, place in places.items() if place >= 0), key=places.__getitem__)
    unmarked = [number for number, text in enumerate(responses) if mark_of(token, number) not in text]
    if not marked or not unmarked or BEGIN not in prompt:
        return marked or unmarked[:1] or [0]
    sections = prompt.split(BEGIN)[1:]
    empty = [place for place, section in enumerate(sections) if f"({token}-" not in section]
    return [*marked[: empty[0]], unmarked[0], *marked[empty[0] :]] if empty else marked


def _scored(case: Case, shown: list[int], prompt: str) -> dict[int, int]:
    """Return the score of each response shown: what the case says, unless the prompt fools the judge."""
    if case.believes and prompt.count(case.believes) > len(shown):
        return {number: 10 if number == case.attacker else 1 for number in shown}
    return {number: case.scores[number] for number in shown}


def _text_of(messages: Any) -> str:
    """Return the text of chat messages, those in parts included."""
    texts = []
    for message in messages:
        content = message.get("content") or ""
        texts += [content] if isinstance(content, str) else [str(part.get("text", "")) for part in content]
    return "\n".join(texts)


async def _reply(request: web.Request, reply: str, text: str, finish: str) -> web.StreamResponse:
    """Send one reply of a name that cases use."""
    if reply.isdigit():
        error = {"message": f"the stand-in's {reply}", "type": "stand_in", "code": _ERRORS.get(reply)}
        return web.json_response({"error": error}, status=int(reply), headers={"retry-after": "0"})
    whole = _completion(text, finish)
    body = json.dumps(whole).encode()
    match reply:
        case "refusal":
            whole["choices"][0]["message"] |= {"content": None, "refusal": "I can't help with that."}
        case "null_content":
            whole["choices"][0]["message"]["content"] = None
        case "no_choices":
            whole["choices"] = []
        case "error_inside":
            whole = {"error": {"message": "upstream is down", "code": 502}}
        case "html":
            return web.Response(text="<!doctype html><p>It works!", content_type="text/html")
        case "half":
            return web.Response(body=body[: len(body) // 2], content_type="application/json")
        case "empty":
            return web.Response(body=b"", content_type="application/json")
        case "hang":
            await asyncio.Event().wait()
        case "reset" | "cut" | "drip" | "flood":
            return await _slowly(request, reply, body)
    return web.json_response(whole)


async def _slowly(request: web.Request, reply: str, body: bytes) -> web.StreamResponse:
    """Send no byte of a reply, half of it, a byte now and then for ever, or the whole and a flood of blanks behind it."""
    length = len(body) + (FLOOD if reply == "flood" else 1_000)
    response = web.StreamResponse(headers={"content-type": "application/json", "content-length": str(length)})
    with suppress(ConnectionError):  # the grader has gone
        if reply != "reset":
            await response.prepare(request)
            await response.write(body if reply == "flood" else body[: len(body) // 2] if reply == "cut" else b" ")
        while reply == "drip":
            await asyncio.sleep(DRIP_S)
            await response.write(b" ")
        if reply == "flood":
            for _ in range(FLOOD // _CHUNK):
                await response.write(b" " * _CHUNK)
            return response
    if request.transport is not None:
        request.transport.abort()
    return response


def _completion(text: str, finish: str = "stop") -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-conform",
        "object": "chat.completion",
        "created": 1,
        "model": "stand-in",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150},
    }


async def _models(_: web.Request) -> web.Response:
    return web.json_response(
        {"object": "list", "data": [{"id": "stand-in", "object": "model", "max_model_len": 10**6}]}
    )


@asynccontextmanager
async def listening(judge: Judge, port: int) -> AsyncIterator[str]:
    """Serve a judge on loopback, and yield its base URL. Port 0 takes a free one."""
    app = web.Application(client_max_size=LONGEST_BODY)
    app.add_routes([web.post("/v1/chat/completions", judge.answer), web.get("/v1/models", _models)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise RecipeError(
            f"port {port} of the stand-in judge cannot be used ({error.strerror}): name another --judge-port"
        ) from None
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()
