"""Published snapshots: immutable versions under a name, and LATEST."""

import contextlib
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
from pydantic import ValidationError

from schemas.errors import StorageError
from schemas.manifest import Manifest, TableFile
from storage.files import check_version
from storage.root import Root

FOLDER = "snapshots"
_DAMAGED = "restore the file, or remove the version's folder"
STAMP = "%Y%m%dT%H%M%SZ"
"""How a version's name begins: when it was published."""
_VERSION = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LISTED = 10
"""Versions that an error lists, the newest ones."""


@dataclass(frozen=True)
class Snapshot:
    """One published version."""

    root: Root
    key: str
    """`snapshots/<name>/<version>`"""
    manifest: Manifest

    @property
    def location(self) -> str:
        """Where it is, as people find it: a path or an address."""
        return self.root.where(self.key)

    @property
    def path(self) -> Path:
        """The directory that it has on this machine; of a bucket's, only what was read lies there."""
        return self.root.place(self.key)

    def files(self, table: str) -> list[Path]:
        """Return the files of a table, by its published path; none where it has no rows."""
        entry = self.manifest.tables.get(table)
        return [self.root.at(f"{self.key}/{file.path}") for file in entry.files] if entry else []

    def data_files(self) -> list[TableFile]:
        """Return every data file of every table."""
        return [file for table in self.manifest.tables.values() for file in table.files]

    def rows(self, table: str) -> int:
        entry = self.manifest.tables.get(table)
        return entry.rows if entry else 0


def new_version(content_hash: str) -> tuple[str, str]:
    """Return the version of a snapshot published now, and when that is, ISO 8601 to the millisecond."""
    now = datetime.now(UTC)
    return f"{now:{STAMP}}-{content_hash[:8]}", now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def versions(root: Root, name: str) -> list[str]:
    """Return the whole versions of a name, oldest first; those of one second by what their manifests say."""
    folder = f"{FOLDER}/{name}"
    there = [version for version in root.folders(folder) if root.exists(f"{folder}/{version}/manifest.json")]
    seconds = Counter(version.partition("-")[0] for version in there)

    def order(version: str) -> tuple[str, datetime, str]:
        second = version.partition("-")[0]
        # Of one that is alone no manifest need be read.
        return second, _EARLIEST if seconds[second] == 1 else _created(root, f"{folder}/{version}"), version

    return sorted(there, key=order)


def _created(root: Root, key: str) -> datetime:
    """Return when a version was published. Of a damaged one nobody knows, so it is never the newest of several."""
    try:
        created = datetime.fromisoformat(snapshot_at(root, key).manifest.created_at)
    except (StorageError, ValueError):
        return _EARLIEST
    return created if created.tzinfo else created.replace(tzinfo=UTC)


def with_content(root: Root, name: str, content_hash: str) -> Snapshot | None:
    """Return the version of a name that holds just this content, if one does."""
    for version in reversed(versions(root, name)):
        if version.endswith(f"-{content_hash[:8]}"):
            with contextlib.suppress(StorageError):  # a damaged version is no reason not to publish a whole one
                snapshot = snapshot_at(root, f"{FOLDER}/{name}/{version}")
                if snapshot.manifest.content_hash == content_hash:
                    return snapshot
    return None


def publish(root: Root, manifest: Manifest, data: Mapping[str, str], pages: Mapping[str, str]) -> Snapshot:
    """Publish a version: data files by the keys they have now, then pages, the manifest last.

    `data` maps paths in the snapshot to keys under the root; `pages` maps paths to texts. Raises StorageError where a
    file is gone by then: a machine whose clock is days ahead takes a version that is being published for one left over.
    """
    folder = f"{FOLDER}/{manifest.name}/{manifest.version}"
    for path, key in data.items():
        root.link(key, f"{folder}/{path}")
    for path, text in pages.items():
        root.write(f"{folder}/{path}", text.encode())
    root.write(f"{folder}/manifest.json", (manifest.model_dump_json(indent=1) + "\n").encode())
    if missing := [path for path in data if not root.exists(f"{folder}/{path}")]:
        root.remove(f"{folder}/manifest.json")
        raise StorageError(f"{root.where(f'{folder}/{missing[0]}')}: was removed while it was published; run again")
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
    file = root.where(f"{key}/manifest.json")
    if not root.exists(f"{key}/manifest.json"):
        raise StorageError(f"{root.where(key)}: not a snapshot, it has no manifest.json")
    try:
        tree = orjson.loads(root.read(f"{key}/manifest.json"))
        version = tree.get("format") if isinstance(tree, dict) else None
        if isinstance(version, int):
            check_version(version, file)
        return Snapshot(root, key, Manifest.model_validate(tree))
    except orjson.JSONDecodeError as error:
        raise StorageError(f"{file}: not a manifest: {error}; {_DAMAGED}") from None
    except ValidationError as error:
        raise StorageError(f"{file}: not a manifest: {error.errors()[0]['msg']}; {_DAMAGED}") from None


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
