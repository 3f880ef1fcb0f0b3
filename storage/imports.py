"""Answers paid for elsewhere: brought in as prompt, text and model, found again by prompt and model."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import SourceError
from schemas.generation import Completion, Request
from schemas.record import clean_text, content_id, table_schema
from schemas.thoughts import split_thoughts, with_thoughts
from storage.root import Root
from storage.tables import read_table

FOLDER = "generations/imported"

IMPORTED = table_schema(
    "imported",
    [
        pa.field("prompt_id", pa.string()),
        pa.field("text", pa.string()),
        pa.field("reasoning", pa.string()),
        pa.field("finish_reason", pa.string()),
        pa.field("prompt_tokens", pa.int64()),
        pa.field("completion_tokens", pa.int64()),
    ],
)
_OPTIONAL: Mapping[str, type] = {
    "reasoning": str,
    "finish_reason": str,
    "prompt_tokens": int,
    "completion_tokens": int,
}


@dataclass(frozen=True)
class Imported:
    """What came of an import."""

    rows: int
    kept: int
    known: int
    """Rows that earlier imports brought in already."""
    unreadable: Mapping[str, int]
    """Rows by the reason why they could not be used."""
    first_unreadable: str | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        lines = [
            f"{self.kept:,} of {self.rows:,} answers imported; a build that asks the same model the same uses them"
        ]
        lines += [f"  {rows:,} unreadable: {reason}" for reason, rows in sorted(self.unreadable.items())]
        return lines + ([f"  the first: {self.first_unreadable}"] if self.first_unreadable else [])


def import_answers(root: Root, file: Path) -> Imported:
    """Keep the answers of a JSONL file, one object a line.

    `prompt` is a string or a list of messages, exactly as a build would send it; `text` and `model` are strings;
    reasoning, finish_reason, prompt_tokens and completion_tokens are optional. Several answers to one prompt are
    several samples, in the order of the file. Importing a file again, or one that has grown, brings in what is new.
    Raises SourceError.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SourceError(f"{file}: cannot be read: {error.strerror}") from None
    rows: list[dict[str, Any]] = []
    unreadable: Counter[str] = Counter()
    first: str | None = None
    lines = [line for line in data.split(b"\n") if line.strip()]
    for number, line in enumerate(lines, 1):
        try:
            rows.append(_row(line))
        except ValueError as error:
            unreadable[str(error)] += 1
            first = first or f"line {number}: {error}"
    if not rows:
        raise SourceError(f"{file}: no usable row" + (f"; {first}" if first else ", the file is empty"))
    new = _new_rows(root, rows)
    if new:
        table = pa.table(
            [pa.array([row.get(field.name) for row in new], field.type) for field in IMPORTED], schema=IMPORTED
        )
        # Numbered, so that the answers to a prompt keep their order when more of them come.
        name = f"{len(root.names(FOLDER, '.parquet')):05}-{content_id('import', new)}.parquet"
        with root.replacing(f"{FOLDER}/{name}") as temporary:
            pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
    return Imported(len(lines), len(new), len(rows) - len(new), dict(unreadable), first)


def _new_rows(root: Root, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that no earlier import brought in; a text that stands twice in the file may be two samples."""
    known = Counter(zip(*(_imported(root).column(name).to_pylist() for name in ("prompt_id", "text")), strict=True))
    new = []
    for row in rows:
        answer = row["prompt_id"], row["text"]
        if known[answer]:
            known[answer] -= 1
        else:
            new.append(row)
    return new


def _imported(root: Root) -> pa.Table:
    return read_table([root.at(f"{FOLDER}/{name}") for name in root.names(FOLDER, ".parquet")], IMPORTED)


def _row(line: bytes) -> dict[str, Any]:
    """Return a line's answer. Raises ValueError with the reason."""
    try:
        given = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise ValueError("not JSON") from None
    if not isinstance(given, dict):
        raise ValueError("not an object")
    for name in ("text", "model"):
        if not isinstance(given.get(name), str):
            raise ValueError(f"{name} is not a string")
    prompt = given.get("prompt")
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    if not isinstance(messages, list) or not messages or not all(map(_is_message, messages)):
        raise ValueError("prompt is neither a string nor a list of messages")
    kept = {name: given[name] for name, kind in _OPTIONAL.items() if isinstance(given.get(name), kind)}
    wire = [{"role": message["role"], "content": clean_text(message["content"])} for message in messages]
    return {"prompt_id": prompt_id(given["model"], wire), "text": clean_text(given["text"]), **kept}


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("role"), str) and isinstance(value.get("content"), str)


def prompt_id(model: str, messages: list[dict[str, str]]) -> str:
    """Return the id by which an imported answer is found: model and messages, whatever the sampling settings."""
    return content_id("prompt", model, messages)


class ImportedAnswers:
    """The imported answers of a root, by prompt."""

    def __init__(self, root: Root) -> None:
        self._answers: dict[str, list[dict[str, Any]]] = {}
        for row in _imported(root).to_pylist():
            self._answers.setdefault(row.pop("prompt_id"), []).append(row)

    def answer_to(self, request: Request) -> Completion | None:
        """Return the imported answer to a request's prompt: the first for the first sample that asks it, and so on."""
        if not self._answers:
            return None
        answers = self._answers.get(prompt_id(request.body["model"], request.body["messages"]), [])
        if request.repeat >= len(answers):
            return None
        found = answers[request.repeat]
        text, thoughts = split_thoughts(found["text"])
        answer = {**found, "text": text, "reasoning": with_thoughts(found["reasoning"], thoughts)}
        return Completion(request.request_id, served_model="imported", **answer)
