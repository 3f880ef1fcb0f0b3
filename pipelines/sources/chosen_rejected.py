"""The commonest preference layout, a better and a worse answer to one prompt, read as a plain row.

    {"prompt": "What is NR?", "chosen": "New Radio.", "rejected": "No Radio."}
    {"chosen": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}],
     "rejected": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "5"}]}

`chosen` and `rejected` are texts, or turns: the answer's alone, or the whole conversation. The query of whole
conversations is what both begin with, up to a turn of the user; a `prompt` beside them must be the first or last of it.
Nothing is cut out of texts: a text that repeats its prompt is an answer that does.
"""

from typing import Any, NamedTuple

from pipelines.sources.answer_turns import (
    begins_with,
    is_whole,
    messages_in,
    response_values,
    text_or_turns,
    turns_or_none,
    unpacked,
)
from pipelines.sources.conversations import Turn, asking
from pipelines.sources.pair_scores import pair_rewards
from pipelines.sources.questions_asked import QUERY_NAMES, asked_in
from pipelines.sources.rows import Row
from pipelines.sources.text import RowError, missing_field, shown, text_of
from schemas.query import Messages

PAIR = ("chosen", "rejected")

_TRUTHS = ("rewards", "best", "label")


class Pair(NamedTuple):
    """What a plain row would hold."""

    query: Messages
    responses: list[Any]
    rewards: tuple[float, float]
    is_contradicted: bool
    """Whether the row's own scores say that the chosen answer is not the better one."""


def is_pair(row: Row) -> bool:
    """Say whether a row is of this layout; one with responses is not, whatever else it holds."""
    return "responses" not in row and any(key in row for key in PAIR)


def pair_of(row: Row) -> Pair:
    """Return what the row holds.

    Raises RowError as conversations do, and: several_truths, several_queries, bad_response, bad_prompt, no_prompt.
    """
    for key in PAIR:
        if key not in row:
            raise missing_field(key)
    if given := [key for key in _TRUTHS if key in row]:
        raise RowError("several_truths", f"chosen and rejected say which is best; the row also has {given[0]}")
    if "query" in row and "prompt" in row:
        raise RowError("several_queries", "the row has query and prompt; leave one of them out")
    values = [text_or_turns(row[key]) for key in PAIR]
    turns = _turns_of(values)
    # Whole conversations hold their question; what else the row may call one was never asked.
    asked = None if _are_whole(turns) and not any(name in row for name in QUERY_NAMES) else asked_in(row)
    if turns == [None, None]:
        values = unpacked(values, PAIR, asked.query if asked else None)
        turns = _turns_of(values)
    query, length = asked.query if asked else (), 0
    whole = [read is not None and is_whole(read) for read in turns]
    if whole[0] != whole[1]:
        raise RowError("bad_response", f"{PAIR[whole[1]]} is a whole conversation, and {PAIR[whole[0]]} is not")
    if _are_whole(turns):
        chosen, rejected = (messages_in(read or ()) for read in turns)
        length = _shared(chosen, rejected)
        if asked and not begins_with(chosen, query, length):
            raise RowError(
                "bad_prompt", f"chosen and rejected are whole conversations that do not begin with {asked.name}"
            )
        query = asking(chosen[:length], PAIR[0])
    elif asked is None:
        raise RowError("no_prompt", "chosen and rejected are answers only; what they answer goes into prompt")
    rewards, is_contradicted = pair_rewards(row, {key: row[key] for key in PAIR if isinstance(row[key], dict)})
    return Pair(query, response_values(values, turns, length), rewards, is_contradicted)


def _turns_of(values: list[Any]) -> list[tuple[Turn, ...] | None]:
    """Return the turns of each answer that is written as turns; None for texts, and for objects that hold one."""
    for value, key in zip(values, PAIR, strict=True):
        if isinstance(value, str):
            text_of(value, key)
        elif not isinstance(value, list | dict):
            raise RowError("bad_response", f"{key} is {shown(value)}, neither text nor turns")
    return [turns_or_none(value, key) for value, key in zip(values, PAIR, strict=True)]


def _are_whole(turns: list[tuple[Turn, ...] | None]) -> bool:
    return all(read is not None and is_whole(read) for read in turns)


def _shared(chosen: Messages, rejected: Messages) -> int:
    """Return how many turns both begin with, up to the last one of the user that answers of both follow."""
    length = 0
    for index, (one, other) in enumerate(zip(chosen[:-1], rejected[:-1], strict=False)):
        if one != other:
            break
        if one.role == "user":
            length = index + 1
    if not length:
        raise RowError("no_prompt", "chosen and rejected do not begin with the same turn of the user")
    return length
