"""Files held against the manifest that names them, and published ones put back from the stages that hold them too."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from storage.root import Root
from storage.snapshots import Snapshot


class Named(Protocol):
    """A file as a manifest names it."""

    @property
    def path(self) -> str: ...
    @property
    def bytes(self) -> int: ...
    @property
    def sha256(self) -> str: ...


def damaged_files(root: Root, folder: str, files: Iterable[Named], *, hash_all: bool = False) -> list[str]:
    """Return the files under a folder that are not what its manifest says, by their path in it.

    Every size is compared. Bytes are hashed of those that were written after the manifest, or of all; where they are
    right, the manifest is marked as newer, so that they are hashed once.
    """
    manifest = root.held(f"{folder}/manifest.json")
    damaged, is_late = [], False
    for file in files:
        key = f"{folder}/{file.path}"
        held = root.held(key)
        if held is None or held.bytes != file.bytes:
            damaged.append(file.path)
            continue
        late = manifest is None or held.modified > manifest.modified
        if (hash_all or late) and root.sha256(key) != file.sha256:
            damaged.append(file.path)
        is_late |= late
    if is_late and not damaged:
        root.touch(f"{folder}/manifest.json")
    return damaged


def published_files(snapshot: Snapshot) -> Iterator[Named]:
    """Yield every data file of a version."""
    for table in snapshot.manifest.tables.values():
        yield from table.files


def heal(snapshot: Snapshot, stages: Sequence[str] = ()) -> tuple[list[str], list[str]]:
    """Put back the data files of a version that are gone or damaged, from the stages that it was made of, or these.

    Returns those that were put back, and those that no stage holds any more.
    """
    root, named = snapshot.root, {file.path: file for file in published_files(snapshot)}
    held_by = [*stages, *(key for key in snapshot.manifest.stages if key.startswith("stages/assembled/"))]
    healed, lost = [], []
    for path in damaged_files(root, snapshot.key, named.values()):
        file = named[path]
        source = next((key for key in held_by if _holds(root, f"{key}/{path}", file)), None)
        if source is None:
            lost.append(path)
            continue
        root.link(f"{source}/{path}", f"{snapshot.key}/{path}")
        healed.append(path)
    return healed, lost


def _holds(root: Root, key: str, file: Named) -> bool:
    return root.size(key) == file.bytes and root.sha256(key) == file.sha256
