"""Forgetting: a source whose licence was withdrawn, a set that a person wants gone, and all that was made of it.

    search -> tombstone -> answers -> imported answers -> batches -> rubrics -> versions, if asked -> stages

The tombstone comes first: from then on no build brings it back. Killed at any moment, the same request goes on where it
stopped, since what tells which ids belong to a source goes last. A build that runs meanwhile may take something up
again; the same request, made once more, removes that too.
"""

from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from pipelines.reporting.attention import missing_sets
from pipelines.upkeep.concerned import Concerned, concerned_again, concerned_by_id, concerned_by_source
from pipelines.upkeep.findings import Findings, Place, VersionRows, search
from schemas.errors import RecipeError, StorageError
from storage.evaluations import remove_evaluation
from storage.generations import Generations
from storage.journal import segments
from storage.leases import held as held_leases
from storage.origins import origin_files, read_origins
from storage.root import Root, write_record
from storage.snapshot_upkeep import remove_comparisons, remove_version, unpin
from storage.snapshots import drop_latest, every_snapshot, set_latest
from storage.tables import take_out
from storage.tombstones import Kind, Tombstone, find_tombstone, now


@dataclass(frozen=True)
class Request:
    """What is to be forgotten."""

    tombstone: Tombstone
    concerned: Concerned
    is_repeated: bool
    """Whether an earlier request was made for it."""


@dataclass(frozen=True)
class Forgotten:
    """What came of it."""

    request: Request
    findings: Findings
    removed_versions: tuple[str, ...] = ()
    latest: tuple[str, ...] = ()
    """What became of LATEST, a sentence each."""

    def as_json(self) -> dict[str, Any]:
        tombstone, concerned = self.request.tombstone, self.findings.concerned
        return {
            **tombstone.model_dump(mode="json", include={"kind", "name", "at", "reason", "finished_at"}),
            "sets": len(concerned.sets),
            "queries": len(concerned.queries),
            "shared_queries": len(concerned.shared),
            "answers": dict(sorted(self.findings.roles.items())),
            "parts": [part.as_json() for part in self.findings.parts],
            "versions": [version.as_json() for version in self.findings.versions],
            "removed_versions": self.removed_versions,
            "latest": self.latest,
        }


def request_to_forget(root: Root, name: str, reason: str | None = None) -> Request:
    """Return what a name or an id means here; nothing is changed yet.

    Raises RecipeError for a name that nothing here has, unless it was forgotten before.
    """
    earlier = find_tombstone(root, name)
    origins = read_origins(root)
    try:
        concerned, kind = _concerned(origins, name)
    except RecipeError:
        if earlier is None:
            raise
        return Request(earlier, concerned_again(earlier), True)
    sets = (name,) if kind == "set" and not concerned.blocked else ()
    queries = tuple(sorted(concerned.blocked))
    if earlier is None:
        tombstone = Tombstone(kind=kind, name=name, at=now(), reason=reason, sets=sets, queries=queries)
        return Request(tombstone, concerned, False)
    changes = {"queries": tuple(sorted({*earlier.queries, *queries})), "sets": earlier.sets or sets}
    return Request(earlier.model_copy(update=changes), concerned, True)


def _concerned(origins: pl.DataFrame, name: str) -> tuple[Concerned, Kind]:
    if len(name) == 32 and not set(name) - set("0123456789abcdef") and not origins.filter(source=name).height:
        return concerned_by_id(origins, name), "set" if origins.filter(set_id=name).height else "query"
    return concerned_by_source(origins, name), "source"


def look(root: Root, request: Request) -> Forgotten:
    """Return what would go; journals of runs that have ended are folded, as any build does."""
    Generations(root).check()
    return Forgotten(request, search(root, request.concerned))


def forget(root: Root, request: Request, *, remove_versions: bool = False) -> Forgotten:
    """Forget it. Raises StorageError where another run is at work, and where a file cannot be written or removed."""
    Generations(root).check()
    if working := held_leases(root):
        raise StorageError(
            f"a refresh is at work: {working[0].in_words()}; stop it or wait until it ends, then run again. Its lease "
            f"ends at {working[0].expires_at} unless it renews it: if it was killed, wait until then"
        )
    if root.is_local and (busy := segments(root)):
        raise StorageError(
            f"{root.where(busy[0])}: another run is writing answers; stop it or wait until it ends, then run again"
        )
    tombstone = write_record(root, request.tombstone, finished_at=None)
    findings = search(root, request.concerned)
    for part in (part for part in findings.parts if part.place not in (Place.STAGE, Place.ORIGINS)):
        part.remove()
    removed, moved = _remove_versions(root, findings.versions) if remove_versions else ((), ())
    for part in (part for part in findings.parts if part.place is Place.STAGE):
        part.remove()
    for key in origin_files(root):  # those of the stages that have just gone, too
        take_out(root, key, findings.concerned.origins, keep="name")
    finished = write_record(root, tombstone, finished_at=now())
    return Forgotten(replace(request, tombstone=finished), findings, removed, moved)


def undo(root: Root, name: str) -> Tombstone:
    """Let it come back with the next build. Raises RecipeError where nothing of that name was forgotten."""
    tombstone = forgotten_before(root, name)
    root.remove(tombstone.file_key)
    return tombstone


def forgotten_before(root: Root, name: str) -> Tombstone:
    """Return what was forgotten by this name. Raises RecipeError where nothing was."""
    if (tombstone := find_tombstone(root, name)) is None:
        raise RecipeError(f"{name!r} was not forgotten under {root.where()}")
    return tombstone


def _remove_versions(root: Root, versions: tuple[VersionRows, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Remove published versions, pinned ones too, LATEST moved first; return their names, and what became of LATEST."""
    moved = []
    for held in versions:
        if held.is_evaluation:
            remove_evaluation(root, held.name, held.version)
            continue
        if held.is_latest:
            removed = {other.version for other in versions if other.name == held.name and not other.is_evaluation}
            moved.append(_moved_back(root, held, removed))
        unpin(root, held.name, held.version)
        if not remove_version(root, held.name, held.version):
            raise StorageError(f"LATEST was moved to {held.name}@{held.version} meanwhile; run the same command again")
        remove_comparisons(root, held.name, [held.version])
    return tuple(f"{held.name}@{held.version}" for held in versions), tuple(moved)


def _moved_back(root: Root, last: VersionRows, removed: set[str]) -> str:
    """Move LATEST to a version that holds every set and stays, the newest older one if there is any; else drop it."""
    manifests = [snapshot.manifest for snapshot in every_snapshot(root) if snapshot.manifest.name == last.name]
    if not (left := {manifest.version for manifest in manifests if not missing_sets(manifest)} - removed):
        drop_latest(root, last.name)
        return f"{last.name}: LATEST is gone, since no version stays that holds every set; build again"
    chosen = max(left, key=lambda version: (version < last.version, version))
    set_latest(root, last.name, chosen)
    return f"{last.name}: LATEST is now {chosen}"
