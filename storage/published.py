"""Published versions, of snapshots and of evaluations: immutable directories under a name, whole with their manifest.

<folder>/<name>/<version>/     data files, pages, and manifest.json, which is written last
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

import orjson
from pydantic import ValidationError

from schemas.errors import StorageError
from schemas.evaluation_manifest import EvaluationManifest
from schemas.manifest import Manifest
from storage.files import check_version
from storage.root import Root

STAMP = "%Y%m%dT%H%M%SZ"
"""How a version's name begins: when it was published."""
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_DAMAGED = "restore the file, or remove the version's folder"

AnyManifest = TypeVar("AnyManifest", Manifest, EvaluationManifest)


@dataclass(frozen=True)
class Published(Generic[AnyManifest]):
    """One published version."""

    root: Root
    key: str
    """`<folder>/<name>/<version>`"""
    manifest: AnyManifest

    @property
    def location(self) -> str:
        """Where it is, as people find it: a path or an address."""
        return self.root.where(self.key)

    def files(self, table: str) -> list[Path]:
        """Return the files of a table, by its published path; none where it has no rows."""
        entry = self.manifest.tables.get(table)
        return [self.root.at(f"{self.key}/{file.path}") for file in entry.files] if entry else []


AnyVersion = TypeVar("AnyVersion", bound=Published[Any])


def new_version(content_hash: str) -> tuple[str, str]:
    """Return the name of a version published now, and when that is, ISO 8601 to the millisecond."""
    now = datetime.now(UTC)
    return f"{now:{STAMP}}-{content_hash[:8]}", now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def manifest_at(root: Root, key: str, kind: type[AnyManifest], what: str) -> AnyManifest:
    """Return the manifest of the version at a key; `what` is what a version holds, such as "a snapshot".

    Raises StorageError where there is none that can be read.
    """
    file = root.where(f"{key}/manifest.json")
    if not root.exists(f"{key}/manifest.json"):
        raise StorageError(f"{root.where(key)}: not {what}, it has no manifest.json")
    try:
        tree = orjson.loads(root.read(f"{key}/manifest.json"))
        version = tree.get("format") if isinstance(tree, dict) else None
        if isinstance(version, int):
            check_version(version, file)
        return kind.model_validate(tree)
    except orjson.JSONDecodeError as error:
        raise StorageError(f"{file}: not a manifest: {error}; {_DAMAGED}") from None
    except ValidationError as error:
        first = error.errors()[0]
        fault = ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
        raise StorageError(f"{file}: not a manifest of {what}: {fault}; {_DAMAGED}") from None


def whole_versions(root: Root, folder: str, read: Callable[[Root, str], Published[AnyManifest]]) -> list[str]:
    """Return the whole versions under a name's folder, oldest first; those of one second by what their manifests say.

    `read` returns the version at a key.
    """
    there = [version for version in root.folders(folder) if root.exists(f"{folder}/{version}/manifest.json")]
    seconds = Counter(version.partition("-")[0] for version in there)

    def order(version: str) -> tuple[str, datetime, str]:
        second = version.partition("-")[0]
        # Of one that is alone no manifest need be read.
        return second, _EARLIEST if seconds[second] == 1 else _created(read, root, f"{folder}/{version}"), version

    return sorted(there, key=order)


def _created(read: Callable[[Root, str], Published[AnyManifest]], root: Root, key: str) -> datetime:
    """Return when a version was published. Of a damaged one nobody knows, so it is never the newest of several."""
    try:
        created = datetime.fromisoformat(read(root, key).manifest.created_at)
    except (StorageError, ValueError):
        return _EARLIEST
    return created if created.tzinfo else created.replace(tzinfo=UTC)


def version_with_content(
    root: Root, folder: str, content_hash: str, read: Callable[[Root, str], AnyVersion]
) -> AnyVersion | None:
    """Return the newest version under a name's folder that holds just this content, if one does."""
    for version in reversed(whole_versions(root, folder, read)):
        if version.endswith(f"-{content_hash[:8]}"):
            with contextlib.suppress(StorageError):  # a damaged version is no reason not to publish a whole one
                published = read(root, f"{folder}/{version}")
                if published.manifest.content_hash == content_hash:
                    return published
    return None


def publish_files(
    root: Root, folder: str, manifest: Manifest | EvaluationManifest, data: Mapping[str, str], pages: Mapping[str, str]
) -> None:
    """Publish a version: data files by the keys they have now, then pages, the manifest last.

    `data` maps paths in the version to keys under the root; `pages` maps paths to texts. Raises StorageError where a
    file is gone by then: a machine whose clock is days ahead takes a version that is being published for one left over.
    """
    for path, key in data.items():
        root.link(key, f"{folder}/{path}")
    for path, text in pages.items():
        root.write(f"{folder}/{path}", text.encode())
    root.write(f"{folder}/manifest.json", (manifest.model_dump_json(indent=1) + "\n").encode())
    if missing := [path for path in data if not root.exists(f"{folder}/{path}")]:
        root.remove(f"{folder}/manifest.json")
        raise StorageError(f"{root.where(f'{folder}/{missing[0]}')}: was removed while it was published; run again")
