"""What is opened: a root with its versions, one of them, and what of it is held in memory."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pipelines.exploring.choosing import Choice, Chosen
from pipelines.exploring.columns import Columns
from pipelines.exploring.tables import STATUS, View, views_of
from schemas.errors import StorageError
from storage import evaluations, snapshots
from storage.evaluations import Evaluation
from storage.root import Root
from storage.snapshots import Snapshot
from storage.versions import find_version

Version = Snapshot | Evaluation
Made = TypeVar("Made")

_CHOICES_HELD = 24
_VERSIONS_HELD = 2
_FIRST_COLUMNS = ("trajectory_id", "set_id", "reject_reason", "agreement")
"""Columns that are loaded ahead beside those that a table shows at first."""


class Removed(StorageError):
    """The version was removed after it had been opened."""


@dataclass
class Opened:
    """A version, with what of it is held."""

    version: Version
    pool: ThreadPoolExecutor = field(repr=False)
    """Its threads search texts."""

    def __post_init__(self) -> None:
        self.views: dict[str, View] = views_of(self.version)
        self._columns = {name: Columns(view, self._path_of) for name, view in self.views.items()}
        self._chosen: OrderedDict[str, Chosen] = OrderedDict()
        self._made: dict[str, Any] = {}
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return f"{self.version.manifest.name}@{self.version.manifest.version}"

    @property
    def is_evaluation(self) -> bool:
        return isinstance(self.version, Evaluation)

    def _path_of(self, path: str) -> Any:
        return self.version.root.at(f"{self.version.key}/{path}")

    def check(self) -> None:
        """Raise Removed where the version is not there any more."""
        if not self.version.root.exists(f"{self.version.key}/manifest.json"):
            raise Removed(f"{self.name} was removed while it was open; choose another version in the list of all")

    def columns(self, table: str) -> Columns:
        """Return a table's columns. Raises StorageError that lists the tables that there are."""
        if table not in self._columns:
            raise StorageError(f"{self.name} has no table {table!r}; it has: {', '.join(self._columns)}")
        return self._columns[table]

    def chosen(self, table: str, choice: Choice) -> Chosen:
        """Return the rows of a choice, as far as they were found before."""
        key = f"{table} {choice.key}"
        with self._lock:
            found = self._chosen.get(key)
        if found is None or found.is_broken:
            found = Chosen(self.columns(table), choice, self.pool)
        with self._lock:
            self._chosen[key] = found
            self._chosen.move_to_end(key)
            while len(self._chosen) > _CHOICES_HELD:
                self._chosen.popitem(last=False)
        return found

    def once(self, what: str, make: Callable[[], Made]) -> Made:
        """Return what is made of the version alone, and so made but once."""
        if what not in self._made:
            self._made[what] = make()
        made: Made = self._made[what]
        return made

    def load_ahead(self) -> None:
        """Load the columns that a first look filters and sorts by. Raises StorageError."""
        for table in list(self.views)[:2]:
            columns = self._columns[table]
            for name in (*_FIRST_COLUMNS, *columns.view.default):
                if name in columns.view.by_name and columns.view.by_name[name].kind not in ("text", "list"):
                    columns.held(name)


class Explorer:
    """A root, the version that was opened, and the versions that are held."""

    def __init__(self, root: Root | None, opened: Version | None) -> None:
        self.root = root
        self.opened = opened
        self._pool = ThreadPoolExecutor(2, "searching")
        self._held: OrderedDict[str, Opened] = OrderedDict()
        self._lock = threading.Lock()

    def version(self, name: str | None) -> Opened:
        """Return a version by its name@version, else the opened one. Raises StorageError, and Removed."""
        if name is None:
            if self.opened is None:
                raise StorageError("no version is opened; add v=NAME@VERSION, one of those that /api/opened lists")
            name = name_of(self.opened)
        with self._lock:
            held = self._held.get(name)
        if held is None:
            opened = self.opened
            is_own = opened is not None and name == name_of(opened)
            held = Opened(opened if opened and is_own else self._find(name), self._pool)
        held.check()
        with self._lock:
            held = self._held.setdefault(held.name, held)  # a bare name means another version tomorrow
            self._held.move_to_end(held.name)
            while len(self._held) > _VERSIONS_HELD:
                self._held.popitem(last=False)
        return held

    def _find(self, name: str) -> Version:
        if self.root is None or "/" in name or "\0" in name or not _fit(name):
            raise StorageError(f"{name[:200]!r} is no version of what is opened")
        return find_version(self.root, name)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _fit(name: str) -> bool:
    """Return whether folders can be called so: of 255 bytes at most."""
    return all(len(part.encode(errors="replace")) <= 255 for part in name.split("@"))


def name_of(version: Version) -> str:
    return f"{version.manifest.name}@{version.manifest.version}"


def opened_answer(explorer: Explorer, version: str | None) -> dict[str, Any]:
    """Return what there is: all versions under the root, and the tables of the one that is opened."""
    root, fault = explorer.root, None
    try:
        opened = explorer.version(version) if version or explorer.opened is not None else None
    except Removed as error:
        if version:
            raise
        opened, fault = None, str(error)  # the others are still there
    return {
        "root": root.where() if root else None,
        "snapshots": listed(root, False) if root else [],
        "evaluations": listed(root, True) if root else [],
        "opened": opened.name if opened else None,
        "fault": fault,
        "kind": None if opened is None else "evaluation" if opened.is_evaluation else "snapshot",
        "created_at": opened.version.manifest.created_at if opened else None,
        "location": opened.version.location if opened else None,
        "tables": {name: _described(opened.columns(name)) for name in opened.views} if opened else {},
    }


def _described(columns: Columns) -> dict[str, Any]:
    view = columns.view
    return {
        "rows": view.rows,
        "id": view.id,
        "default_columns": view.default,
        "facets": view.facets,
        "words": view.texts,
        "label": view.name.replace("_", " "),
        "columns": [
            {
                "name": column.name,
                "type": column.words,
                "kind": column.kind,
                "meaning": column.meaning,
                "choices": list(dict.fromkeys(shard.status for shard in view.shards))
                if column.name == STATUS
                else None,
            }
            for column in view.columns
        ],
    }


def listed(root: Root, evaluations_wanted: bool) -> list[dict[str, Any]]:
    """Return all versions of one kind under a root, the newest of a name first; of one that cannot be read, why."""
    return list(_evaluations(root) if evaluations_wanted else _snapshots(root))


def _snapshots(root: Root) -> Iterator[dict[str, Any]]:
    for name in root.folders(snapshots.FOLDER):
        latest = snapshots.latest(root, name)
        for version in reversed(snapshots.versions(root, name)):
            try:
                manifest = snapshots.snapshot_at(root, f"{snapshots.FOLDER}/{name}/{version}").manifest
            except StorageError as error:
                yield {"name": name, "version": version, "fault": str(error)}
                continue
            rows = {table: entry.rows for table, entry in manifest.tables.items()}
            yield {
                "name": name,
                "version": version,
                "latest": version == latest,
                "created_at": manifest.created_at,
                "sets": rows.get("sets/kept", 0),
                "accepted": rows.get("trajectories/accepted", 0),
                "rejected": rows.get("trajectories/rejected", 0),
                "rows": rows,
            }
        for version in snapshots.unfinished(root, name):
            fault = "it has no manifest.json: it is still being written, or was never whole"
            yield {"name": name, "version": version, "fault": fault}


def _evaluations(root: Root) -> Iterator[dict[str, Any]]:
    for name in root.folders(evaluations.FOLDER):
        for version in reversed(evaluations.versions(root, name)):
            try:
                manifest = evaluations.evaluation_at(root, f"{evaluations.FOLDER}/{name}/{version}").manifest
            except StorageError as error:
                yield {"name": name, "version": version, "fault": str(error)}
                continue
            yield {
                "name": name,
                "version": version,
                "created_at": manifest.created_at,
                "judge": manifest.judge_name,
                "benchmarks": [entry.name for entry in manifest.benchmarks],
                "items": sum(entry.items for entry in manifest.benchmarks),
            }
