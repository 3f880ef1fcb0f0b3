"""Tombstones: what was forgotten under a root, so that no build brings it back. No text of the data is in them.

forgotten/<id>.json   {"format": 1, "kind": "set", "name": "7c1f..", "at": "2026-11-20T19:00:00Z", ..}
"""

import shlex
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal

from schemas.errors import SourceError
from schemas.record import content_id
from storage.root import KeptRecord, Root, read_record

FOLDER = "forgotten"

Kind = Literal["source", "set", "query"]
"""What was forgotten."""


class Tombstone(KeptRecord):
    """One thing that was forgotten."""

    kind: Kind
    name: str
    """The source's name, the set_id or the query_id."""
    at: str
    """When, in UTC."""
    reason: str | None = None
    """As its author gave it."""
    sets: tuple[str, ...] = ()
    """Sets that no source may bring back."""
    queries: tuple[str, ...] = ()
    """Questions, and queries with all their sets, that no source may bring back."""
    finished_at: str | None = None
    """None while something of it may be left under the root."""

    @property
    def file_key(self) -> str:
        return f"{FOLDER}/{content_id('source', self.name) if self.kind == 'source' else self.name}.json"

    @property
    def words(self) -> str:
        """When and why, as messages say it."""
        return f"forgotten on {self.at[:10]}" + (f" ({self.reason})" if self.reason else "")


class Forgotten:
    """All that is forgotten under a root, as ingestion asks for it; `where` is how messages name the root."""

    def __init__(self, tombstones: Sequence[Tombstone], where: str) -> None:
        self._where = where
        self._sources = {tombstone.name: tombstone for tombstone in tombstones if tombstone.kind == "source"}
        self._ids = {row_id: stone for stone in tombstones for row_id in (*stone.sets, *stone.queries)}

    @property
    def ids(self) -> list[str]:
        """Sets and queries that no row may bring back, ascending."""
        return sorted(self._ids)

    def row(self, *ids: str) -> Tombstone | None:
        """Return why a row with one of these ids (its set's, its query's) may not come back; None where it may."""
        return next((self._ids[row_id] for row_id in ids if row_id in self._ids), None)

    def source(self, name: str) -> Tombstone | None:
        """Return why no row of a source may come back; None where it may."""
        return self._sources.get(name)

    def check_sources(self, names: Iterable[str]) -> None:
        """Raise SourceError for the first of these sources that was forgotten."""
        for name in names:
            if tombstone := self._sources.get(name):
                raise SourceError(
                    f"{name}: this source was {tombstone.words} under this root; take it out of the recipe, or allow "
                    f"it again: grmforge forget {shlex.quote(name)} --undo --root {shlex.quote(self._where)} --yes"
                )


def now() -> str:
    """Return this second in UTC, as tombstones have it."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def forgotten(root: Root) -> Forgotten:
    """Return what a root has forgotten."""
    return Forgotten(tombstones(root), root.where())


def tombstones(root: Root) -> list[Tombstone]:
    """Return every tombstone. Raises StorageError for one that cannot be read: nobody knows what it forbids."""
    way_out = "it names something that must not come back: mend it, or remove it once you know what it was"
    return [read_record(root, f"{FOLDER}/{name}", Tombstone, way_out) for name in root.names(FOLDER, ".json")]


def find_tombstone(root: Root, name: str) -> Tombstone | None:
    """Return the tombstone of a source or an id."""
    return next((tombstone for tombstone in tombstones(root) if tombstone.name == name), None)
