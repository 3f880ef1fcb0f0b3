"""Leftovers: what lies under a root though nobody needs it, and why.

Answers are never among them. All else that a build makes it can make again from them, so that the worst that a wrong
guess costs is time. What a running build made or found is younger than any age that is asked for here.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from schemas.errors import StorageError
from storage.batch_jobs import FOLDER as BATCHES
from storage.batch_jobs import read_job
from storage.generations import set_aside
from storage.journal import FOLDER as JOURNAL
from storage.journal import writing_since
from storage.origins import remember_origins
from storage.root import Held, Root, held_at
from storage.run_events import FOLDER as RUNS
from storage.snapshots import FOLDER as SNAPSHOTS
from storage.snapshots import every_snapshot, unfinished
from storage.stages import last_used, read_stage
from storage.temporary_files import remove_here, stale_copies, temporary_files

DAY_S = 86_400
USUAL_DAYS = 7.0
EVENT_DAYS = 90.0
"""Event logs stay at least so long: they are small, and the only record of when a run did what."""


class Kind(StrEnum):
    """What a leftover is."""

    STAGE = "stage"
    """A finished stage that no published version was made of."""
    UNFINISHED_STAGE = "unfinished stage"
    UNFINISHED_SNAPSHOT = "unfinished snapshot"
    TEMPORARY = "temporary file"
    BATCH = "batch files"
    """Requests and results of a batch whose answers are all in the generations."""
    COPY = "stale copy"
    """This machine's copy of an object that is in the bucket no more."""
    EVENTS = "event log"
    JOURNAL = "unreadable journal"
    DAMAGED = "damaged answers"
    """What was set aside. Only a person can tell whether answers are in it: listed, never removed."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """One thing under the root that nobody needs."""

    kind: Kind
    key: str
    why: str
    idle_days: float
    files: tuple[Held, ...]
    freed: int = 0
    """Bytes that its removal gives back: none for a file that a published version shares."""

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    @property
    def is_kept(self) -> bool:
        return self.kind in (Kind.JOURNAL, Kind.DAMAGED)

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "key": self.key,
            "why": self.why,
            "idle_days": round(self.idle_days, 1),
            "bytes": self.bytes,
            "freed": self.freed,
            "kept": self.is_kept,
        }


@dataclass(frozen=True)
class Leftovers:
    """All of them."""

    found: tuple[Leftover, ...]
    notes: tuple[str, ...]
    """What was left alone, and why."""

    @property
    def removable(self) -> list[Leftover]:
        return [one for one in self.found if not one.is_kept]


def leftovers(root: Root, days: float = USUAL_DAYS, now: float | None = None) -> Leftovers:
    """Return what lies under a root though nobody needs it; `days` is how long stages must have been idle."""
    now = time.time() if now is None else now
    notes: list[str] = []
    found = [
        *_stages(root, days, now, notes),
        *_unfinished_snapshots(root, now),
        *_temporary(root, now),
        *_batches(root, now, notes),
        *_copies(root, now),
        *_events(root, now, max(days, EVENT_DAYS)),
        *_set_aside(root, now),
    ]
    return Leftovers(tuple(_with_freed(found)), tuple(notes))


def remove(root: Root, found: Iterable[Leftover], now: float | None = None) -> Iterator[Leftover]:
    """Remove leftovers, and yield each once it has gone; one that a build has taken up since then stays."""
    now = time.time() if now is None else now
    for one in found:
        if one.is_kept:
            continue
        if one.kind in (Kind.TEMPORARY, Kind.COPY):
            remove_here(root.path / one.key)
        elif one.kind is Kind.STAGE:
            if last_used(root, one.key) > now - one.idle_days * DAY_S + 1:
                continue  # found by a build meanwhile
            remember_origins(root, one.key)
            root.remove_folder(one.key)
        elif one.kind is Kind.BATCH and root.exists(f"{one.key}/job.json"):
            for key in _but_job(root, one.key):
                root.remove(key)
        elif one.key.endswith(".jsonl"):
            root.remove(one.key)
        else:
            root.remove_folder(one.key)
        yield one


def _stages(root: Root, days: float, now: float, notes: list[str]) -> Iterator[Leftover]:
    try:
        needed, contents = _published(root)
    except StorageError as error:
        notes.append(f"stages are left alone: what a version was made of cannot be told ({error})")
        return
    limit = now - days * DAY_S
    if (since := writing_since(root)) is not None and since - DAY_S < limit:
        limit = since - DAY_S
        notes.append("a run is at work: what it may have found when it began is left alone")
    for stage in root.folders("stages"):
        for fingerprint in root.folders(f"stages/{stage}"):
            key = f"stages/{stage}/{fingerprint}"
            if key in needed:
                continue
            if not root.exists(f"{key}/manifest.json"):
                yield from _unfinished(root, Kind.UNFINISHED_STAGE, key, now, "a run that was stopped left it")
            elif (used := last_used(root, key)) < limit and not _is_of_a_version(root, key, contents):
                why = "no published version is made of it, and no build found it since"
                yield Leftover(Kind.STAGE, key, why, (now - used) / DAY_S, _files(root, root.every(key)))


def _published(root: Root) -> tuple[set[str], set[str]]:
    """Return the stages that published versions were made of, and the contents of versions that do not say so.

    Of such an older version only the assembled stage can be told; the others count by their age, as any stage does.
    Raises StorageError where a version cannot be read.
    """
    needed: set[str] = set()
    contents: set[str] = set()
    for manifest in (snapshot.manifest for snapshot in every_snapshot(root)):
        needed.update(manifest.stages)
        if not manifest.stages:
            contents.add(manifest.content_hash)
    return needed, contents


def _is_of_a_version(root: Root, key: str, contents: set[str]) -> bool:
    """Say whether a stage must stay: one of a newer grmforge is none of our business either."""
    try:
        stage = read_stage(root, key)
    except StorageError:
        return True
    return stage is not None and stage.content in contents


def _unfinished_snapshots(root: Root, now: float) -> Iterator[Leftover]:
    for name in root.folders(SNAPSHOTS):
        for version in unfinished(root, name):
            key = f"{SNAPSHOTS}/{name}/{version}"
            yield from _unfinished(root, Kind.UNFINISHED_SNAPSHOT, key, now, "it was never published")


def _unfinished(root: Root, kind: Kind, key: str, now: float, why: str) -> Iterator[Leftover]:
    """Yield a folder without a manifest, if nothing in it has changed for a day."""
    files = _files(root, root.every(key))
    folder = held_at(root.place(key))
    changed = max([one.modified for one in files] or ([folder.modified] if folder else [now]))
    if changed < now - DAY_S:
        yield Leftover(kind, key, why, (now - changed) / DAY_S, files)


def _temporary(root: Root, now: float) -> Iterator[Leftover]:
    for path in temporary_files(root):
        files = tuple(filter(None, map(held_at, path.rglob("*") if path.is_dir() else [path])))
        changed = max((one.modified for one in files), default=now)
        if changed < now - DAY_S:
            key = str(path.relative_to(root.path))
            yield Leftover(Kind.TEMPORARY, key, "a process that was killed left it", (now - changed) / DAY_S, files)


def _copies(root: Root, now: float) -> Iterator[Leftover]:
    for path in stale_copies(root):
        held = held_at(path)
        if held is not None and held.modified < now - DAY_S:
            age = (now - held.modified) / DAY_S
            yield Leftover(Kind.COPY, str(path.relative_to(root.path)), "its object is gone", age, (held,))


def _batches(root: Root, now: float, notes: list[str]) -> Iterator[Leftover]:
    """Yield the files that collected batches no longer need. `job.json` stays, as the record of what was paid."""
    for submission in root.folders(BATCHES):
        key = f"{BATCHES}/{submission}"
        if not root.exists(f"{key}/job.json"):
            yield from _unfinished(root, Kind.BATCH, key, now, "it was never submitted")
            continue
        try:
            job = read_job(root, f"{key}/job.json")
        except StorageError as error:
            notes.append(str(error))
            continue
        files = _files(root, _but_job(root, key)) if job.collected_at is not None else ()
        if files and (changed := max(one.modified for one in files)) < now - DAY_S:
            why = "its answers are all in the generations"
            yield Leftover(Kind.BATCH, key, why, (now - changed) / DAY_S, files)


def _but_job(root: Root, key: str) -> list[str]:
    return [file for file in root.every(key) if file != f"{key}/job.json"]


def _events(root: Root, now: float, days: float) -> Iterator[Leftover]:
    """Yield the logs of runs, and the folders with the logs of the model servers that they started."""
    for name in [*root.names(RUNS, ".jsonl"), *root.folders(RUNS)]:
        key = f"{RUNS}/{name}"
        files = _files(root, [key] if name.endswith(".jsonl") else root.every(key))
        changed = max((one.modified for one in files), default=now)
        if changed < now - days * DAY_S:
            yield Leftover(Kind.EVENTS, key, f"older than {days:.0f} days", (now - changed) / DAY_S, files)


def _set_aside(root: Root, now: float) -> Iterator[Leftover]:
    for name in root.names(JOURNAL, ".unreadable"):
        if (held := root.held(f"{JOURNAL}/{name}")) is not None:
            why = "not what a journal looks like: look into it, and remove it yourself"
            yield Leftover(Kind.JOURNAL, f"{JOURNAL}/{name}", why, (now - held.modified) / DAY_S, (held,))
    for key in set_aside(root):
        if (held := root.held(key)) is not None:
            why = "what can be read of it is kept elsewhere: look into it, and remove it yourself"
            yield Leftover(Kind.DAMAGED, key, why, (now - held.modified) / DAY_S, (held,))


def _files(root: Root, keys: Iterable[str]) -> tuple[Held, ...]:
    return tuple(held for key in keys if (held := root.held(key)) is not None)


def _with_freed(found: Sequence[Leftover]) -> Iterator[Leftover]:
    """Yield the leftovers, each with the bytes that go for good when all of them are removed."""
    going = Counter(file.identity for one in found if not one.is_kept for file in one.files)
    counted: set[str] = set()

    def is_freed(file: Held) -> bool:
        if going[file.identity] < file.links or file.identity in counted:
            return False
        counted.add(file.identity)
        return True

    for one in found:
        yield replace(one, freed=0 if one.is_kept else sum(file.bytes for file in one.files if is_freed(file)))
