"""General instruction rows to mix into the RFT set: any chat data set with a `messages` column.

    {"messages": [{"role": "user", "content": "Name three primes."}, {"role": "assistant", "content": "2, 3 and 5."}]}

ShareGPT's `conversations` of `{"from": "human", "value": ".."}` are read too. The last answer of the assistant is the
completion, and what comes before it the prompt; turns after it are left out. No rewards, no sets: such a row only
keeps the model from forgetting everything else (METHOD section 3). Optional keys: `id`, `license`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.sources.conversations import conversation
from pipelines.sources.files import SourceFiles
from pipelines.sources.rows import Row, rows_in
from pipelines.sources.text import RowError, short_text
from schemas.preference import UnreadableRow
from schemas.query import Messages, query_id
from schemas.recipe import GeneralSection
from schemas.record import is_blank

HUB = ""
PATTERNS = ("*.jsonl", "*.jsonl.gz", "*.parquet")

_COLUMNS = ("messages", "conversations")


@dataclass(frozen=True, slots=True)
class GeneralRow:
    """One instruction with its answer."""

    query_id: str
    prompt: Messages
    completion: str
    source_id: str
    license: str


def read(section: GeneralSection, files: SourceFiles) -> Iterator[GeneralRow | UnreadableRow]:
    """Return a general or an unreadable row for each row."""
    for location, row in rows_in(files):
        if isinstance(row, UnreadableRow):
            yield row
            continue
        try:
            yield _general_row(section, location, row)
        except RowError as error:
            yield UnreadableRow(location, error.reason, error.detail)


def _general_row(section: GeneralSection, location: str, row: Row) -> GeneralRow:
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
        source_id=short_text(identifier, "id") or location if isinstance(identifier, str) else location,
        license=short_text(row.get("license"), "license") or section.license,
    )
