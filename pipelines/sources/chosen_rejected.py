"""The commonest preference layout, a better and a worse answer to one prompt, read as a plain row.

    {"prompt": "What is NR?", "chosen": "New Radio.", "rejected": "No Radio."}
    {"chosen": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}],
     "rejected": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "5"}]}

`chosen` and `rejected` are texts, or lists of turns: the answer's alone, or the whole conversation. The query of whole
conversations is what both begin with, up to a turn of the user; a `prompt` beside them must be the first or last of it.
Nothing is cut out of texts: a text that repeats its prompt is an answer that does.
"""

from typing import Any

from pipelines.sources.conversations import conversation, query_of
from pipelines.sources.rows import Row
from pipelines.sources.text import RowError, missing_field, shown, text_of
from schemas.query import Messages

PAIR = ("chosen", "rejected")

QUERY_NAMES = ("prompt", "question", "messages", "instruction", "conversations", "input")
"""What other data sets call the query."""

_TRUTHS = ("rewards", "best", "label")


def is_pair(row: Row) -> bool:
    """Say whether a row is of this layout; one with responses is not, whatever else it holds."""
    return "responses" not in row and any(key in row for key in PAIR)


def plain_row(row: Row) -> Row:
    """Return the row with query, responses and best in place of prompt, chosen and rejected.

    Raises RowError as conversations do, and: several_truths, several_queries, bad_response, bad_prompt, no_prompt.
    """
    for key in PAIR:
        if key not in row:
            raise missing_field(key)
    if given := [key for key in _TRUTHS if key in row]:
        raise RowError("several_truths", f"chosen and rejected say which is best; the row also has {given[0]}")
    if "query" in row and "prompt" in row:
        raise RowError("several_queries", "the row has query and prompt; leave one of them out")
    name = "query" if "query" in row else "prompt"
    prompt = query_of(row[name], name) if name in row else None
    turns = [None if isinstance(row[key], str) else _turns(row[key], key) for key in PAIR]
    chosen, rejected = turns
    whole = [messages is not None and messages[0].role != "assistant" for messages in turns]
    if whole[0] != whole[1]:
        raise RowError("bad_response", f"{PAIR[whole[1]]} is a whole conversation, and {PAIR[whole[0]]} is not")
    length = 0
    if all(whole) and chosen is not None and rejected is not None:
        length = _shared(chosen, rejected)
        if prompt is not None and prompt not in (chosen[: len(prompt)], chosen[:length][-len(prompt) :]):
            raise RowError("bad_prompt", f"chosen and rejected are whole conversations that do not begin with {name}")
    elif prompt is None:
        raise no_query(row, "no_prompt", "chosen and rejected are answers only; what they answer goes into prompt")
    rest = {key: value for key, value in row.items() if key not in (*PAIR, "prompt")}
    answers = [_answer(row[key], key, found, length) for key, found in zip(PAIR, turns, strict=True)]
    return {**rest, "query": row["chosen"][:length] if length else row[name], "responses": answers, "best": 0}


def no_query(row: Row, reason: str = "missing_field", detail: str = "no query") -> RowError:
    """Return the error of a row without a query; it names the key that is to be renamed, where the row has one."""
    other = next((key for key in QUERY_NAMES if key in row), None)
    return RowError(reason, f"{detail}; rename {other!r} to 'query'" if other else detail)


def _turns(value: Any, name: str) -> Messages:
    if not isinstance(value, list):
        raise RowError("bad_response", f"{name} is {shown(value)}, neither text nor a list of turns")
    messages = conversation(value, name)
    if messages[-1].role != "assistant":
        raise RowError("bad_response", f"{name} ends with a turn of {messages[-1].role!r}, not of 'assistant'")
    return messages


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


def _answer(value: Any, name: str, turns: Messages | None, length: int) -> Any:
    """Return a response as the plain layout has it: a text, or the turns of an answer that took several."""
    if turns is None:
        return text_of(value, name)
    return turns[-1].content if len(turns) == length + 1 else {"turns": value[length:]}
