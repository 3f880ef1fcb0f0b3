"""Forgetting: a source whose licence was withdrawn, a set that a person wants gone, and all that was made of it.

    search -> tombstone -> answers -> imported answers -> batches -> rubrics -> versions, if asked -> stages

The tombstone comes first: from then on no build brings it back. Killed at any moment, the same request goes on where it
stopped, since what tells which ids belong to a source goes last. What was taken up again by a build that ran meanwhile
goes when the request is made once more.
"""

from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from pipelines.upkeep.concerned import (
    Concerned,
    among,
    concerned_again,
    concerned_by_id,
    concerned_by_source,
)
from pipelines.upkeep.findings import (
    Finding,
    Findings,
    Place,
    VersionRows,
    search,
)
from pipelines.upkeep.rules import of_answers, of_given, of_imported, of_origins
from schemas.errors import RecipeError, StorageError
from schemas.manifest import Manifest
from storage.answer_files import write_answers
from storage.generations import Generations
from storage.journal import segments
from storage.leases import held
from storage.milvus import check_unlocked
from storage.origins import origin_files, read_origins, remember_origins
from storage.root import Root
from storage.row_removal import Goes, take_out
from storage.snapshot_upkeep import remove_comparisons, remove_version, unpin
from storage.snapshots import drop_latest, every_snapshot, set_latest
from storage.temporary_files import remove_here
from storage.tombstones import Kind, Tombstone, find_tombstone, lift_tombstone, now, put_tombstone


@dataclass(frozen=True)
class Request:
    """What is to be forgotten."""

    tombstone: Tombstone
    concerned: Concerned
    is_repeated: bool
    """Whether it was asked for before."""


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
    made = Tombstone(
        kind=kind,
        name=name,
        at=now(),
        reason=reason,
        sets=sets,
        queries=tuple(sorted(concerned.blocked)),
    )
    if earlier is None:
        return Request(made, concerned, False)
    queries = tuple(sorted({*earlier.queries, *made.queries}))
    return Request(earlier.model_copy(update={"queries": queries, "sets": earlier.sets or sets}), concerned, True)


def _concerned(origins: pl.DataFrame, name: str) -> tuple[Concerned, Kind]:
    if origins.filter(source=name).height:
        return concerned_by_source(origins, name), "source"
    if len(name) == 32 and not set(name) - set("0123456789abcdef"):
        return concerned_by_id(origins, name), "set" if origins.filter(set_id=name).height else "query"
    return concerned_by_source(origins, name), "source"


def look(root: Root, request: Request) -> Forgotten:
    """Return what would go; journals of runs that have ended are folded, as any build does."""
    Generations(root).check()
    return Forgotten(request, search(root, request.concerned))


def forget(root: Root, request: Request, *, remove_versions: bool = False) -> Forgotten:
    """Forget it. Raises StorageError where another run is at work, and where a file cannot be written or removed."""
    Generations(root).check()
    if working := held(root):
        raise StorageError(
            f"a refresh is at work: {working[0].in_words()}; stop it or wait until it ends, then run again. Its lease "
            f"ends at {working[0].expires_at} unless it renews it: if it was killed, wait until then"
        )
    if root.is_local and (busy := segments(root)):
        raise StorageError(
            f"{root.where(busy[0])}: another run is writing answers; stop it or wait until it ends, then run again"
        )
    tombstone = put_tombstone(root, request.tombstone, finished_at=None)
    findings = search(root, request.concerned)
    rules = _rules(findings)
    stages = [part for part in findings.parts if part.place is Place.STAGE]
    for part in findings.parts:
        if part.place not in (Place.STAGE, Place.ORIGINS):
            _remove(root, part, rules)
    gone, moved = _remove_versions(root, findings.versions) if remove_versions else ((), ())
    for part in stages:
        _remove(root, part, rules)
    _tidy_origins(root, findings.concerned)
    finished = put_tombstone(root, tombstone, finished_at=now())
    return Forgotten(replace(request, tombstone=finished), findings, gone, moved)


def undo(root: Root, name: str) -> Tombstone:
    """Let it come back with the next build. Raises RecipeError where nothing of that name was forgotten."""
    found = find_tombstone(root, name)
    if found is None:
        raise RecipeError(f"{name!r} was not forgotten under {root.where()}")
    lift_tombstone(root, found)
    return found


def _rules(findings: Findings) -> dict[Place, Goes]:
    concerned = findings.concerned
    return {
        Place.ANSWERS: of_answers(concerned, findings.kept),
        Place.BATCH: of_answers(concerned, findings.kept),
        Place.IMPORTED: of_imported(findings.prompts),
        Place.RUBRICS: lambda table: among(table.column("rubric_id"), concerned.rubrics),
        Place.GIVEN: of_given(concerned),
    }


def _remove(root: Root, part: Finding, rules: dict[Place, Goes]) -> None:
    """Remove one part: rows, or all of it."""
    key = part.key
    match part.place:
        case Place.ANSWERS:
            take_out(root, key, rules[part.place], write=write_answers)
        case Place.BATCH:
            take_out(root, key, rules[part.place], in_place=True)
        case Place.IMPORTED | Place.GIVEN | Place.RUBRICS:
            take_out(root, key, rules[part.place], numbered=True)
        case Place.RESULTS:
            remove_here(root.scratch(key))
        case Place.INDEX:
            check_unlocked(root.scratch(key))
            remove_here(root.scratch(key))
        case Place.UNFINISHED:
            remove_here(root.path / key)
            root.remove_folder(key)
        case Place.DAMAGED:
            root.remove(key)
        case Place.STAGE:
            remember_origins(root, key)
            root.remove_folder(key)
        case _:
            root.remove_folder(key)


def _remove_versions(root: Root, versions: tuple[VersionRows, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Remove published versions, pinned ones too, LATEST moved first; return their names, and what became of LATEST."""
    moved = []
    for one in versions:
        if one.is_latest:
            gone = {other.version for other in versions if other.name == one.name}
            moved.append(_moved_back(root, one, gone))
        unpin(root, one.name, one.version)
        if not remove_version(root, one.name, one.version):
            raise StorageError(f"LATEST was moved to {one.name}@{one.version} meanwhile; run the same command again")
        remove_comparisons(root, one.name, [one.version])
    return tuple(f"{one.name}@{one.version}" for one in versions), tuple(moved)


def _moved_back(root: Root, last: VersionRows, gone: set[str]) -> str:
    """Move LATEST to a version that holds every set and stays, the newest older one if there is any; else drop it."""
    left = [
        one.manifest.version
        for one in every_snapshot(root)
        if one.manifest.name == last.name and one.manifest.version not in gone and _has_every_set(one.manifest)
    ]
    if not left:
        drop_latest(root, last.name)
        return f"{last.name}: LATEST is gone, since no version stays that holds every set; build again"
    chosen = max(left, key=lambda version: (version < last.version, version))
    set_latest(root, last.name, chosen)
    return f"{last.name}: LATEST is now {chosen}"


def _has_every_set(manifest: Manifest) -> bool:
    return all(f"{name}/train" in manifest.tables for name in manifest.recipe.get("build", {}).get("sets", ()))


def _tidy_origins(root: Root, concerned: Concerned) -> None:
    """Take out what was put down about origins, of the stages that have just gone too."""
    for key in origin_files(root):
        take_out(root, key, of_origins(concerned), in_place=True)
