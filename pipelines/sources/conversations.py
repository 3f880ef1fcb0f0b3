"""Conversations as data sets write them: one string, OpenAI's messages, or ShareGPT's turns."""

from typing import Any

from pipelines.sources.text import RowError, filled_text, list_of, mapping_of, shown, text_of
from schemas.query import Message, Messages, user

ROLES = ("system", "user", "assistant")

_ROLE_OF = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
}

MAX_TURNS = 10_000


def conversation(value: Any, name: str) -> Messages:
    """Return the turns of a list of `{role, content}` or ShareGPT's `{from, value}`.

    Raises RowError: missing_field, not_a_list, not_an_object, unknown_role, not_text, text_too_long, empty_field.
    """
    turns = list_of(value, name)
    if not turns:
        raise RowError("empty_field", f"{name} has no turns")
    if len(turns) > MAX_TURNS:
        raise RowError("text_too_long", f"{name} has {len(turns):,} turns, more than {MAX_TURNS:,}")
    return tuple(_turn(turn, f"{name}[{index}]") for index, turn in enumerate(turns))


def query_of(value: Any, name: str) -> Messages:
    """Return a query: a text is a single question, a list is a conversation that ends with the user's turn.

    Raises RowError as `conversation` does, and no_user_turn.
    """
    if not isinstance(value, list):
        return user(filled_text(value, name))
    messages = conversation(value, name)
    if messages[-1].role != "user":
        raise RowError("no_user_turn", f"{name} ends with a turn of {messages[-1].role!r}, not of 'user'")
    if not messages[-1].content.strip():
        raise RowError("empty_field", f"{name} ends with an empty turn")
    return messages


def _turn(value: Any, name: str) -> Message:
    turn = mapping_of(value, name)
    role_key, content_key = ("role", "content") if turn.get("role") is not None else ("from", "value")
    role = turn.get(role_key)
    if not isinstance(role, str) or role not in _ROLE_OF:
        raise RowError("unknown_role", f"{name} has the role {shown(role)}; known: {', '.join(_ROLE_OF)}")
    return Message(_ROLE_OF[role], text_of(turn.get(content_key), f"{name}.{content_key}"))
