"""Conversations as data sets write them: one string, OpenAI's messages, or ShareGPT's turns, with calls of tools.

"What is NR?"                                                  a question
[{"role": "user", "content": "What is NR?"}]                   one turn may stand without its list
[{"from": "human", "value": "Weather in Oslo?"}, {"from": "function_call", "value": "{\\"name\\": ..}"}, ..]
{"messages": [..]}                                             so may a list in an object, or all of it as JSON
"""

import ast
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

from pipelines.sources.content import CALL, RESULT, call_text, calls_in, joined_text, part_type, parts_of
from pipelines.sources.text import RowError, cleaned, filled_text, list_of, mapping_of, shown
from schemas.query import Message, Messages, user
from schemas.record import is_blank
from schemas.strict_json import strict_json

MAX_TURNS = 10_000

_ROLE_OF = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bot", "model", "ai"), "assistant"),
}
_CALL_ROLES = ("function_call", "tool_call")
_TOOL_ROLES = ("tool", "function", "observation", "tool_response", "function_response", "ipython")
_LISTS = ("messages", "conversations", "conversation")
_CONTENTS = ("content", "value", "text", "parts", "refusal")


class Turn(NamedTuple):
    """One turn of a conversation with tools."""

    role: str
    """system, user, assistant or tool."""
    content: str
    calls: tuple[Mapping[str, Any], ...] = ()
    answers: str | None = None
    """Id of the call that a tool's turn answers."""

    @property
    def message(self) -> Message:
        """The turn as a query holds it, a line for each call."""
        lines = "\n".join(f"calls {call_text(call)}" for call in self.calls)
        return Message(self.role, "\n\n".join(part for part in (self.content, cleaned(lines)) if part))

    def as_response(self) -> dict[str, Any]:
        """Return the turn as the `turns` of a response hold it."""
        rest = {"tool_calls": list(self.calls) or None, "tool_call_id": self.answers}
        return {"role": self.role, "content": self.content} | {key: item for key, item in rest.items() if item}


def turns_in(value: Any, name: str) -> tuple[Turn, ...]:
    """Return the turns of a conversation: a list of them, one alone, or an object with the list.

    Raises RowError: missing_field, not_a_list, not_an_object, unknown_role, not_text, text_too_long, empty_field,
    bad_tool_call, and as `joined_text` does.
    """
    turns = list_of(turn_list(value), name)
    if not turns:
        raise RowError("empty_field", f"{name} has no turns")
    if len(turns) > MAX_TURNS:
        raise RowError("text_too_long", f"{name} has {len(turns):,} turns, more than {MAX_TURNS:,}")
    return tuple(_turn(turn, f"{name}[{index}]") for index, turn in enumerate(turns))


def turn_list(value: Any) -> Any:
    """Return the list that a conversation is, where it is one turn or an object with the list; else the value."""
    lists = (value[key] for key in _LISTS if isinstance(value.get(key), list))
    return next(lists, [value]) if isinstance(value, Mapping) else value


def is_turns(value: Any) -> bool:
    """Say whether a value is written as turns, well written or not."""
    if isinstance(value, str):  # most are; to ask whether it is a mapping takes longer
        return False
    if isinstance(value, Mapping):
        return any(value.get(key) is not None for key in ("role", "from", *_LISTS))
    return isinstance(value, list)


def conversation(value: Any, name: str) -> Messages:
    """Return the turns of a conversation without tools. Raises RowError as `turns_in` does, and tool_calls."""
    turns = turns_in(value, name)
    for index, turn in enumerate(turns):
        if turn.role == "tool":
            raise RowError("unknown_role", f"{name}[{index}] has the role of a tool; known: {', '.join(_ROLE_OF)}")
        if turn.calls:
            raise RowError("tool_calls", f"{name}[{index}] calls tools, which are not read here")
    return tuple(turn.message for turn in turns)


def query_of(value: Any, name: str) -> Messages:
    """Return a query: a text is a single question, anything else a conversation that ends with the user's turn.

    Raises RowError as `turns_in` does, and no_user_turn.
    """
    if isinstance(value, str):
        value = parsed_turns(value) or value
    if not is_turns(value):
        return user(filled_text(value, name))
    messages = tuple(turn.message for turn in turns_in(value, name))
    if messages[-1].role not in ("user", "tool"):  # the result of a tool waits for an answer too
        raise RowError("no_user_turn", f"{name} ends with a turn of {messages[-1].role!r}, not of 'user'")
    return not_blank(messages, name)


def not_blank(query: Messages, name: str) -> Messages:
    """Return a query whose last turn says something. Raises RowError: empty_field."""
    if is_blank(query[-1].content) and query[-1].role == "user":
        raise RowError("empty_field", f"{name} ends with an empty turn")
    return query


def parsed_turns(text: str) -> list[Any] | None:
    """Return the turns of a text that is nothing but a conversation as JSON, or as Python prints one; else None."""
    text = text.strip()
    if not (text.startswith(("[{", "{", "[ ", "[\n")) and text.endswith(("]", "}"))):
        return None
    try:
        if '"role"' in text or '"from"' in text:
            value = strict_json(text.encode())
        elif "'role'" in text or "'from'" in text:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about backslashes that Python itself would escape
                value = ast.literal_eval(text)
        else:
            return None
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    turns = turn_list(value)
    return turns if isinstance(turns, list) and turns and all(map(_looks_like_a_turn, turns)) else None


def _looks_like_a_turn(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    role = value.get("role", value.get("from"))
    known = isinstance(role, str) and role.casefold() in (*_ROLE_OF, *_CALL_ROLES, *_TOOL_ROLES)
    return known and any(key in value for key in (*_CONTENTS, "tool_calls"))


def _turn(value: Any, name: str) -> Turn:
    turn = mapping_of(value, name)
    role_key, content_key = ("role", "content") if turn.get("role") is not None else ("from", "value")
    role = turn.get(role_key)
    written = role.casefold() if isinstance(role, str) else ""
    content_key = next((key for key in (content_key, *_CONTENTS) if turn.get(key) is not None), content_key)
    content, name = turn.get(content_key), f"{name}.{content_key}"
    if written in _CALL_ROLES:
        return Turn("assistant", "", calls_in(content, name))
    if written in _TOOL_ROLES:
        text = "" if content is None else joined_text(content, name)
        return Turn("tool", text, answers=_text_or_none(turn.get("tool_call_id") or turn.get("name")))
    if written not in _ROLE_OF:
        raise RowError("unknown_role", f"{name} has the role {shown(role)}; known: {', '.join(_ROLE_OF)}")
    return _turn_of_parts(_ROLE_OF[written], content, _calls(turn, name), name)


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _calls(turn: Mapping[str, Any], name: str) -> tuple[Mapping[str, Any], ...]:
    """Return the calls in a turn's own keys: `tool_calls`, or the older `function_call` without an id."""
    if turn.get("tool_calls"):
        return calls_in(turn["tool_calls"], name)
    if turn.get("function_call"):
        (call,) = calls_in(turn["function_call"], name)[:1]
        return ({"id": call.get("name"), **call},)
    return ()


def _turn_of_parts(role: str, content: Any, calls: tuple[Mapping[str, Any], ...], name: str) -> Turn:
    """Return a turn whose content may be parts, calls and results of tools among them."""
    parts = parts_of(content)
    if parts is None:
        return Turn(role, "" if content is None and calls else joined_text(content, name), calls)
    if {part_type(part) for part in parts} == {RESULT}:
        texts = [joined_text(part.get("content"), f"{name}[{index}]") for index, part in enumerate(parts)]
        answers = parts[0].get("tool_use_id") if len(parts) == 1 else None
        return Turn("tool", "\n".join(texts), answers=_text_or_none(answers))
    made = [
        {"id": part.get("id"), "name": part.get("name"), "arguments": part.get("input")}
        for part in parts
        if part_type(part) == CALL
    ]
    text = joined_text([part for part in parts if part_type(part) != CALL], name)
    return Turn(role, text, calls + calls_in(made, name))
