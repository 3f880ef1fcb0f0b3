"""Answers paid for elsewhere: brought in as prompt, text and model, found again by prompt and model."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from schemas.errors import SourceError
from schemas.generation import Completion, Request
from schemas.record import clean_text, content_id, is_blank, table_schema
from schemas.strict_json import RepeatedKey, strict_json
from schemas.thoughts import split_thoughts, with_thoughts
from storage.files import read_regular
from storage.root import Root
from storage.tables import add_numbered, read_folder

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
_TEXTS = ("reasoning", "finish_reason")
_COUNTS = ("prompt_tokens", "completion_tokens")
_NO_JSON = (
    (UnicodeDecodeError, "not UTF-8"),
    (RecursionError, "nests too deep to be read"),
    (RepeatedKey, "a key stands there twice"),
    (ValueError, "not JSON"),
)
MAX_COUNT = 2**31
"""Token counts above this are nonsense."""
MAX_TEXT = 8 << 20
"""Longest answer, in characters: as much as an endpoint may send."""


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
    left_out: Mapping[str, int]
    """Token counts that are none, by their name: the answer was kept without."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        lines = [
            f"{self.kept:,} of {self.rows:,} answers imported; a build that asks the same model the same uses them"
        ]
        lines += [f"  {rows:,} unreadable: {reason}" for reason, rows in sorted(self.unreadable.items())]
        lines += [f"  the first: {self.first_unreadable}"] if self.first_unreadable else []
        return lines + [
            f"  {rows:,} kept without {name}: no {'text' if name in _TEXTS else 'number of tokens'}"
            for name, rows in self.left_out.items()
        ]


def import_answers(root: Root, file: Path) -> Imported:
    """Keep the answers of a JSONL file, one object a line.

    `prompt` is a string or a list of messages, exactly as a build would send it; `text` and `model` are strings;
    reasoning, finish_reason, prompt_tokens and completion_tokens are optional. Several answers to one prompt are
    several samples, in the order of the file. Importing a file again, or one that has grown, brings in what is new.
    Raises SourceError.
    """
    try:
        data = read_regular(file).removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise SourceError(f"{file}: cannot be read: {error.strerror}") from None
    rows: list[dict[str, Any]] = []
    unreadable: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    first: str | None = None
    lines = [(number, line) for number, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    for number, line in lines:
        try:
            rows.append(_row(line, left_out))
        except ValueError as error:
            unreadable[str(error)] += 1
            first = first or f"line {number}: {error}"
    if not rows:
        raise SourceError(f"{file}: no usable row" + (f"; {first}" if first else ", the file is empty"))
    columns = read_folder(root, FOLDER, IMPORTED).select(["prompt_id", "text"]).to_pydict()
    known = Counter(zip(*columns.values(), strict=True))
    new = []
    for row in rows:  # a text that stands twice in the file may be two samples
        answer = row["prompt_id"], row["text"]
        if known[answer]:
            known[answer] -= 1
        else:
            new.append(row)
    if new:  # numbered, so that the answers to a prompt keep their order when more of them come
        add_numbered(root, FOLDER, pa.Table.from_pylist(new, IMPORTED), content_id("import", new))
    return Imported(len(lines), len(new), len(rows) - len(new), dict(unreadable), first, dict(sorted(left_out.items())))


def _row(line: bytes, left_out: Counter[str]) -> dict[str, Any]:
    """Return a line's answer; counts that are none are left out, and counted. Raises ValueError with the reason."""
    try:
        given = strict_json(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(next(words for kind, words in _NO_JSON if isinstance(error, kind))) from None
    if not isinstance(given, dict):
        raise ValueError("not an object")
    for name in ("text", "model"):
        if not isinstance(given.get(name), str):
            raise ValueError(f"{name} is not a string")
        if is_blank(given[name]):
            raise ValueError(f"{name} holds nothing that can be seen")
    if len(given["text"]) > MAX_TEXT:
        raise ValueError(f"text has more than {MAX_TEXT:,} characters")
    prompt = given.get("prompt")
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    if not isinstance(messages, list) or not messages or not all(map(_is_message, messages)):
        raise ValueError("prompt is neither a string nor a list of messages")
    if all(is_blank(message["content"]) for message in messages):
        raise ValueError("prompt holds nothing that can be seen")
    wire = [{"role": clean_text(message["role"]), "content": clean_text(message["content"])} for message in messages]
    kept = {name: clean_text(given[name]) for name in _TEXTS if isinstance(given.get(name), str)}
    counts = {name: _count(given[name]) for name in _COUNTS if given.get(name) is not None}
    left_out.update(name for name, count in counts.items() if count is None)
    left_out.update(name for name in _TEXTS if given.get(name) is not None and name not in kept)
    model = clean_text(given["model"])
    return {"prompt_id": prompt_id(model, wire), "text": clean_text(given["text"]), **kept, **counts}


def _count(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer() and value < MAX_COUNT:
        value = int(value)
    return value if type(value) is int and 0 <= value < MAX_COUNT else None


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("role"), str) and isinstance(value.get("content"), str)


def prompt_id(model: str, messages: list[dict[str, str]]) -> str:
    """Return the id by which an imported answer is found: model and messages, whatever the sampling settings."""
    return content_id("prompt", model, messages)


class ImportedAnswers:
    """The imported answers of a root, by prompt."""

    def __init__(self, root: Root) -> None:
        self._answers: dict[str, list[dict[str, Any]]] = {}
        for row in read_folder(root, FOLDER, IMPORTED).to_pylist():
            self._answers.setdefault(row.pop("prompt_id"), []).append(row)

    @property
    def any(self) -> bool:
        return bool(self._answers)

    def answer_to(self, request: Request) -> Completion | None:
        """Return the imported answer to a request's prompt: the first for the first sample that asks it, and so on."""
        if not self._answers:
            return None
        answers = self._answers.get(prompt_id(request.body["model"], request.body["messages"]), [])
        if request.repeat >= len(answers):
            return None
        answer = answers[request.repeat]
        text, thoughts = split_thoughts(answer["text"])
        split = answer | {"text": text, "reasoning": with_thoughts(answer["reasoning"], thoughts)}
        return Completion(request.request_id, served_model="imported", **split)
