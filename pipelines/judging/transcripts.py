"""Whole conversations as a judge reads them: who said what, who called which tool, and what came back."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.sources.content import LONGEST_NAME, call_text, called_function, json_text, one_line
from schemas.preference import Response
from schemas.record import clean_text

ROLES = {"user": "User", "assistant": "Assistant", "system": "System", "tool": "Tool", "developer": "System"}

_TITLES = "|".join(sorted(set(ROLES.values())))
# A line by which a turn's text begins like a turn of its own, so that one turn would look like two.
_HEADING = re.compile(
    rf"(?<=\n)(?=[ \t]*(?:{_TITLES})(?: calls| error)?(?: \([^()\n]{{1,{LONGEST_NAME}}}\))?:)", re.IGNORECASE
)


def is_conversation(response: Response, shown: str) -> bool:
    """Say whether a response is shown as a conversation: where the recipe says so, or it has no text of its own."""
    return response.turns is not None and (shown == "turns" or not response.text.strip())


def said_by(response: Response) -> str:
    """Return a response as one text: its own, or, where it has none, its conversation."""
    return transcript_text(response.turns) if is_conversation(response, "answer") and response.turns else response.text


def transcript_text(turns: str, longest_result: int | None = None) -> str:
    """Return a conversation's JSON as a judge reads it, tool calls included; text that is no such JSON, as it is.

    Of a tool's result of more characters than `longest_result`, the middle is left out, and the text says how much.
    """
    try:
        messages = json.loads(turns)
    except (ValueError, RecursionError):
        return turns
    if not isinstance(messages, list) or not all(isinstance(message, Mapping) for message in messages):
        return turns
    names = _names_of_calls(messages)
    # JSON may spell out lone surrogates, which nothing after this can hash or store.
    return clean_text("\n\n".join(turn for message in messages for turn in _turns(message, names, longest_result)))


def _names_of_calls(messages: list[Mapping[str, Any]]) -> dict[str, str]:
    """Return which tool each call's id is for."""
    calls = [call for message in messages for call in _list(message.get("tool_calls")) if isinstance(call, Mapping)]
    named = [(call.get("id"), called_function(call).get("name")) for call in calls]
    return {call_id: name for call_id, name in named if isinstance(call_id, str) and isinstance(name, str)}


def _turns(message: Mapping[str, Any], names: Mapping[str, str], longest_result: int | None) -> Iterator[str]:
    role = str(message.get("role", ""))
    title = ROLES.get(role) or one_line(role)
    content, calls = message.get("content"), _list(message.get("tool_calls"))
    if content:
        text = content if isinstance(content, str) else json_text(content)
        if role == "tool":
            call_id = message.get("tool_call_id") or message.get("id")
            name = names.get(call_id) if isinstance(call_id, str) else None
            title += (" error" if message.get("error") is True else "") + (f" ({one_line(name)})" if name else "")
            text = text if longest_result is None else shortened(text, longest_result)
        yield _turn(title, text)
    if calls:
        yield _turn(f"{title} calls", "\n".join(call_text(call) for call in calls))


def shortened(text: str, most: int) -> str:
    """Return a text without its middle, a line in its place that says how many characters are left out there.

    A text that this would hardly make shorter stays whole.
    """
    left_out = len(text) - most
    if left_out < most // 4:
        return text
    begin = most // 2
    note = f"[.. {left_out:,} characters of this result are left out here ..]"
    return f"{text[:begin]}\n{note}\n{text[begin + left_out :]}"


def _turn(title: str, text: str) -> str:
    """Return a turn; a line of its text that looks like another turn's beginning is quoted."""
    return f"{title}: {_HEADING.sub('> ', text).rstrip()}"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
