"""What an HTTP 200 holds: from its bytes to a `Completion`, or the fault that says why there is none."""

import contextlib
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from pipelines.engines.budget import cost_usd
from pipelines.engines.faults import Broken, Fault, fault_of_break, fault_of_error
from schemas.generation import Completion
from schemas.recipe import ModelSection
from schemas.record import clean_text
from schemas.thoughts import split_thoughts, with_thoughts

MAX_COUNT = 2**31
"""Token counts above this are nonsense."""


def read_reply(
    content: bytes, request_id: str, model: ModelSection, endpoint: str, *, has_answered: bool
) -> Completion | Fault:
    """Return the completion in the body of an HTTP 200. Pure; never raises.

    `has_answered` says whether the endpoint ever made sense before.
    """
    return read_tree(
        content,
        endpoint,
        lambda tree: _read(tree, request_id, model, endpoint, has_answered),
        has_answered=has_answered,
    )


def read_tree(
    content: bytes, endpoint: str, read: Callable[[Any], Completion | Fault], *, has_answered: bool
) -> Completion | Fault:
    """Return what `read` makes of a body's JSON, or the fault of a body that is none."""
    with contextlib.suppress(ValueError, RecursionError):  # no JSON, or a thousand levels of it
        return read(parsed(content))
    start = content[:200].decode("utf-8", "replace")
    # An answer that begins as JSON was cut off or garbled on its way; anything else comes from another kind of server.
    broken = Broken.HALF if start.lstrip()[:1] in ("{", "[") else Broken.NOT_API
    return fault_of_break(endpoint, broken, start, has_answered=has_answered)


def _read(tree: Any, request_id: str, model: ModelSection, endpoint: str, has_answered: bool) -> Completion | Fault:
    if not isinstance(tree, dict) or not (tree.get("error") or "choices" in tree):
        return fault_of_break(endpoint, Broken.NOT_API, str(tree)[:200], has_answered=has_answered)
    choices = tree.get("choices")  # null, as gateways write of a server behind them that failed
    first = choices[0] if isinstance(choices, list) and choices else None
    choice: dict[str, Any] = first if isinstance(first, dict) else {}
    message = choice.get("message")
    broke_off = False
    if isinstance(message, dict):
        broke_off = choice.get("finish_reason") == "error"  # a gateway's word; what is there so far is no answer
        if not broke_off and (message.get("content") or not choice.get("error")):
            return _completion(tree, choice, message, request_id, model)
    errors = choice.get("error"), tree.get("error")
    if error := next(filter(None, errors if isinstance(message, dict) else reversed(errors)), None):
        fault = fault_of_error(endpoint, error)
    else:
        fault = fault_of_break(endpoint, Broken.NO_CHOICE, has_answered=has_answered)
    prompt_tokens, completion_tokens = tokens_of(tree)
    return replace(
        fault,
        broke_off=fault.broke_off or broke_off,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
    )


def parsed(content: bytes) -> Any:
    """Return the tree of JSON as servers write it. Raises ValueError and RecursionError."""
    try:
        return orjson.loads(content)
    except ValueError:
        # The standard parser also takes lone surrogates and wrong UTF-8, which servers that stream bytes do send.
        return json.loads(content.decode("utf-8", "replace"))


def is_same_model(sent: str, served: str) -> bool:
    """Say whether a model may be meant by both names: gpt-4o-2024-08-06 by gpt-4o, qwen3-8b by Qwen/Qwen3-8B."""
    short, served_short = (name.casefold().rsplit("/", 1)[-1] for name in (sent, served))
    return short in served_short or served_short in short


def _completion(
    tree: dict[str, Any], choice: dict[str, Any], message: dict[str, Any], request_id: str, model: ModelSection
) -> Completion:
    text, thoughts = split_thoughts(_text_of(message.get("content")) or "")
    reasoning = with_thoughts(
        _text_of(message.get("reasoning_content")) or _text_of(message.get("reasoning")), thoughts
    )
    finish_reason = choice.get("finish_reason")
    refusal = _text_of(message.get("refusal"))
    if refusal:
        text, finish_reason = text or refusal, "refusal"
    usage = tree.get("usage")
    prompt_tokens, completion_tokens = tokens_of(tree)
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
        logprob=_mean_logprob(choice),
    )


def _mean_logprob(choice: dict[str, Any]) -> float | None:
    """Return the mean log-probability of the tokens of an answer; None where the endpoint gives none, or nonsense."""
    tokens = _part(choice.get("logprobs"), "content")
    if not isinstance(tokens, list) or not tokens:
        return None
    values = [_part(token, "logprob") for token in tokens]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) and value <= 0 for value in values):
        return None
    mean = sum(values) / len(values)
    return mean if math.isfinite(mean) else None


def _text_of(content: Any) -> str | None:
    """Return a message's text: a string, or the text parts of a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        return "".join(part for part in parts if isinstance(part, str))
    return None


def tokens_of(tree: dict[str, Any]) -> tuple[int | None, int | None]:
    """Return the tokens of prompt and answer."""
    usage = tree.get("usage")
    return _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")


def _part(usage: Any, name: str) -> Any:
    return usage.get(name) if isinstance(usage, dict) else None


def _count(usage: Any, name: str) -> int | None:
    """Return a token count; None where the endpoint gives none, or nonsense."""
    value = _part(usage, name)
    return value if type(value) is int and 0 <= value < MAX_COUNT else None
