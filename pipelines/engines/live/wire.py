"""What a chat completion says: from the bytes of an HTTP 200 to a `Completion`, or the reason why there is none."""

import json
from dataclasses import dataclass
from typing import Any

import orjson

from pipelines.engines.faults import Broken
from pipelines.engines.protocol import cost_usd
from schemas.generation import Completion
from schemas.recipe import ModelSection
from schemas.record import clean_text
from schemas.thoughts import split_thoughts, with_thoughts

MAX_COUNT = 2**31
"""Token counts above this are nonsense."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A 200 that holds no completion: how it is broken, or the error that it carries in itself."""

    broken: Broken
    detail: str = ""
    error: Any = None
    broke_off: bool = False
    """The answer began, and ends in an error."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    """What it took, where it says so all the same."""


def read_answer(content: bytes, request_id: str, model: ModelSection) -> Completion | Unreadable:
    """Return the completion in the body of an HTTP 200. Pure; never raises."""
    try:
        tree = _parsed(content)
    except (ValueError, RecursionError):
        start = content[:200].decode("utf-8", "replace")
        # An answer that begins as JSON was cut off or garbled on its way; anything else comes from another kind of
        # server.
        return Unreadable(Broken.HALF if start.lstrip()[:1] in ("{", "[") else Broken.NOT_API, start)
    if not isinstance(tree, dict):
        return Unreadable(Broken.NOT_API, str(tree)[:200])
    choices = tree.get("choices")
    taken = _taken(tree)
    if not isinstance(choices, list):
        if tree.get("error") or "choices" in tree:  # null, as gateways say of a server behind them that failed
            return Unreadable(Broken.NO_CHOICE, "", tree.get("error"), False, *taken)
        return Unreadable(Broken.NOT_API, str(tree)[:200])
    choice = choices[0] if choices else None
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        error = tree.get("error") or (choice.get("error") if isinstance(choice, dict) else None)
        return Unreadable(Broken.NO_CHOICE, "", error, False, *taken)
    broke_off = choice.get("finish_reason") == "error"  # a gateway's word; what stands there so far is no answer
    if broke_off or (choice.get("error") and not choice["message"].get("content")):
        return Unreadable(Broken.NO_CHOICE, "", choice.get("error") or tree.get("error"), broke_off, *taken)
    return _completion(tree, choice, request_id, model)


def _parsed(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except ValueError:
        # The standard parser also takes lone surrogates and wrong UTF-8, which servers that stream bytes do send.
        return json.loads(content.decode("utf-8", "replace"))


def _completion(tree: dict[str, Any], choice: dict[str, Any], request_id: str, model: ModelSection) -> Completion:
    message = choice["message"]
    text, thoughts = split_thoughts(_text_of(message.get("content")) or "")
    reasoning = with_thoughts(
        _text_of(message.get("reasoning_content")) or _text_of(message.get("reasoning")), thoughts
    )
    finish_reason = choice.get("finish_reason")
    refusal = _text_of(message.get("refusal"))
    if refusal:
        text, finish_reason = text or refusal, "refusal"
    usage = tree.get("usage")
    prompt_tokens, completion_tokens = _taken(tree)
    served_model = tree.get("model")
    return Completion(
        request_id=request_id,
        text=clean_text(text),
        reasoning=clean_text(reasoning) if reasoning else None,
        finish_reason=clean_text(finish_reason) if isinstance(finish_reason, str) else None,
        served_model=clean_text(served_model) if isinstance(served_model, str) else None,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        cached_tokens=_count(_part(usage, "prompt_tokens_details"), "cached_tokens"),
        reasoning_tokens=_count(_part(usage, "completion_tokens_details"), "reasoning_tokens"),
        cost_usd=cost_usd(model, prompt_tokens, completion_tokens),
    )


def _text_of(content: Any) -> str | None:
    """Return a message's text: a string, or the text parts of a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [
            part if isinstance(part, str) else part.get("text") for part in content if isinstance(part, str | dict)
        ]
        return "".join(part for part in parts if isinstance(part, str))
    return None


def _taken(tree: dict[str, Any]) -> tuple[int | None, int | None]:
    """Return the tokens of prompt and answer."""
    return _count(tree.get("usage"), "prompt_tokens"), _count(tree.get("usage"), "completion_tokens")


def _part(usage: Any, name: str) -> Any:
    return usage.get(name) if isinstance(usage, dict) else None


def _count(usage: Any, name: str) -> int | None:
    """Return a token count; None where the endpoint gives none, or nonsense."""
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if type(value) is int and 0 <= value < MAX_COUNT else None
