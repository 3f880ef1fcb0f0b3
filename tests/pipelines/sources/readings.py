"""What the tests of the sources share: small files on disk, read as a build reads them."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipelines.sources.files import open_files
from pipelines.sources.registry import SOURCES
from schemas.preference import PreferenceSet, UnreadableRow
from schemas.question import Question


def json_lines(rows: Iterable[Any]) -> bytes:
    """Return rows as JSONL; bytes stand for themselves, as a line."""
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)


def read_source(path: Path, kind: str, **settings: Any) -> list[PreferenceSet | UnreadableRow]:
    """Return everything that a source of sets reads from a local path."""
    found = read_any(path, kind, **settings)
    assert not any(isinstance(row, Question) for row in found)
    return found


def read_questions(path: Path, kind: str, **settings: Any) -> list[Question | UnreadableRow]:
    """Return everything that a source of questions reads from a local path."""
    found = read_any(path, kind, **settings)
    assert not any(isinstance(row, PreferenceSet) for row in found)
    return found


def read_any(path: Path, kind: str, **settings: Any) -> list[Any]:
    """Return everything that a source of the kind reads from a local path."""
    section = SOURCES[kind].section.model_validate({"kind": kind, "path": str(path), **settings})
    facts = SOURCES[kind]
    return list(facts.read(section, open_files(section, facts.hub, facts.patterns, Path("unused"))))


def read_rows(directory: Path, kind: str, rows: Iterable[Any], **settings: Any) -> list[PreferenceSet | UnreadableRow]:
    """Return everything that a source of the kind reads from these rows as `train.jsonl.gz`."""
    path = directory / "train.jsonl.gz"
    path.write_bytes(gzip.compress(json_lines(rows)))
    return read_source(path, kind, **settings)


def one_set(directory: Path, kind: str, rows: Iterable[Any], **settings: Any) -> PreferenceSet:
    """Return the one set that comes of these rows."""
    (found,) = read_rows(directory, kind, rows, **settings)
    assert isinstance(found, PreferenceSet), found
    return found


def one_unreadable(directory: Path, kind: str, rows: Iterable[Any], **settings: Any) -> UnreadableRow:
    """Return the one unreadable row that comes of these rows."""
    (found,) = read_rows(directory, kind, rows, **settings)
    assert isinstance(found, UnreadableRow), found
    assert "\n" not in found.detail
    return found


def best_text(found: PreferenceSet) -> str | None:
    """Return the text of the best response."""
    return None if found.best is None else found.responses[found.best].text


def one_question(directory: Path, kind: str, row: Any, name: str = "train.jsonl", **settings: Any) -> Question:
    """Return the question that comes of this row, in a file of this name."""
    (directory / name).write_bytes(json_lines([row]))
    (found,) = read_questions(directory / name, kind, **settings)
    assert isinstance(found, Question), found
    return found


def reason_of(directory: Path, kind: str, row: Any, **settings: Any) -> str | None:
    """Return why this row is unreadable, or why what comes of it is dropped; None where it is kept."""
    (directory / "rows.jsonl").write_bytes(json_lines([row]))
    (found,) = read_any(directory / "rows.jsonl", kind, **settings)
    return found.reason if isinstance(found, UnreadableRow) else found.drop_reason
