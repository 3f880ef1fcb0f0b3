"""Answers to one query as data sets write them: texts, turns, or the whole conversation, as turns or as one text."""

import re
from collections.abc import Sequence
from typing import Any, TypeVar

from pipelines.sources.conversations import Turn, is_turns, parsed_turns, turn_list, turns_in
from pipelines.sources.text import RowError
from schemas.query import Message, Messages

Turns = tuple[Turn, ...]
AnyTurn = TypeVar("AnyTurn", Turn, Message)

_DIALOGUE = re.compile(r"\n\n(Human|Assistant): ?")


def ending_in_answer(turns: tuple[AnyTurn, ...], name: str) -> tuple[AnyTurn, ...]:
    """Return turns of which the last is the assistant's. Raises RowError: bad_response."""
    if turns[-1].role != "assistant":
        raise RowError("bad_response", f"{name} ends with a turn of {turns[-1].role!r}, not of 'assistant'")
    return turns


def turns_or_none(value: Any, name: str) -> Turns | None:
    """Return the turns that an answer is written as; None for a text or an object with one.

    Raises RowError as `turns_in` does, and bad_response.
    """
    return ending_in_answer(turns_in(value, name), name) if is_turns(value) else None


def is_whole(turns: Turns | None) -> bool:
    """Say whether an answer is the conversation from its beginning, and not the answer's turns alone."""
    return turns is not None and turns[0].role != "assistant"


def messages_in(turns: Turns) -> Messages:
    return tuple(turn.message for turn in turns)


def begins_with(turns: Messages, query: Messages, length: int | None = None) -> bool:
    """Say whether a conversation's first turns are the query's, or those up to `length` end with it."""
    return turns[: len(query)] == query or (length is not None and turns[:length][-len(query) :] == query)


def unpacked(texts: Sequence[Any], names: Sequence[str], query: Messages | None) -> list[Any]:
    """Return turns in place of texts that are nothing but the row's own conversation as JSON; others as they are.

    A conversation is the row's own if it begins with the row's query, or with a turn of the user where the row has no
    query. So a question that asks for JSON keeps its answers. Raises RowError: bad_response, for a mix of both.
    """
    conversations = [_own_conversation(text, query) for text in texts]
    if not any(conversations):
        return list(texts)
    if not all(conversations):
        is_one = [bool(conversation) for conversation in conversations]
        whole, other = names[is_one.index(True)], names[is_one.index(False)]
        raise RowError("bad_response", f"{whole} is a whole conversation as text, and {other} is not")
    return conversations


def _own_conversation(text: Any, query: Messages | None) -> list[Any] | None:
    """Return the turns, as written, of a text that is a whole conversation with this query."""
    if not isinstance(text, str):
        return None
    written = parsed_turns(text) or (dialogue(text) if query is None else None)
    if written is None:
        return None
    try:
        turns = ending_in_answer(turns_in(written, "text"), "text")
    except RowError:
        return None
    users = [index + 1 for index, turn in enumerate(turns[:-1]) if turn.role == "user"]
    if not is_whole(turns) or not users:
        return None
    # Spaces do not count here. A conversation that differs in them is still one, and may be refused as one.
    return written if query is None or begins_with(_spaced(messages_in(turns)), _spaced(query), users[-1]) else None


def _spaced(messages: Messages) -> Messages:
    return tuple(Message(turn.role, " ".join(turn.content.split())) for turn in messages)


def dialogue(text: str) -> list[dict[str, str]] | None:
    """Return the turns of a text that begins with `Human:` and goes on with `Assistant:`, as HH-RLHF writes them."""
    before, *pieces = _DIALOGUE.split("\n\n" + text.strip())
    roles, texts = pieces[::2], pieces[1::2]
    if before or roles[:2] != ["Human", "Assistant"]:
        return None
    return [
        {"role": "user" if role == "Human" else "assistant", "content": text.strip()}
        for role, text in zip(roles, texts, strict=True)
    ]


def response_values(values: Sequence[Any], turns: Sequence[Turns | None], length: int) -> list[Any]:
    """Return answers as plain rows have them: a text, or the turns of an answer that took several.

    `length` is how many turns of the query a whole conversation begins with. Where one of the answers calls tools, all
    are conversations without a text of their own, so that judges see the calls.
    """
    answers = [read[length:] if read is not None and is_whole(read) else read for read in turns]
    tools = any(turn.calls or turn.role == "tool" for answer in answers for turn in answer or ())
    return [_response_value(value, answer, tools) for value, answer in zip(values, answers, strict=True)]


def _response_value(value: Any, answer: Turns | None, tools: bool) -> Any:
    if tools and (answer is not None or isinstance(value, str)):
        return {"text": "", "turns": [turn.as_response() for turn in answer or (Turn("assistant", value),)]}
    if answer is None:
        return value
    if len(answer) == 1:
        return answer[0].content
    written = turn_list(value)[-len(answer) :]
    plain = all(isinstance(turn.get("content", turn.get("value")), str) for turn in written)
    return {"turns": written if plain else [turn.as_response() for turn in answer]}
