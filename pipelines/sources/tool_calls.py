"""Calls of tools as data sets write them, and as one line of text.

{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\\"city\\": \\"Oslo\\"}"}}     OpenAI
{"name": "weather", "arguments": {"city": "Oslo"}}                        its function_call of before, and tau2
{"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Oslo"}}                        Anthropic
"""

import json
from collections.abc import Mapping
from typing import Any

from pipelines.sources.text import RowError, cleaned_json, shown

LONGEST_NAME = 80


def call_text(call: Any) -> str:
    """Return a call in one line: `weather({"city": "Oslo"})`."""
    function = called_function(call)
    if not function:
        return json_text(call)
    arguments = function.get("arguments")
    return f"{one_line(str(function.get('name')))}({arguments if isinstance(arguments, str) else json_text(arguments)})"


def called_function(call: Any) -> Mapping[str, Any]:
    """Return what of a call holds name and arguments; nothing where it is no call."""
    found = call.get("function", call) if isinstance(call, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def calls_in(value: Any, name: str) -> tuple[Mapping[str, Any], ...]:
    """Return the calls of a turn: a list, one call, or the JSON of either.

    Raises RowError: bad_tool_call, and as `cleaned_json` does.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise RowError("bad_tool_call", f"{name} is {shown(value)}, not JSON of a call of a tool") from None
    calls = value if isinstance(value, list) else [value]
    if not all(isinstance(call, Mapping) for call in calls):
        raise RowError("bad_tool_call", f"{name} is {shown(value)}, no call of a tool")
    cleaned_json(calls, name)  # one that nests too deep, or holds what no JSON can, is refused here
    return tuple(calls)


def one_line(name: str) -> str:
    """Return a name that the data gives, in one line."""
    return " ".join(name.split())[:LONGEST_NAME]


def json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
