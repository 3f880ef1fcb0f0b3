"""The body of a request as it is sent."""

from collections.abc import Iterable
from typing import Any

from schemas.query import Message, wire
from schemas.recipe import ModelSection
from schemas.record import canonical_json


def request_body(
    model: ModelSection, messages: Iterable[Message], *, temperature: float, max_tokens: int
) -> dict[str, Any]:
    """Return the body of a request as it is sent, except for the seed, which `schemas.generation.request` derives.

    `n` is never sent: every sample is a request of its own. `extra_body` comes last and wins. With
    `max_completion_tokens` in it, `max_tokens` is left out, since endpoints refuse the two together.
    """
    turns = tuple(messages)
    body: dict[str, Any] = {
        "model": model.model,
        "messages": wire(turns if model.system_role else _without_system_role(turns)),
        "temperature": temperature,
    }
    if "max_completion_tokens" not in model.extra_body:
        body["max_tokens"] = max_tokens
    if model.top_p is not None:
        body["top_p"] = model.top_p
    return body | model.extra_body


def score_body(model: ModelSection, messages: Iterable[Message]) -> dict[str, Any]:
    """Return the body of a request for the score of a conversation's last turn. It holds no sampling: nothing is drawn.

    The raw score is asked for, not its sigmoid, in which good texts run together near 1.
    """
    turns = tuple(messages)
    body = {
        "model": model.model,
        "messages": wire(turns if model.system_role else _without_system_role(turns)),
        "use_activation": False,
    }
    return body | model.extra_body


def _without_system_role(messages: Iterable[Message]) -> list[Message]:
    """Return the conversation with each system message at the head of the user's next turn, or as a turn of its own."""
    folded: list[Message] = []
    instructions: list[str] = []
    for message in messages:
        if message.role == "system":
            instructions.append(message.content)
        elif message.role == "user" and instructions:
            folded.append(Message("user", "\n\n".join([*instructions, message.content])))
            instructions = []
        else:
            folded.append(message)
    if instructions:
        folded.append(Message("user", "\n\n".join(instructions)))
    return folded


def prompt_bytes(body: dict[str, Any]) -> int:
    """Return how many UTF-8 bytes the messages of a body hold. Estimates of tokens start from this."""
    total = 0
    for message in body.get("messages", ()):
        content = message.get("content")
        if isinstance(content, str):
            total += len(content) if content.isascii() else len(content.encode("utf-8", "replace"))
        else:
            total += len(canonical_json(content))
    return total
