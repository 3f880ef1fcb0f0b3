"""Leftovers: what lies under a root though nobody needs it, and why nobody does.

Answers are never among them. A build can make everything else again from answers, so a wrong guess costs no more than
time. What a running build made or found is too young to be listed here.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf
from typing import Any

from schemas.errors import StorageError
from storage import batch_jobs, evaluations, journal, run_events, snapshots
from storage.files import Held, held_at, remove_here, temporary_files
from storage.generations import set_aside
from storage.origins import remember_origins
from storage.root import Root
from storage.stages import last_used, read_stage, stage_keys

DAY_S = 86_400
USUAL_DAYS = 7.0
EVENT_DAYS = 90.0
"""Event logs stay at least this long. They are small, and the only record of when a run did what."""


class Kind(StrEnum):
    """What a leftover is."""

    STAGE = "stage"
    """A finished stage that no published version was made of."""
    UNFINISHED_STAGE = "unfinished stage"
    UNFINISHED_SNAPSHOT = "unfinished snapshot"
    UNFINISHED_EVALUATION = "unfinished evaluation"
    TEMPORARY = "temporary file"
    BATCH = "batch files"
    """Requests and results of a batch whose answers are all in the generations."""
    COPY = "stale copy"
    """This machine's copy of an object that is no longer in the bucket."""
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
    files: tuple[Held, ...]
    idle_days: float
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


def leftovers(root: Root, days: float = USUAL_DAYS, now: float | None = None) -> Leftovers:
    """Return what lies under a root though nobody needs it; `days` is how long stages must have been idle."""
    idle_for = dict.fromkeys(Kind, 1.0) | dict.fromkeys((Kind.JOURNAL, Kind.DAMAGED), -inf)
    idle_for |= {Kind.STAGE: days, Kind.EVENTS: max(days, EVENT_DAYS)}
    look = _Look(root, time.time() if now is None else now, idle_for, [])
    found = [*_stages(look), *_of_killed_processes(look), *_batches(look), *_old_files(look)]
    return Leftovers(tuple(_with_freed(found)), tuple(look.notes))


def remove(root: Root, found: Iterable[Leftover], now: float | None = None) -> Iterator[Leftover]:
    """Remove leftovers, and yield each that was removed. One that a build has found since then stays."""
    now = time.time() if now is None else now
    for leftover in (leftover for leftover in found if not leftover.is_kept):
        key = leftover.key
        if leftover.kind in (Kind.TEMPORARY, Kind.COPY):
            remove_here(root.path / key)
        elif leftover.kind is Kind.STAGE:
            if last_used(root, key) > now - leftover.idle_days * DAY_S + 1:
                continue  # found by a build meanwhile
            remember_origins(root, key)
            root.remove_folder(key)
        elif leftover.kind is Kind.BATCH and root.exists(f"{key}/job.json"):
            for file in _all_but_job(root, key):
                root.remove(file)
        elif key.endswith(".jsonl"):
            root.remove(key)
        else:
            root.remove_folder(key)
        yield leftover


@dataclass(frozen=True)
class _Look:
    """A look at a root: what counts as idle, and what is noted on the way."""

    root: Root
    now: float
    idle_for: dict[Kind, float]
    """After how many idle days a thing of each kind is a leftover."""
    notes: list[str]

    def is_idle(self, kind: Kind, since: float) -> bool:
        return (self.now - since) / DAY_S > self.idle_for[kind]

    def held(self, keys: Iterable[str]) -> list[Held]:
        return list(filter(None, map(self.root.held, keys)))

    def idle(
        self, kind: Kind, key: str, why: str, files: Sequence[Held], since: float | None = None
    ) -> Iterator[Leftover]:
        """Yield a leftover if it has been idle for long enough: since its youngest file, if no time is given."""
        if since is None:
            since = max((file.modified for file in files), default=inf)  # never, if it is gone
        if self.is_idle(kind, since):
            yield Leftover(kind, key, why, tuple(files), (self.now - since) / DAY_S)

    def unfinished(self, kind: Kind, key: str, why: str) -> Iterator[Leftover]:
        """Yield a folder without a manifest, if nothing in it has changed for long enough."""
        files, folder = self.held(self.root.every(key)), held_at(self.root.place(key))
        yield from self.idle(kind, key, why, files, folder.modified if folder and not files else None)


def _stages(look: _Look) -> Iterator[Leftover]:
    root = look.root
    try:
        manifests = [snapshot.manifest for snapshot in snapshots.every_snapshot(root)]
        evaluated = {key for evaluation in evaluations.every_evaluation(root) for key in evaluation.manifest.stages}
    except StorageError as error:
        look.notes.append(f"stages are left alone: what a version was made of cannot be told ({error})")
        return
    needed = {key for manifest in manifests for key in manifest.stages} | evaluated
    # An older version names no stages. Its assembled stage is known by its content; the others count by their age.
    contents = {manifest.content_hash for manifest in manifests if not manifest.stages}
    if (since := journal.writing_since(root)) is not None and look.is_idle(Kind.STAGE, since - DAY_S):
        look.idle_for[Kind.STAGE] = (look.now - since) / DAY_S + 1
        look.notes.append("a run is at work: what it may have found when it began is left alone")
    for key in (key for key in stage_keys(root) if key not in needed):
        if not root.exists(f"{key}/manifest.json"):
            yield from look.unfinished(Kind.UNFINISHED_STAGE, key, "a run that was stopped left it")
        elif look.is_idle(Kind.STAGE, used := last_used(root, key)) and not _is_of_a_version(root, key, contents):
            why = "no published version is made of it, and no build found it since"
            yield from look.idle(Kind.STAGE, key, why, look.held(root.every(key)), used)


def _is_of_a_version(root: Root, key: str, contents: set[str]) -> bool:
    """Say whether a stage must stay. One that a newer grmforge made stays, too."""
    try:
        stage = read_stage(root, key)
    except StorageError:
        return True
    return stage is not None and stage.content in contents


def _of_killed_processes(look: _Look) -> Iterator[Leftover]:
    for name in look.root.folders(snapshots.FOLDER):
        for version in snapshots.unfinished(look.root, name):
            key = f"{snapshots.FOLDER}/{name}/{version}"
            yield from look.unfinished(Kind.UNFINISHED_SNAPSHOT, key, "it was never published")
    for name in look.root.folders(evaluations.FOLDER):
        for version in evaluations.unfinished(look.root, name):
            key = f"{evaluations.FOLDER}/{name}/{version}"
            yield from look.unfinished(Kind.UNFINISHED_EVALUATION, key, "it was never published")
    for path in temporary_files(look.root.path):
        key = str(path.relative_to(look.root.path))
        files = list(filter(None, map(held_at, path.rglob("*") if path.is_dir() else [path])))
        yield from look.idle(Kind.TEMPORARY, key, "a process that was killed left it", files)


def _batches(look: _Look) -> Iterator[Leftover]:
    """Yield the files that collected batches no longer need. `job.json` stays, as the record of what was paid."""
    for key in (f"{batch_jobs.FOLDER}/{submission}" for submission in look.root.folders(batch_jobs.FOLDER)):
        if not look.root.exists(f"{key}/job.json"):
            yield from look.unfinished(Kind.BATCH, key, "it was never submitted")
            continue
        try:
            job = batch_jobs.read_job(look.root, f"{key}/job.json")
        except StorageError as error:
            look.notes.append(str(error))
            continue
        files = look.held(_all_but_job(look.root, key)) if job.collected_at is not None else []
        yield from look.idle(Kind.BATCH, key, "its answers are all in the generations", files)


def _all_but_job(root: Root, key: str) -> list[str]:
    return [file for file in root.every(key) if file != f"{key}/job.json"]


def _old_files(look: _Look) -> Iterator[Leftover]:
    """Yield copies of what is gone, logs of runs and of the model servers that they started, and what was set aside."""
    root = look.root
    for path in root.stale_copies():
        files = list(filter(None, [held_at(path)]))
        yield from look.idle(Kind.COPY, str(path.relative_to(root.path)), "its object is gone", files)
    why = f"older than {look.idle_for[Kind.EVENTS]:.0f} days"
    for key in (f"{run_events.FOLDER}/{name}" for name in root.names(run_events.FOLDER, ".jsonl")):
        yield from look.idle(Kind.EVENTS, key, why, look.held([key]))
    for key in (f"{run_events.FOLDER}/{name}" for name in root.folders(run_events.FOLDER)):
        yield from look.idle(Kind.EVENTS, key, why, look.held(root.every(key)))
    journals = [f"{journal.FOLDER}/{name}" for name in root.names(journal.FOLDER, ".unreadable")]
    for kind, keys, what in (
        (Kind.JOURNAL, journals, "not what a journal looks like"),
        (Kind.DAMAGED, set_aside(root), "what can be read of it is kept elsewhere"),
    ):
        for key in keys:
            yield from look.idle(kind, key, f"{what}: look into it, and remove it yourself", look.held([key]))


def _with_freed(found: Sequence[Leftover]) -> Iterator[Leftover]:
    """Yield the leftovers, each with the bytes that go for good when all of them are removed."""
    going = Counter(file.identity for leftover in found if not leftover.is_kept for file in leftover.files)
    counted: set[str] = set()
    for leftover in found:
        files = () if leftover.is_kept else leftover.files
        whole = {file.identity: file.bytes for file in files if going[file.identity] >= file.links}
        yield replace(leftover, freed=sum(size for identity, size in whole.items() if identity not in counted))
        counted.update(whole)
