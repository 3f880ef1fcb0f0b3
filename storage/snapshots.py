"""Published snapshots: immutable versions under a name, and LATEST."""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from schemas.errors import StorageError
from schemas.manifest import Manifest, TableFile
from storage.published import Published, manifest_at, publish_files, version_with_content, whole_versions
from storage.root import Root

FOLDER = "snapshots"
_VERSION = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
_LISTED = 10
"""Versions that an error lists, the newest ones."""


class Snapshot(Published[Manifest]):
    """One published version; its key is `snapshots/<name>/<version>`."""

    @property
    def path(self) -> Path:
        """The directory that it has on this machine; of a bucket's, only what was read lies there."""
        return self.root.place(self.key)

    def data_files(self) -> list[TableFile]:
        """Return every data file of every table."""
        return [file for table in self.manifest.tables.values() for file in table.files]

    def rows(self, table: str) -> int:
        entry = self.manifest.tables.get(table)
        return entry.rows if entry else 0


def versions(root: Root, name: str) -> list[str]:
    """Return the whole versions of a name, oldest first; those of one second by what their manifests say."""
    return whole_versions(root, f"{FOLDER}/{name}", snapshot_at)


def with_content(root: Root, name: str, content_hash: str) -> Snapshot | None:
    """Return the version of a name that holds just this content, if one does."""
    return version_with_content(root, f"{FOLDER}/{name}", content_hash, snapshot_at)


def publish(root: Root, manifest: Manifest, data: Mapping[str, str], pages: Mapping[str, str]) -> Snapshot:
    """Publish a version, as `publish_files` says. Raises StorageError where a file is gone by then."""
    folder = f"{FOLDER}/{manifest.name}/{manifest.version}"
    publish_files(root, folder, manifest, data, pages)
    return Snapshot(root, folder, manifest)


def set_latest(root: Root, name: str, version: str) -> None:
    """Make a version the one that the bare name means, whichever it was. Raises StorageError as `move_latest` does."""
    while not move_latest(root, name, latest(root, name), version):
        pass


def move_latest(root: Root, name: str, before: str | None, version: str) -> bool:
    """Make a version the one that the bare name means where that is `before` still, and say whether it was.

    Raises StorageError where the version was removed meanwhile. Who removes a version looks at LATEST once the manifest
    is gone, so one of the two sees the other.
    """
    key, line = f"{FOLDER}/{name}/LATEST", f"{version}\n".encode()
    if before is None:
        if not root.create(key, line):
            return False
    else:
        current = root.read(key)
        if _version_in(current) != before or not root.replace_if(key, current, line):
            return False
    if not root.exists(f"{FOLDER}/{name}/{version}/manifest.json"):
        raise StorageError(f"{name}@{version} was removed while LATEST was moved to it; run the same command again")
    return True


def drop_latest(root: Root, name: str) -> None:
    """Leave a bare name without a meaning of its own; then its newest version is meant."""
    root.remove(f"{FOLDER}/{name}/LATEST")


def latest(root: Root, name: str) -> str | None:
    """Return the version that LATEST names."""
    key = f"{FOLDER}/{name}/LATEST"
    return _version_in(root.read(key)) if root.exists(key) else None


def _version_in(line: bytes) -> str:
    return line.decode("utf-8", "replace").strip()


def read_snapshot(path: Path) -> Snapshot:
    """Return the snapshot in a directory. Raises StorageError where there is none."""
    directory = path.absolute()
    return snapshot_at(Root(directory.parent), directory.name)


def unfinished(root: Root, name: str) -> list[str]:
    """Return the versions of a name that have no manifest, so that they are none."""
    folder = f"{FOLDER}/{name}"
    named = filter(_VERSION.fullmatch, root.folders(folder))
    return [version for version in named if not root.exists(f"{folder}/{version}/manifest.json")]


def every_snapshot(root: Root) -> Iterator[Snapshot]:
    """Yield every whole version of every name, the oldest first. Raises StorageError for one that cannot be read."""
    for name in root.folders(FOLDER):
        yield from (snapshot_at(root, f"{FOLDER}/{name}/{version}") for version in versions(root, name))


def snapshot_at(root: Root, key: str) -> Snapshot:
    """Return the version at a key. Raises StorageError where there is none that can be read."""
    return Snapshot(root, key, manifest_at(root, key, Manifest, "a snapshot"))


def find_snapshot(root: Root | None, given: str) -> Snapshot:
    """Return the snapshot that a user means: a directory, a name, or name@version.

    Raises StorageError that lists what there is.
    """
    directory = Path(given)
    if (directory / "manifest.json").is_file():
        return read_snapshot(directory)
    if "/" in given:
        fault = "an address is no name of a snapshot" if "://" in given else "no version's own directory"
        raise StorageError(f"{given}: {fault}; {_way_out(given)}")
    if root is None:
        raise StorageError(f"{given}: no such snapshot directory")
    name, _, version = given.partition("@")
    known = versions(root, name) if name else []
    if not known:
        raise StorageError(_nothing_of(root, given, name))
    chosen = version or latest(root, name)
    if chosen is None:
        chosen = known[-1]
    # An empty LATEST names nothing, least of all any version.
    parts = [version for version in known if chosen and (version.startswith(chosen) or version.endswith(chosen))]
    matching = [chosen] if chosen in known else parts
    if not matching:
        raise StorageError(f"{name} has no version {chosen!r}; it has: {', '.join(known[-5:])}")
    if len(matching) > 1:
        more = f" and {len(matching) - _LISTED} older ones" if len(matching) > _LISTED else ""
        listed = ", ".join(matching[-_LISTED:]) + more
        raise StorageError(f"{chosen!r} fits {len(matching)} versions of {name}; give more of one: {listed}")
    return snapshot_at(root, f"{FOLDER}/{name}/{matching[0]}")


def _nothing_of(root: Root, given: str, name: str) -> str:
    """Say that a name has no whole version, and what there is."""
    if lost := unfinished(root, name) if name else []:
        return (
            f"{root.where(f'{FOLDER}/{name}/{lost[-1]}')}: has no manifest.json: it was never whole, or has lost it; "
            "build its recipe again, at no cost"
        )
    names = root.folders(FOLDER)
    there = f"there are: {', '.join(names)}" if names else "none yet"
    return f"no snapshot {given!r} under {root.where()}; {there}"


def _way_out(place: str) -> str:
    """Return what to write in place of a path or an address that is no version's directory."""
    parts = place.rstrip("/").split("/")
    if FOLDER not in parts[:-1]:
        return "write a name or name@version, and where it lies with --root"
    above = len(parts) - 2 - parts[-2::-1].index(FOLDER)
    name = "@".join([parts[above + 1], *filter(_VERSION.fullmatch, parts[above + 2 : above + 3])])
    root = "/".join(parts[:above]) or ("/" if place.startswith("/") else ".")
    return f"write {shlex.quote(name)} --root {shlex.quote(root)}"
