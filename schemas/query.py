"""A query: the conversation that the responses answer."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from schemas.record import content_id
from schemas.tables import Column, array_of


class Message(NamedTuple):
    """One turn of a conversation."""

    role: str
    content: str


Messages = tuple[Message, ...]

MESSAGES: pa.DataType = Column("messages", Messages).type
"""Arrow type of a conversation: exactly these two keys, since any further one breaks trainers."""


def messages_of(turns: Iterable[dict[str, Any]]) -> Messages:
    """Return records of turns as they stand in JSON or Arrow."""
    return tuple(Message(turn["role"], turn["content"]) for turn in turns)


def wire(messages: Iterable[Message]) -> list[dict[str, str]]:
    """Return the conversation as chat endpoints and trainers read it."""
    return [{"role": message.role, "content": message.content} for message in messages]


def user(text: str) -> Messages:
    """Return the conversation of a single question."""
    return (Message("user", text),)


def query_id(messages: Messages) -> str:
    """Return the id of a query: a hash of its messages and nothing else."""
    return content_id("query", wire(messages))


def messages_array(conversations: Sequence[Messages]) -> pa.ListArray:
    """Return conversations as one Arrow column of MESSAGES."""
    return array_of(MESSAGES, conversations)


def single_turns(role: str, texts: pa.Array | pa.ChunkedArray) -> pa.ListArray:
    """Return conversations of one message each, by one role, as one Arrow column of MESSAGES."""
    text = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    turns = pa.StructArray.from_arrays([pa.repeat(role, len(text)), text], fields=list(MESSAGES.value_type))
    return pa.ListArray.from_arrays(pa.array(range(len(text) + 1), pa.int32()), turns, type=MESSAGES)
