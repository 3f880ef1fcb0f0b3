"""What lies under a root, held byte by byte against what was written: versions, evaluations, stages, answers.

Nothing is changed.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from schemas.errors import StorageError
from schemas.manifest import TableFile
from storage import evaluations
from storage.answer_files import is_whole, sound_answers
from storage.generations import set_aside
from storage.imports import FOLDER as IMPORTED
from storage.journal import claimed, segments
from storage.root import Root
from storage.rubric_tables import FOLDER as RUBRICS
from storage.segments import read_segment
from storage.snapshots import FOLDER as SNAPSHOTS
from storage.snapshots import latest, snapshot_at, unfinished, versions
from storage.stages import damaged_files, read_stage
from storage.tables import damage_named, open_parquet

Look = Callable[[str], None]
"""Called with what is looked at next."""
_SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    says: str
    is_doubtful: bool = False
    """Nothing is missing, yet a person should look at it: one unreadable answer may be chance."""

    def line(self) -> str:
        mark = "WRONG" if not self.ok else "LOOK " if self.is_doubtful else "ok   "
        return f"{mark}  {self.what}: {self.says}"


def soundness(root: Root, look: Look) -> Iterator[Finding]:
    """Yield a finding for each version and each evaluation. Of stages and answers, yield what is damaged, or that
    nothing is.
    """
    for name in root.folders(SNAPSHOTS):
        yield from _versions(root, name, look)
    for name in root.folders(evaluations.FOLDER):
        yield from _evaluations(root, name, look)
    yield from _summed("stages", _stages(root, look))
    yield from _summed("answers", _answers(root, look))
    if aside := set_aside(root):
        yield Finding(
            "set aside", True, f"{len(aside)} damaged files, the first {root.where(aside[0])}; remove them at will"
        )


def _versions(root: Root, name: str, look: Look) -> Iterator[Finding]:
    there = versions(root, name)
    for version in there:
        key = f"{SNAPSHOTS}/{name}/{version}"
        look(f"{name}@{version}")
        what = f"version {name}@{version}"
        try:
            snapshot = snapshot_at(root, key)
        except StorageError as error:
            yield Finding(what, False, str(error))
            continue
        pages, again = ("README.md", "report.html", "rewards.py"), "build its recipe again"
        yield _held_against(root, what, key, snapshot.data_files(), pages, again)
    if (named := latest(root, name)) is not None and named not in there:
        cause = "has lost its manifest" if named in unfinished(root, name) else "is not there"
        way_out = "build its recipe again, or name another: grmforge promote name@version"
        yield Finding(f"LATEST of {name}", False, f"it names {named or 'nothing'}, which {cause}; {way_out}")


def _evaluations(root: Root, name: str, look: Look) -> Iterator[Finding]:
    for version in evaluations.versions(root, name):
        key = f"{evaluations.FOLDER}/{name}/{version}"
        look(f"evaluation {name}@{version}")
        what = f"evaluation {name}@{version}"
        try:
            files = evaluations.evaluation_at(root, key).manifest.files()
        except StorageError as error:
            yield Finding(what, False, str(error))
            continue
        yield _held_against(root, what, key, files, ("report.html",), "evaluate again, at no cost")


def _held_against(
    root: Root, what: str, key: str, files: Sequence[TableFile], pages: Iterable[str], again: str
) -> Finding:
    """Return what is wrong with a published version, or that nothing is. `again` puts files back."""
    damaged = damaged_files(root, key, files, hash_all=True)
    damaged += [page for page in pages if not root.size(f"{key}/{page}")]
    if foreign := _foreign(root, key, [file.path for file in files]):
        them = _them(foreign)
        way_out = f"whoever reads the folder reads {them} too; move {them} elsewhere"
        return Finding(what, False, f"{_listed(root, key, foreign)} not a part of it, and {way_out}")
    if damaged:
        way_out = f"{again}, which puts {_them(damaged)} back; or remove the version"
        return Finding(what, False, f"{_listed(root, key, damaged)} gone or damaged; {way_out}")
    size = sum(file.bytes for file in files)
    return Finding(what, True, f"{len(files)} files, {size:,} bytes, as they were published")


def _foreign(root: Root, key: str, published: list[str]) -> list[str]:
    """Return the shards in a version's folders that its manifest does not name."""
    folders = sorted({path.rpartition("/")[0] for path in published})
    there = [
        f"{folder}/{name}".removeprefix("/")
        for folder in folders
        for name in root.names(f"{key}/{folder}".removesuffix("/"), ".parquet")
    ]
    return sorted(set(there) - set(published))


def _stages(root: Root, look: Look) -> Iterator[tuple[str, str | None]]:
    """Yield each finished stage and what is wrong with it."""
    for stage in root.folders("stages"):
        look(f"stages/{stage}")
        for key in (f"stages/{stage}/{fingerprint}" for fingerprint in root.folders(f"stages/{stage}")):
            if not root.exists(f"{key}/manifest.json"):
                continue
            try:
                finished = read_stage(root, key)
            except StorageError as error:
                yield key, str(error)
                continue
            damaged = [] if finished is None else damaged_files(root, key, finished.files(), hash_all=True)
            is_sound = finished is not None and not damaged
            fault = f"{_listed(root, key, damaged)} damaged" if damaged else "a file is gone or cut, or its manifest is"
            yield key, None if is_sound else f"{root.where(key)}: {fault}; remove it, and build again, at no cost"


def _answers(root: Root, look: Look) -> Iterator[tuple[str, str | None]]:
    """Yield each file of answers, imported ones and rubrics too, and what is wrong with it."""
    for folder in (*(f"generations/{role}" for role in root.folders("generations")), RUBRICS):
        look(folder)
        for key in (f"{folder}/{name}" for name in root.names(folder, ".parquet")):
            root.drop_copy(key)
            yield key, _fault(root, key, is_generation=folder not in (IMPORTED, RUBRICS))
    for key in segments(root):
        path = root.at(key)
        with claimed(path) as finished:
            damage: list[int | None] = []
            if finished:
                deque(read_segment(path, damage), maxlen=0)
            lost = None if None in damage else sum(answers or 0 for answers in damage)
            yield key, _to_be_paid(root, key, lost) if damage else None


def _fault(root: Root, key: str, is_generation: bool) -> str | None:
    path = root.at(key)
    if is_generation:
        return None if is_whole(path) else _to_be_paid(root, key, sound_answers(path)[1])
    try:
        with damage_named(path):
            open_parquet(path).read()
    except StorageError as error:
        return str(error)
    return None


def _to_be_paid(root: Root, key: str, lost: int | None) -> str:
    answers = "an unknown number of answers" if lost is None else f"{lost:,} answers"
    if lost == 0:
        return f"{root.where(key)}: damaged, and every answer in it can be read: the next build writes it anew"
    return (
        f"{root.where(key)}: damaged; {answers} in it cannot be read: the next build sets it aside, keeps all others, "
        "and pays again for those that it wants"
    )


def _summed(what: str, looked_at: Iterator[tuple[str, str | None]]) -> Iterator[Finding]:
    """Yield each fault by itself; or one finding that nothing is wrong."""
    faults = list(looked_at)
    wrong = [Finding(key, False, fault) for key, fault in faults if fault is not None]
    yield from wrong or [Finding(what, True, f"{len(faults):,} files looked at, each as it was written")]


def _listed(root: Root, key: str, damaged: list[str]) -> str:
    shown = ", ".join(root.where(f"{key}/{path}") for path in damaged[:_SHOWN])
    more = f" and {len(damaged) - _SHOWN} more are" if len(damaged) > _SHOWN else " are" if damaged[1:] else " is"
    return shown + more


def _them(damaged: list[str]) -> str:
    return "them" if damaged[1:] else "it"
