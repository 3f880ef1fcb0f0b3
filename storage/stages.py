"""Stage tables: what a stage made of its inputs, kept under a fingerprint of all it depends on."""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from schemas.errors import StorageError
from schemas.manifest import TableFile
from schemas.record import FORMAT, canonical_json, content_id
from storage.files import check_version, sha256_of
from storage.root import Root

_MARKED_AFTER_S = 12 * 3_600
"""A stage that is found says so at most twice a day."""


@dataclass(frozen=True)
class Stage:
    """A finished stage: its tables' files and what it has to say of them."""

    root: Root
    key: str
    """`stages/<stage>/<fingerprint>`"""
    content: str
    """Hash of the tables' bytes; what later stages depend on."""
    tables: Mapping[str, tuple[TableFile, ...]]
    facts: Mapping[str, Any]
    """Counts and checks, as JSON."""
    made_of: tuple[str, ...] = ()
    """Keys of the stages that it was made of; those of an older grmforge do not say."""
    beside: str | None = None
    """Key of the stage that has all its other tables, where it only adds some."""

    def paths(self, table: str) -> list[Path]:
        """Return the files of a table, in order; none where it has no rows. Raises StorageError, as `rows` does."""
        stage = self._with(table)
        return [self.root.at(f"{stage.key}/{file.path}") for file in stage.tables.get(table, ())]

    def files(self) -> Iterator[TableFile]:
        """Yield every file of every table."""
        return chain.from_iterable(self.tables.values())

    def rows(self, table: str) -> int:
        return sum(file.rows for file in self._with(table).tables.get(table, ()))

    def _with(self, table: str) -> "Stage":
        """Return the stage that has a table. Raises StorageError where it is not there any more."""
        return self if self.beside is None or table in self.tables else self._below._with(table)

    @cached_property
    def _below(self) -> "Stage":
        """The stage beside which it stands, looked up once: in a bucket each of its files costs a request."""
        assert self.beside is not None
        if (stage := read_stage(self.root, self.beside)) is None:
            raise StorageError(f"{self.root.where(self.beside)}: the stage has gone; build again")
        return stage


def stage_key(stage: str, version: int, settings: Any, inputs: list[str]) -> str:
    """Return the key of a stage: its name and the fingerprint of its version, settings and inputs' contents."""
    return f"stages/{stage}/{content_id('stage', stage, version, settings, inputs)}"


def stage_keys(root: Root, names: str | tuple[str, ...] = "") -> Iterator[str]:
    """Yield the keys of all stages, finished or not, whose name begins with one of these."""
    for name in root.folders("stages"):
        if name.startswith(names):
            yield from (f"stages/{name}/{fingerprint}" for fingerprint in root.folders(f"stages/{name}"))


def every_stage(root: Root, names: str | tuple[str, ...] = "") -> Iterator[tuple[str, Stage | None]]:
    """Yield the key of every stage, and the stage; None for one that cannot be looked into."""
    for key in stage_keys(root, names):
        try:
            yield key, read_stage(root, key)
        except StorageError:
            yield key, None


def find_stage(root: Root, key: str) -> Stage | None:
    """Return the finished stage at a key; None where it is absent, unfinished, or not whole any more.

    A stage can always be made again, so one that lost a file, or of which one was changed since, is simply made anew.
    One that is found is marked as in use, so that `grmforge gc` lets it be. Raises StorageError for a stage of a newer
    format.
    """
    stage = _read(root, key)
    if stage is None or damaged_files(root, key, stage.files()):
        return None
    if last_used(root, key) < time.time() - _MARKED_AFTER_S:
        root.touch(f"{key}/manifest.json")
    return stage


def last_used(root: Root, key: str) -> float:
    """Return when a finished stage was made, or last found by a build, in seconds since 1970; now, if it is gone."""
    manifest = root.held(f"{key}/manifest.json")
    return time.time() if manifest is None else manifest.modified


def read_stage(root: Root, key: str) -> Stage | None:
    """Return what `find_stage` finds by the sizes of its files alone, and leave no mark."""
    stage = _read(root, key)
    return stage if stage and all(root.size(f"{key}/{file.path}") == file.bytes for file in stage.files()) else None


def _read(root: Root, key: str) -> Stage | None:
    if not root.exists(f"{key}/manifest.json"):
        return None
    try:
        manifest = orjson.loads(root.read(f"{key}/manifest.json"))
        check_version(manifest["format"], root.where(key))
        tables = {name: tuple(TableFile(**file) for file in files) for name, files in manifest["tables"].items()}
        made_of, beside = tuple(manifest.get("made_of", ())), manifest.get("beside")
        return Stage(root, key, manifest["content"], tables, manifest["facts"], made_of, beside)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None  # not what a manifest of ours looks like


def finish_stage(
    root: Root,
    key: str,
    tables: Mapping[str, Sequence[TableFile]],
    facts: Mapping[str, Any],
    made_of: Iterable[Stage] = (),
    beside: Stage | None = None,
    repeats: Collection[str] = (),
) -> Stage:
    """Write the manifest, last of all, and return the finished stage.

    `made_of` are those that it was read from. It has all tables of `beside`, too, without a copy of them. The content
    leaves out the tables that are named in `repeats`.
    """
    files = {name: [asdict(file) for file in table] for name, table in tables.items() if table}
    hashes = [file["sha256"] for name in sorted(files) if name not in repeats for file in files[name]]
    keys = sorted({stage.key for stage in made_of})
    manifest = {"format": FORMAT, "content": content_hash(hashes), "tables": files, "facts": facts, "made_of": keys}
    if beside is not None:
        manifest |= {"content": content_hash([beside.content, *hashes]), "beside": beside.key}
    root.write(f"{key}/manifest.json", canonical_json(manifest))
    stage = find_stage(root, key)
    assert stage is not None
    return stage


def damaged_files(root: Root, folder: str, files: Iterable[TableFile], *, hash_all: bool = False) -> list[str]:
    """Return the files under a folder that are not what its manifest says, by their path in it.

    Every size is compared. Bytes are hashed of those that were written after the manifest, or of all; where they are
    right, the manifest is marked as newer, so that they are hashed once.
    """
    manifest = root.held(f"{folder}/manifest.json")
    damaged, any_late = [], False
    for file in files:
        key = f"{folder}/{file.path}"
        held = root.held(key)
        is_late = held is not None and (manifest is None or held.modified > manifest.modified)
        has_size = held is not None and held.bytes == file.bytes
        if not has_size or ((hash_all or is_late) and root.sha256(key) != file.sha256):
            damaged.append(file.path)
        any_late |= is_late
    if any_late and not damaged:
        root.touch(f"{folder}/manifest.json")
    return damaged


def check_bytes(stage: Stage, table: str) -> None:
    """Raise StorageError where a table's file holds other bytes than were written: Arrow files have no checksums."""
    for file, path in zip(stage.tables.get(table, ()), stage.paths(table), strict=True):
        if sha256_of(path) != file.sha256:
            raise StorageError(f"{path}: damaged (its bytes have changed); remove it, and build again")


def lineage(stages: Iterable[Stage]) -> list[str]:
    """Return the keys of these stages and of all that they were made of, and so on, ascending."""
    keys: set[str] = set()
    waiting = list(stages)
    while waiting:
        stage = waiting.pop()
        keys.add(stage.key)
        for key in set(stage.made_of) - keys:
            keys.add(key)
            if (earlier := read_stage(stage.root, key)) is not None:
                waiting.append(earlier)
    return sorted(keys)


def content_hash(hashes: Iterable[str]) -> str:
    """Return the hash of files' hashes, taken in order."""
    return content_id("content", list(hashes))
