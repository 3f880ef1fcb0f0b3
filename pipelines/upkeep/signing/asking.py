"""What a row of any file asks: its field by name, and the texts that it holds.

{"problem": "Find x."}                                               one text
{"instruction": "Translate.", "input": "Guten Tag"}                  both together
{"turns": ["Write a poem.", "Now shorter."]}                         a text each
{"messages": [{"role": "user", "content": "What is NR?"}]}           a conversation: all of it, and its long turns
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.sources.conversations import is_turns, parsed_turns, turns_in
from pipelines.sources.text import Row, RowError, cleaned, missing_field, shown
from schemas.query import Message, Messages, user
from schemas.record import is_blank

Fields = tuple[str, ...]
"""Names of fields whose texts are asked together."""

WELL_KNOWN: tuple[Fields, ...] = (
    ("question",),
    ("problem",),
    ("prompt",),
    ("query",),
    ("instruction", "input"),
    ("instruction",),
    ("input",),
    ("conversation_input",),
    ("messages",),
    ("conversations",),
    ("conversation",),
    ("turns",),
    ("question_content",),
)
"""What data sets call a question, in the order in which they are looked for; upper case does not count."""

LONG_TURN = 13
"""Words that a turn of a conversation must have to be a query of its own: a shorter one says little alone."""


def fields_in(row: Mapping[str, Any], choices: Sequence[Fields]) -> Fields | None:
    """Return the first of the choices that a row has, by the row's own spelling; None where it has none."""
    own = {key.casefold().strip(): key for key in row if isinstance(key, str)}
    for names in choices:
        if all(name.casefold() in own for name in names):
            return tuple(own[name.casefold()] for name in names)
    return None


def conversations_in(row: Row, fields: Fields) -> list[Messages]:
    """Return what a row asks, as conversations that end with a turn of the user: several where each turn asks anew.

    Raises RowError: missing_field, not_text, empty_field, and as `turns_in` does.
    """
    if len(fields) > 1:
        texts = [_text(row.get(name), name) for name in fields if not _is_empty(row.get(name))]
        return [user("\n\n".join(_filled(texts, fields[0])))]
    (name,) = fields
    value = row.get(name)
    if isinstance(value, str):
        value = parsed_turns(value) or value
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        return [user(text) for text in _filled([cleaned(part) for part in value], name)]
    if not is_turns(value):
        return [user(_filled([_text(value, name)], name)[0])]
    messages = [turn.message for turn in turns_in(value, name)]
    while messages and messages[-1].role == "assistant":  # an answer, which nobody asks
        messages.pop()
    if not any(message.role == "user" and not is_blank(message.content) for message in messages):
        raise RowError("empty_field", f"{name} holds no turn of the user that says something")
    return [tuple(messages)]


def queries_in(row: Row, fields: Fields) -> list[str]:
    """Return the texts that stand for a row in a signature.

    What an instruction of the system says is left out: many rows share it. Raises RowError as `conversations_in` does.
    """
    queries: list[str] = []
    for conversation in conversations_in(row, fields):
        spoken = [message for message in conversation if message.role != "system"]
        queries.append("\n".join(message.content for message in spoken))
        if len(spoken) > 1:
            queries += [message.content for message in spoken if _is_long_question(message)]
    return queries


def _is_long_question(message: Message) -> bool:
    return message.role == "user" and len(message.content.split()) >= LONG_TURN


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and is_blank(value))


def _text(value: Any, name: str) -> str:
    """Return a text of any length: a signature holds none of it."""
    if value is None:
        raise missing_field(name)
    if not isinstance(value, str):
        raise RowError("not_text", f"{name} is {shown(value)}, not a text")
    return cleaned(value)


def _filled(texts: list[str], name: str) -> list[str]:
    filled = [text for text in texts if not is_blank(text)]
    if not filled:
        raise RowError("empty_field", f"{name} is empty")
    return filled
