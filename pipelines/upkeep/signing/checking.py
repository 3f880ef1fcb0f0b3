"""A file compared with benchmarks, as a build would compare it: which rows would be dropped, and which marked."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.curation.contamination.comparing import compared
from pipelines.curation.contamination.index import Index, index_of
from pipelines.curation.contamination.signatures import known_signatures, read_signature, shipped_signatures
from pipelines.sources.files import open_files
from pipelines.sources.preference_sets import unlabelled
from pipelines.sources.text import Row, RowError
from pipelines.upkeep.signing.asked import fields_of
from pipelines.upkeep.signing.asking import WELL_KNOWN, Fields, conversations_in
from pipelines.upkeep.signing.rows import ANY_FILE, rows_in
from schemas.errors import SourceError
from schemas.preference import UnreadableRow
from schemas.recipe import DecontaminateSection, SourceSection
from storage.root import Root

_AT_ONCE = 4_096
"""Rows that are compared at a time."""


@dataclass(frozen=True, slots=True)
class FoundHit:
    """A row that a build would not take as it is."""

    location: str
    """The file's name, and the number of the row from 1."""
    row: int
    tier: str
    """drop or mark."""
    benchmark: str
    benchmark_row: str
    """Hash of the benchmark's row."""
    overlap: float


@dataclass(frozen=True)
class Checked:
    """A file that was compared."""

    rows: int
    hits: list[FoundHit]
    unreadable: int
    first_unreadable: str
    benchmarks: list[str]

    def as_json(self) -> dict[str, Any]:
        tiers = Counter(hit.tier for hit in self.hits)
        return {
            "rows": self.rows,
            "drop": tiers["drop"],
            "mark": tiers["mark"],
            "unreadable": self.unreadable,
            "benchmarks": self.benchmarks,
            "hits": [asdict(hit) for hit in self.hits],
        }


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A row as it is compared."""

    location: str
    messages: list[str]
    """What it asks, a turn each."""
    responses: list[str]
    """All else that it says."""

    @property
    def number(self) -> int:
        return int(self.location.rpartition(":")[2])


def checked(root: Root | None, file: Path, fields: Fields = ()) -> Checked:
    """Compare the rows of a file with all signatures of a root, or with those that ship, by a recipe's defaults.

    Raises SourceError where the file cannot be read, or no field is known to ask something, and StorageError for a
    damaged signature.
    """
    paths = shipped_signatures() if root is None else known_signatures(root)
    rules = DecontaminateSection()
    index = index_of([read_signature(path) for path in paths.values()], rules.shingles, rules.similarity)
    rows, hits, faults = 0, list[FoundHit](), list[str]()
    waiting: list[_Candidate] = []
    for found in _candidates(file, fields):
        rows += 1
        if isinstance(found, UnreadableRow):
            faults.append(f"{found.source_id}: {found.detail}")
            continue
        waiting.append(found)
        if len(waiting) == _AT_ONCE:
            hits += _hits(index, waiting)
            waiting.clear()
    hits += _hits(index, waiting)
    return Checked(rows, hits, len(faults), faults[0] if faults else "", list(paths))


def _candidates(file: Path, fields: Fields) -> Iterator[_Candidate | UnreadableRow]:
    if not file.exists():
        raise SourceError(f"{file}: no such file or directory")
    files = open_files(SourceSection(kind="signatures check", path=str(file)), "", ANY_FILE, Path())
    for location, row in rows_in(files):
        if isinstance(row, UnreadableRow):
            yield row
            continue
        try:
            yield (None if fields else _as_a_set(row, location)) or _as_any_row(row, location, fields)
        except RowError as error:
            yield error.row(location)


def _as_a_set(row: Row, location: str) -> _Candidate | None:
    """Return a row as the source `preference_sets` reads it; None where it is of another kind."""
    try:
        query, responses = unlabelled(row)
    except RowError:
        return None
    parts = ((response.text, response.reasoning, response.turns) for response in responses)
    return _Candidate(location, [turn.content for turn in query], ["\n".join(filter(None, part)) for part in parts])


def _as_any_row(row: Row, location: str, named: Fields) -> _Candidate:
    """Return what a row asks, and all its other texts. Raises RowError, and SourceError where no field asks."""
    fields = fields_of(row, [named] if named else list(WELL_KNOWN), location, named)
    turns = [turn.content for conversation in conversations_in(row, fields) for turn in conversation]
    return _Candidate(location, turns, [text for text in _texts(row) if text not in turns])


def _texts(value: Any) -> Iterator[str]:
    """Yield every text of a value, at any depth."""
    left = [value]
    while left:
        part = left.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict | list):
            left.extend(part.values() if isinstance(part, dict) else part)


def _hits(index: Index, rows: Sequence[_Candidate]) -> list[FoundHit]:
    texts = pa.list_(pa.string())
    queries = pa.array([row.messages for row in rows], texts)
    found = compared(index, queries, pa.array([row.responses for row in rows], texts))
    return [
        FoundHit(rows[row].location, rows[row].number, tier, benchmark, benchmark_row, round(overlap, 4))
        for row, tier, benchmark, benchmark_row, overlap in found.iter_rows()
    ]
