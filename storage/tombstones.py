"""Tombstones: what was forgotten under a root, so that no build brings it back. No text of the data is in them.

forgotten/<id>.json   {"format": 1, "kind": "set", "name": "7c1f..", "at": "2026-11-20T19:00:00Z", ..}
"""

import shlex
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import SourceError, StorageError
from schemas.record import FORMAT, canonical_json, content_id
from storage.root import Root

FOLDER = "forgotten"


Kind = Literal["source", "set", "query"]
"""What was forgotten."""


class Tombstone(BaseModel):
    """One thing that was forgotten."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    format: int = FORMAT
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
    def key(self) -> str:
        return tombstone_key(self.kind, self.name)

    @property
    def words(self) -> str:
        """When and why, as messages say it."""
        return f"forgotten on {self.at[:10]}" + (f" ({self.reason})" if self.reason else "")


class Forgotten:
    """All that is forgotten under a root, as ingestion asks for it; `where` is how messages name the root."""

    def __init__(self, tombstones: Iterable[Tombstone], where: str) -> None:
        self._where = where
        self._sources: dict[str, Tombstone] = {}
        self._ids: dict[str, Tombstone] = {}
        for one in tombstones:
            if one.kind == "source":
                self._sources[one.name] = one
            self._ids |= dict.fromkeys((*one.sets, *one.queries), one)

    @property
    def ids(self) -> list[str]:
        """Sets and queries that no row may bring back, ascending."""
        return sorted(self._ids)

    def row(self, *ids: str) -> Tombstone | None:
        """Return why a row with one of these ids (its set's, its query's) may not come back; None where it may."""
        return next((self._ids[one] for one in ids if one in self._ids), None)

    def check_sources(self, names: Iterable[str]) -> None:
        """Raise SourceError for the first of these sources that was forgotten."""
        for name in names:
            if one := self._sources.get(name):
                raise SourceError(
                    f"{name}: this source was {one.words} under this root; take it out of the recipe, or allow it "
                    f"again: grmforge forget {shlex.quote(name)} --undo --root {shlex.quote(self._where)} --yes"
                )


def tombstone_key(kind: str, name: str) -> str:
    return f"{FOLDER}/{content_id('source', name) if kind == 'source' else name}.json"


def now() -> str:
    """Return this second in UTC, as tombstones have it."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def forgotten(root: Root) -> Forgotten:
    """Return what a root has forgotten."""
    return Forgotten(tombstones(root), root.where())


def tombstones(root: Root) -> list[Tombstone]:
    """Return every tombstone. Raises StorageError for one that cannot be read: nobody knows what it forbids."""
    return [_read(root, f"{FOLDER}/{name}") for name in root.names(FOLDER, ".json")]


def find_tombstone(root: Root, name: str) -> Tombstone | None:
    """Return the tombstone of a source or an id."""
    return next((one for one in tombstones(root) if one.name == name), None)


def put_tombstone(root: Root, tombstone: Tombstone, **changes: Any) -> Tombstone:
    """Write a tombstone, and return it."""
    changed = tombstone.model_copy(update=changes)
    root.write(changed.key, canonical_json(changed.model_dump(mode="json")))
    return changed


def lift_tombstone(root: Root, tombstone: Tombstone) -> None:
    """Let what was forgotten come back with the next build that reads it."""
    root.remove(tombstone.key)


def _read(root: Root, key: str) -> Tombstone:
    try:
        tree = orjson.loads(root.read(key))
        if tree["format"] > FORMAT:
            raise StorageError(f"{root.where(key)}: written in format {tree['format']}: upgrade grmforge")
        return Tombstone.model_validate(tree)
    except (orjson.JSONDecodeError, ValidationError, KeyError, TypeError) as error:
        raise StorageError(
            f"{root.where(key)} cannot be read ({type(error).__name__}); it names something that must not come back: "
            "mend it, or remove it once you know what it was"
        ) from None
