"""What the tests of the sources share: small files on disk, read as a build reads them."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipelines.sources.files import open_files
from pipelines.sources.registry import SOURCES
from schemas.preference import PreferenceSet, UnreadableRow
from schemas.recipe import SOURCE_KINDS


def json_lines(rows: Iterable[Any]) -> bytes:
    """Return rows as JSONL; bytes stand for themselves, as a line."""
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)


def read_source(path: Path, kind: str, **settings: Any) -> list[PreferenceSet | UnreadableRow]:
    """Return everything that a source of the kind reads from a local path."""
    section = SOURCE_KINDS[kind].model_validate({"kind": kind, "path": str(path), **settings})
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
