"""Responses and questions turn by turn, with the calls of tools apart, so that people can follow them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.sources.content import called_function, json_text, one_line

Turn = dict[str, Any]


def turns_of(messages: Sequence[Mapping[str, Any]] | None) -> list[Turn]:
    """Return a question, or any other column of messages."""
    return [{"role": message["role"], "text": message["content"]} for message in messages or ()]


def conversation_of(turns: str | None) -> list[Turn] | None:
    """Return the turns of a response that is a conversation; one that is no such JSON as a single turn, as it is."""
    if not turns:
        return None
    try:
        messages = json.loads(turns)
    except (ValueError, RecursionError):
        messages = None
    if not isinstance(messages, list) or not all(isinstance(message, Mapping) for message in messages):
        return [{"role": "", "text": turns}]
    names: dict[str, str] = {}
    return [_turn(message, names) for message in messages]


def _turn(message: Mapping[str, Any], names: dict[str, str]) -> Turn:
    """Return a turn; `names` are the tools of the calls so far, by id."""
    calls = []
    for call in message["tool_calls"] if isinstance(message.get("tool_calls"), list) else ():
        function = called_function(call)
        name, arguments = _text(one_line(str(function.get("name", "?")))), function.get("arguments", call)
        calls.append({"name": name, "arguments": _text(arguments)})
        if isinstance(call, Mapping) and isinstance(call.get("id"), str):
            names[call["id"]] = name
    turn: Turn = {"role": _text(one_line(str(message.get("role", "")))), "text": _text(message.get("content") or "")}
    if isinstance(reasoning := message.get("reasoning_content") or message.get("reasoning"), str):
        turn["reasoning"] = _text(reasoning)
    answers = message.get("tool_call_id") or message.get("id")
    if turn["role"] == "tool" and isinstance(answers, str) and answers in names:
        turn["name"] = names[answers]
    return turn | ({"calls": calls} if calls else {})


def _text(value: Any) -> str:
    """Return a text as JSON spells it, with lone surrogates replaced, which no answer can carry."""
    text = value if isinstance(value, str) else json_text(value)
    return text.encode("utf-8", "replace").decode("utf-8")


def responses_of(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the responses of a row of `sets`, in the set's order."""
    return [
        {
            "index": index,
            **{name: response.get(name) for name in ("text", "reasoning", "reward", "model", "origin", "tokens")},
            "best": index == row["best"],
            "conversation": conversation_of(response.get("turns")),
        }
        for index, response in enumerate(row["responses"])
    ]
