"""A reward at an address, called over HTTP as each trainer calls it."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import aiohttp

from pipelines.conforming.calls import Call, Door, Given

LONGEST_REPLY = 2**20
_KEYS = ("rewards", "reward", "score", "scores")


class Service:
    """An address, and the door by which it is entered."""

    def __init__(self, url: str, door: Door) -> None:
        self._url = url
        self._door = door
        self._session: aiohttp.ClientSession | None = None

    async def ready(self) -> None:
        """Open nothing: a service is there, or it is not."""

    async def ask(self, call: Call, patience_s: float) -> Sequence[Given]:
        """Return what the service gives each response, all of which are sent at once."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        n = len(call.responses)
        bodies = _bodies(self._door, call)
        async with asyncio.timeout(patience_s):
            replies = await asyncio.gather(*(self._post(self._session, body) for body in bodies))
        if len(bodies) < n:
            return _each(replies[0], n)
        return [_each(reply, 1)[0] for reply in replies]

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()

    async def _post(self, session: aiohttp.ClientSession, body: dict[str, Any]) -> Any:
        """Return the reply's JSON, or a Given that says why there is none; raises ConnectionError."""
        try:
            async with session.post(self._url, json=body) as response:
                raw = await response.content.read(LONGEST_REPLY)
                if response.status >= 400:
                    return Given(failure=f"HTTP {response.status}: {raw[:160].decode('utf-8', 'replace')}")
        except aiohttp.ClientConnectorError as error:
            raise ConnectionError(str(error)) from error
        except aiohttp.ClientError as error:
            return Given(failure=f"{type(error).__name__}: {error}")
        try:
            return json.loads(raw)
        except ValueError:
            return Given(failure="a reply that is not JSON")


def _bodies(door: Door, call: Call) -> list[dict[str, Any]]:
    """Return the bodies of the requests: one for all responses, or one for each."""
    match door:
        case Door.JUDGE:
            return [{"prompt": call.prompt, "responses": call.responses}]
        case Door.COMPARE:
            parts = [[{"type": "output_text", "text": text, "annotations": []}] for text in call.responses]
            messages = [
                {"type": "message", "role": "assistant", "status": "completed", "content": part} for part in parts
            ]
            history = [{"role": "user", "content": call.prompt}]
            return [{"conversation_history": history, "response_objs": [{"output": [one]} for one in messages]}]
        case Door.OPENRLHF:
            return [
                {"query": [call.prompt + text], "prompts": [call.prompt], "labels": [call.truth]}
                for text in call.responses
            ]
        case _:
            return [{"prompt": call.prompt, "response": text, "label": call.truth} for text in call.responses]


def _each(reply: Any, n: int) -> list[Given]:
    """Return what a reply gives each of n responses."""
    if isinstance(reply, Given):
        return [reply] * n
    found = next((reply[key] for key in _KEYS if key in reply), None) if isinstance(reply, dict) else reply
    if not isinstance(found, list):
        found = [found] * n if found is None or n == 1 else []
    if len(found) != n:
        return [Given(failure=f"{len(found)} rewards for {n} responses")] * n
    return [_given(one) for one in found]


def _given(found: Any) -> Given:
    if found is None or (isinstance(found, int | float) and not isinstance(found, bool)):
        return Given(None if found is None else float(found))
    return Given(failure=f"{json.dumps(found)[:80]}, which is no number")
