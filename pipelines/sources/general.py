"""General instruction rows to mix into the RFT set: any chat data set with a `messages` column.

    {"messages": [{"role": "user", "content": "Name three primes."}, {"role": "assistant", "content": "2, 3 and 5."}]}

ShareGPT's `conversations` of `{"from": "human", "value": ".."}` are read too. The last answer of the assistant is the
completion, and what comes before it the prompt; turns after it are left out. There are no rewards and no sets: such
a row only keeps the model from forgetting everything else (METHOD section 3). Optional keys: `id`, `license`.

    [general]
    path = "chat.jsonl"          # or hub = ".."
    ratio = 1.0

Unreadable: a role other than system, user and assistant (`unknown_role`), no answer (`no_completion`), an answer to no
question (`no_user_turn`), turns that call tools (`tool_calls`).
"""

from dataclasses import dataclass

import pyarrow as pa

from pipelines.sources.conversations import conversation
from pipelines.sources.files import ROWS_OF_ANY
from pipelines.sources.source import Origin, Source
from pipelines.sources.text import Row, RowError, short_text
from schemas.query import Messages, query_id
from schemas.recipe import GeneralSection
from schemas.record import is_blank
from schemas.tables import table_of
from schemas.training import GENERAL

_COLUMNS = ("messages", "conversations")


@dataclass(frozen=True, slots=True)
class GeneralRow:
    """One instruction with its answer."""

    query_id: str
    prompt: Messages
    completion: str
    source_id: str
    license: str


def _general_row(section: GeneralSection, row: Row, origin: Origin) -> GeneralRow:
    column = next((name for name in _COLUMNS if row.get(name) is not None), None)
    if column is None:
        raise RowError("missing_field", f"the row has no field {' or '.join(map(repr, _COLUMNS))}")
    messages = conversation(row[column], column)
    answers = [index for index, message in enumerate(messages) if message.role == "assistant"]
    if not answers:
        raise RowError("no_completion", "no turn of the assistant")
    prompt, completion = messages[: answers[-1]], messages[answers[-1]].content
    if not prompt or prompt[-1].role != "user":
        raise RowError("no_user_turn", "the assistant's last turn does not answer one of the user")
    if is_blank(completion):
        raise RowError("no_completion", "the assistant's last turn is empty")
    identifier = row.get("id")
    return GeneralRow(
        query_id=query_id(prompt),
        prompt=prompt,
        completion=completion,
        source_id=(short_text(identifier, "id") if isinstance(identifier, str) else None) or origin["source_id"],
        license=short_text(row.get("license"), "license") or origin["license"],
    )


def general_table(rows: list[GeneralRow]) -> pa.Table:
    """Return rows as the table `general`."""
    undecided = dict.fromkeys(("split", "drop_reason"), [None] * len(rows))
    return table_of(GENERAL, rows, {"source": ["general"] * len(rows), **undecided})


SOURCE = Source(
    kind="general",
    section=GeneralSection,
    patterns=ROWS_OF_ANY,
    unit="row",
    gives="general",
    make=_general_row,
)
