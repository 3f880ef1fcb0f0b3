"""What stands beside the versions of a name; how versions are mended, and how they go.

snapshots/<name>/pins/<version>                    empty: the version is not removed by retention
snapshots/<name>/comparisons/<old>..<new>.json     what a refresh found before it moved LATEST, or did not
snapshots/<name>/evaluated/<version>               which evaluation a refresh made of its judge: name/version
"""

import contextlib
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from storage.published import STAMP
from storage.root import Root
from storage.snapshots import FOLDER, Snapshot, latest, unfinished, versions
from storage.stages import damaged_files

LEFT_AFTER = timedelta(days=1)
"""A version without a manifest that is older than this is nobody's work any more."""
_BETWEEN = ".."


def heal(snapshot: Snapshot, stages: Sequence[str] = ()) -> tuple[list[str], list[str]]:
    """Put back the data files of a version that are gone or damaged, from the stages that it was made of, or these.

    Returns those that were put back, and those that no stage holds any more.
    """
    root, named = snapshot.root, {file.path: file for file in snapshot.data_files()}
    sources = [*stages, *(key for key in snapshot.manifest.stages if key.startswith("stages/assembled/"))]
    healed: list[str] = []
    lost: list[str] = []
    for path in damaged_files(root, snapshot.key, named.values()):
        size, sha256 = named[path].bytes, named[path].sha256
        copies = (f"{key}/{path}" for key in sources)
        source = next((key for key in copies if root.size(key) == size and root.sha256(key) == sha256), None)
        if source is not None:
            root.link(source, f"{snapshot.key}/{path}")
        (lost if source is None else healed).append(path)
    return healed, lost


def pins(root: Root, name: str) -> frozenset[str]:
    """Return the versions of a name that retention keeps."""
    return frozenset(root.names(f"{FOLDER}/{name}/pins"))


def pin(root: Root, name: str, version: str) -> None:
    """Keep a version until it is unpinned."""
    root.write(f"{FOLDER}/{name}/pins/{version}", b"")


def unpin(root: Root, name: str, version: str) -> None:
    root.remove(f"{FOLDER}/{name}/pins/{version}")


def write_comparison(root: Root, name: str, old: str, new: str, data: bytes) -> None:
    """Put down what is different in a newer version. A later look replaces an earlier one."""
    root.write(f"{FOLDER}/{name}/comparisons/{old}{_BETWEEN}{new}.json", data)


def note_evaluation(root: Root, name: str, version: str, evaluation: str) -> None:
    """Put down which evaluation, name/version, belongs to a version."""
    root.write(f"{FOLDER}/{name}/evaluated/{version}", evaluation.encode())


def evaluation_of(root: Root, name: str, version: str) -> str | None:
    """Return the evaluation, name/version, that belongs to a version; None where it has none."""
    key = f"{FOLDER}/{name}/evaluated/{version}"
    return root.read(key).decode() if root.exists(key) else None


def retain(root: Root, name: str, keep: int, in_use: Collection[str] = frozenset()) -> list[str]:
    """Remove what need not be kept of a name, and return the versions that were removed, oldest first.

    Kept are the newest `keep`, the pinned ones, LATEST, and those in use. What a killed publication or removal left
    behind goes a day later. Answers, stages and rubrics are never touched. Raises StorageError; the next call goes on
    from there.
    """
    there = versions(root, name)
    kept = {*there[-keep:], *pins(root, name), latest(root, name), *in_use}
    removed = [version for version in there if version not in kept and remove_version(root, name, version)]
    remove_comparisons(root, name, removed)
    for version in unfinished(root, name):
        with contextlib.suppress(ValueError):  # 99 is no month
            begun = datetime.strptime(version.partition("-")[0], STAMP).replace(tzinfo=UTC)  # by its machine's clock
            if begun < datetime.now(UTC) - LEFT_AFTER:
                root.remove_folder(f"{FOLDER}/{name}/{version}")
    return removed


def remove_version(root: Root, name: str, version: str) -> bool:
    """Remove a version, its manifest first: what is half removed is no version. False where LATEST names it."""
    folder = f"{FOLDER}/{name}/{version}"
    key = f"{folder}/manifest.json"
    if latest(root, name) == version:
        return False
    manifest = root.read(key)
    root.remove(key)
    if latest(root, name) == version:  # moved to it just now, by one who saw the manifest: see `move_latest`
        root.write(key, manifest)
        return False
    root.remove(f"{FOLDER}/{name}/evaluated/{version}")
    root.remove_folder(folder)
    return True


def remove_comparisons(root: Root, name: str, removed: Collection[str]) -> None:
    """Remove the comparisons that were made of versions which are gone."""
    folder = f"{FOLDER}/{name}/comparisons"
    for file in root.names(folder, ".json"):
        if file.removesuffix(".json").partition(_BETWEEN)[2] in removed:
            root.remove(f"{folder}/{file}")
