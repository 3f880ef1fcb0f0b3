"""What stands beside the versions of a name, and how versions go.

snapshots/<name>/pins/<version>                    empty: the version is not removed by retention
snapshots/<name>/comparisons/<old>..<new>.json     what a refresh found before it moved LATEST, or did not
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from storage.root import Root
from storage.snapshots import FOLDER, STAMP, latest, unfinished

_PINS = "pins"
_COMPARISONS = "comparisons"
_BETWEEN = ".."


def pins(root: Root, name: str) -> frozenset[str]:
    """Return the versions of a name that retention keeps."""
    return frozenset(root.names(f"{FOLDER}/{name}/{_PINS}"))


def pin(root: Root, name: str, version: str) -> None:
    """Keep a version until it is unpinned."""
    root.write(f"{FOLDER}/{name}/{_PINS}/{version}", b"")


def unpin(root: Root, name: str, version: str) -> None:
    root.remove(f"{FOLDER}/{name}/{_PINS}/{version}")


def write_comparison(root: Root, name: str, old: str, new: str, data: bytes) -> str:
    """Put down what is different in a newer version, and return the key. A later look replaces an earlier one."""
    key = f"{FOLDER}/{name}/{_COMPARISONS}/{old}{_BETWEEN}{new}.json"
    root.write(key, data)
    return key


def remove_comparisons(root: Root, name: str, removed: Iterable[str]) -> None:
    """Remove the comparisons that were made of versions which are gone."""
    gone = set(removed)
    folder = f"{FOLDER}/{name}/{_COMPARISONS}"
    for file in root.names(folder, ".json"):
        if file.removesuffix(".json").partition(_BETWEEN)[2] in gone:
            root.remove(f"{folder}/{file}")


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
    root.remove_folder(folder)
    return True


def sweep(root: Root, name: str, before: datetime) -> list[str]:
    """Remove what killed publications and removals left: versions without a manifest, begun before a time."""
    swept = [version for version in unfinished(root, name) if _is_from_before(version, before)]
    for version in swept:
        root.remove_folder(f"{FOLDER}/{name}/{version}")
    return swept


def _is_from_before(version: str, time: datetime) -> bool:
    """Say whether a version was published before a time, by the clock of the machine that did."""
    try:
        return datetime.strptime(version.partition("-")[0], STAMP).replace(tzinfo=UTC) < time
    except ValueError:  # 99 is no month
        return False
