"""Answers of people as they come back: the page's file, an export of Label Studio (JSON, JSON-MIN or CSV), or our CSV.

Each answer becomes a row with draw_id, snapshot, set_id, order, stratum, stratum_size, reviewer, choice, position, at
and after_label. A row that cannot be used is counted by its reason, and the others are read. Of a file without a usable
row nothing is read.
"""

import csv
import io
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.reviews.exporting import KIND
from schemas.errors import SourceError
from schemas.record import FORMAT, clean_text
from schemas.review import Choice, reviewer_id
from schemas.strict_json import strict_json
from storage.files import read_regular

Row = dict[str, Any]
_MOST_RESPONSES = 1_000
_TEXTS = ("draw_id", "snapshot", "set_id")
_LONGEST = 500
_KNOWN = {
    "tie": Choice.TIE,
    "cannot tell": Choice.CANNOT_TELL,
    "right": Choice.RESPONSE,
    "wrong": Choice.RESPONSE,
}
_FORMS = "the file that the page saves, an export of Label Studio (JSON, JSON-MIN or CSV), or the CSV of the export"


@dataclass
class FileAnswers:
    """What one file holds."""

    rows: list[Row] = field(default_factory=list)
    """An unanswered set has a choice of None."""
    unreadable: Counter[str] = field(default_factory=Counter)
    first_unreadable: str | None = None


def answers_in(file: Path) -> FileAnswers:
    """Return the answers of a file. Raises SourceError where not one row of it can be used."""
    try:
        data = read_regular(file).removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise SourceError(f"{file}: cannot be read: {error.strerror or error}") from None
    if not data.strip():
        raise SourceError(f"{file}: is empty; give {_FORMS}")
    found = FileAnswers()
    for place, raw, reviewer in _raw_rows(file, data):
        try:
            found.rows.append(_row(raw, reviewer))
        except ValueError as error:
            found.unreadable[str(error).partition(":")[0]] += 1
            found.first_unreadable = found.first_unreadable or f"{file}, {place}: {error}"
    if not found.rows:
        raise SourceError(f"{file}: no usable row" + (f"; {found.first_unreadable}" if found.first_unreadable else ""))
    return found


def _raw_rows(file: Path, data: bytes) -> Iterator[tuple[str, Mapping[str, Any], str | None]]:
    """Yield (place, row, id of the person)."""
    if data.lstrip()[:1] not in (b"{", b"["):
        yield from _of_csv(file, data)
        return
    try:
        tree = strict_json(data)
    except RecursionError:
        raise SourceError(f"{file}: nests too deep to be read") from None
    except ValueError as error:
        raise SourceError(
            f"{file}: is damaged or not whole: {str(error).partition(chr(10))[0]}; save it again"
        ) from None
    if isinstance(tree, dict) and tree.get("kind") == KIND:
        yield from _of_page(file, tree)
    elif isinstance(tree, list):
        yield from _of_label_studio(tree)
    else:
        raise SourceError(f"{file}: holds no reviews; give {_FORMS}")


def _of_page(file: Path, tree: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], str | None]]:
    version, snapshot, answers = tree.get("format"), tree.get("snapshot"), tree.get("answers")
    if isinstance(version, int) and version > FORMAT:
        raise SourceError(f"{file}: written in format {version}, this grmforge reads up to {FORMAT}: upgrade it")
    if not isinstance(snapshot, dict) or not isinstance(answers, list):
        raise SourceError(f"{file}: is damaged: it has no snapshot or no answers; save it again")
    head = {"draw_id": tree.get("draw_id"), "snapshot": f"{snapshot.get('name')}@{snapshot.get('version')}"}
    person = _person(tree.get("reviewer"), head["draw_id"], tree.get("browser"))
    for number, answer in enumerate(answers, 1):
        yield f"answer {number}", {**answer, **head} if isinstance(answer, dict) else {}, person


def _of_label_studio(tasks: list[Any]) -> Iterator[tuple[str, Mapping[str, Any], str | None]]:
    for number, task in enumerate(tasks, 1):
        place = f"task {number}"
        if not isinstance(task, dict):
            yield place, {}, None
        elif not isinstance(task.get("data"), dict):  # JSON-MIN: flat, a row an annotation
            yield place, task, _person(task.get("annotator"), task.get("draw_id"))
        else:
            annotations = [one for one in _list(task.get("annotations")) if isinstance(one, dict)]
            done = [one for one in annotations if not one.get("was_cancelled")]
            for one in done:
                at = one.get("updated_at") or one.get("created_at")
                given = {"choice": _chosen(one), "at": at}
                yield place, {**task["data"], **given}, _person(one.get("completed_by"), task["data"].get("draw_id"))
            if not done:
                yield place, {**task["data"], "choice": None}, None


def _chosen(annotation: Mapping[str, Any]) -> Any:
    """Return what an annotation chose; two choices are none."""
    values = [one.get("value") for one in _list(annotation.get("result")) if isinstance(one, dict)]
    chosen = [choice for value in values if isinstance(value, dict) for choice in _list(value.get("choices"))]
    return chosen[0] if len(chosen) == 1 else chosen or None


def _of_csv(file: Path, data: bytes) -> Iterator[tuple[str, Mapping[str, Any], str | None]]:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise SourceError(f"{file}: is not UTF-8; save it as CSV in UTF-8") from None
    csv.field_size_limit(sys.maxsize)
    head = text[: text.find("\n")]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count))
    try:
        if lost := {*_TEXTS, "order", "choice"} - set(reader.fieldnames or ()):
            raise SourceError(f"{file}: has no column {sorted(lost)[0]!r}; give {_FORMS}")
        for number, row in enumerate(reader, 2):
            annotator = row.get("annotator") or ""
            person = row.get("reviewer") or (int(annotator[:18]) if annotator.isdecimal() else annotator)
            yield f"row {number}", row, _person(person, row.get("draw_id"), f"page {row.get('page')}")
    except csv.Error as error:
        raise SourceError(f"{file}: is damaged: {error}") from None


def _person(name: Any, draw_id: Any, otherwise: Any = None) -> str:
    """Return the id of a person: by a name, wherever it stands, else by what tells people apart within a draw."""
    if isinstance(name, dict):
        name = name.get("email") or name.get("username") or name.get("id")
    if isinstance(name, int) and not isinstance(name, bool):
        return reviewer_id("label studio", _short(draw_id), str(name))
    text = name.strip() if isinstance(name, str) else ""
    return reviewer_id(_short(text)) if text else reviewer_id(_short(draw_id), _short(otherwise))


def _short(value: Any) -> str:
    return clean_text(str(value)[:_LONGEST])


def _row(raw: Mapping[str, Any], reviewer: str | None) -> Row:
    """Return a row as it is kept. Raises ValueError with the reason."""
    for name in _TEXTS:
        if (
            not isinstance(raw.get(name), str)
            or not 0 < len(raw[name]) <= _LONGEST
            or clean_text(raw[name]) != raw[name]
        ):
            raise ValueError(f"no {name}")
    order = _order(raw.get("order"))
    choice, position = _choice(raw.get("choice"), len(order))
    return {
        **{name: raw[name] for name in _TEXTS},
        "order": order,
        "stratum": _count(raw.get("stratum"), "stratum"),
        "stratum_size": _count(raw.get("stratum_size"), "stratum_size"),
        "reviewer": reviewer if choice else None,
        "choice": choice,
        "position": position,
        "at": _time(raw.get("at") or raw.get("updated_at")) if choice else None,
        "after_label": raw.get("after_label") is True,
    }


def _order(value: Any) -> list[int]:
    parts = (value.split() if isinstance(value, str) else _list(value))[: _MOST_RESPONSES + 1]
    order = [int(part) for part in parts if type(part) is int or (isinstance(part, str) and part.isdecimal())]
    if not order or len(order) < len(parts) or sorted(order) != list(range(len(order))):
        raise ValueError("order is not one of all its responses")
    return order


def _choice(value: Any, n_responses: int) -> tuple[Choice | None, int | None]:
    """Return what was found, and the position from 0; of a single response 1 for right, 0 for wrong."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None, None
    word = " ".join(str(value).replace("_", " ").casefold().split()).removeprefix("response ").removesuffix(".0")
    if n_responses == 1:
        word = {"1": "right", "2": "wrong", "0": "wrong"}.get(word, word)
    known = _KNOWN.get(word)
    if known is Choice.CANNOT_TELL:
        return known, None
    if n_responses == 1 and known is Choice.RESPONSE:
        return known, int(word == "right")
    if n_responses > 1 and known is Choice.TIE:
        return known, None
    if n_responses > 1 and word.isascii() and word.isdecimal() and 1 <= int(word[:6]) <= n_responses:
        return Choice.RESPONSE, int(word) - 1
    ways = "right, wrong" if n_responses == 1 else f"1 to {n_responses}, tie"
    raise ValueError(f"unknown choice: {word[:40]!r}, of {ways} and cannot tell")


def _count(value: Any, name: str) -> int:
    try:
        count = int(float(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else 0
    except (ValueError, OverflowError):
        count = 0
    if not 0 < count < 2**31:
        raise ValueError(f"{name} is not a count")
    return count


def _time(value: Any) -> datetime | None:
    """Return when an answer was given; None where the file does not say it, or no calendar has it."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
        return time and (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
