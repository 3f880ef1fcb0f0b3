"""What a row of preference data asks, under the names that data sets give it.

{"prompt": ..}  {"query": ..}  {"question": .., "system": ..}     a text, or a conversation
{"instruction": "Translate into German.", "input": "dog"}         Alpaca's: the input after a blank line
{"messages": [..]}  {"conversations": [..]}                       a conversation that ends with the user's turn
"""

from typing import NamedTuple

from pipelines.sources.conversations import query_of
from pipelines.sources.text import Row, RowError, filled_text, list_of, optional_text, shown, text_of
from schemas.query import Message, Messages
from schemas.record import is_blank

QUERY_NAMES = ("query", "prompt")
"""If a row has one of these, it is the whole question, and the names below are ignored."""
_OTHER_NAMES = ("question", "instruction", "messages", "conversations", "conversation")
_EXTRAS = ("input", "context")


class RowQuestion(NamedTuple):
    """A row's question."""

    name: str
    """The key that it stands under."""
    query: Messages


def question_in(row: Row) -> RowQuestion | None:
    """Return a row's question; None where it has none.

    Raises RowError as `query_of` does, and: several_queries, bad_history.
    """
    name = next((name for name in QUERY_NAMES if name in row), None)
    if name is not None:
        return RowQuestion(name, query_of(row[name], name))
    names = [name for name in _OTHER_NAMES if name in row]
    extras = [key for key in _EXTRAS if row.get(key)]
    if len(names) > 1 or len(extras) > 1 or (extras and names not in (["instruction"], [])):
        raise RowError(
            "several_queries", f"the row has {' and '.join([*names, *extras])}; write what is asked into 'query'"
        )
    if not names and "input" not in row:
        return None
    name = names[0] if names else "input"
    value = row[name]
    if names and extras:
        extra = text_of(row[extras[0]], extras[0])
        value = value if is_blank(extra) else f"{filled_text(value, name)}\n\n{extra}"
    query = query_of(value, name)
    return RowQuestion(name, (*_turns_before(row, query), *query))


def _turns_before(row: Row, query: Messages) -> list[Message]:
    """Return what stands before the question in keys of its own: `system`, and `history`, pairs of question and answer.

    Rows with one of QUERY_NAMES keep the ids that they had before these keys were read.
    """
    system = optional_text(row.get("system"), "system")
    turns = [Message("system", system)] if system and query[0].role != "system" else []
    for index, pair in enumerate(list_of(row.get("history") or [], "history")):
        if not isinstance(pair, list) or len(pair) != 2:
            raise RowError("bad_history", f"history[{index}] is {shown(pair)}, not a question and its answer")
        turns += [Message("user", text_of(pair[0], "history")), Message("assistant", text_of(pair[1], "history"))]
    return turns
