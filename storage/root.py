"""The one place that holds everything a build reads again: whole objects under keys, never half of one.

A root is a directory, or a bucket of object storage with the same keys (`storage.bucket`). Some of its objects are
records: one JSON object each, which says its format.
"""

import contextlib
import errno
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import RecipeError, StorageError
from schemas.record import FORMAT, canonical_json, clean_text
from schemas.secrets import masked
from storage.files import (
    Held,
    becoming,
    check_version,
    create_file,
    held_at,
    make_writable,
    sha256_of,
    shown_names,
    storage_errors,
)


@dataclass(frozen=True)
class Root:
    """A local directory addressed by `/`-separated keys. `storage.bucket.BucketRoot` keeps the same in a bucket."""

    path: Path
    """Where everything lies on this machine. For a bucket: its copies, and what is this machine's alone."""
    is_local: ClassVar[bool] = True
    """Whether files may grow under the root and be locked."""

    @classmethod
    def open(cls, location: str) -> "Root":
        """Return the root at a path, made if absent, or at s3://bucket/prefix. Raises StorageError, RecipeError."""
        if location.startswith("s3://"):
            from storage.bucket import bucket_root  # its client takes a while to load

            return bucket_root(location)
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", location):
            raise RecipeError(f"root {masked(location)!r}: a root is a directory or s3://bucket/prefix")
        if not location.strip() or "\0" in location:
            raise RecipeError("root: must be a directory or s3://bucket/prefix, and no empty text or null character")
        root = cls(Path(location).absolute())
        if clean_text(str(root.path)) != str(root.path):
            raise RecipeError(f"root {root.path}: its name is not UTF-8; rename it, or choose another with --root")
        make_writable(root.path, f"root {location}")
        return root

    def where(self, key: str = "") -> str:
        """Return how people find a key: its path, or its address."""
        return str(self.path / key)

    def place(self, key: str) -> Path:
        """Return the path that a key has on this machine, whether there is something or not."""
        return self.path / key

    def at(self, key: str) -> Path:
        """Return a path on this machine to read an object from that never changes. Raises StorageError."""
        return self.place(key)

    def drop_copy(self, key: str) -> None:
        """Forget this machine's copy of an object, so that it is fetched again. Without copies, nothing happens."""

    def stale_copies(self) -> Iterator[Path]:
        """Yield this machine's copies of objects that are no longer there."""
        yield from ()

    def scratch(self, key: str) -> Path:
        """Return the path of a file that is this machine's alone, such as a lock, a log or an index; no object."""
        return self.path / key

    def exists(self, key: str) -> bool:
        return self.place(key).is_file()

    def size(self, key: str) -> int | None:
        """Return the bytes of an object, None where there is none."""
        held = self.held(key)
        return None if held is None else held.bytes

    def held(self, key: str) -> Held | None:
        """Return what an object takes up, and since when; None where there is none."""
        return held_at(self.place(key))

    def read(self, key: str) -> bytes:
        """Return a whole object as it is now. Raises StorageError when there is none."""
        with storage_errors(self.where(key)):
            return self.place(key).read_bytes()

    def sha256(self, key: str) -> str:
        """Return the SHA-256 of an object as it is now. Raises StorageError when there is none."""
        return sha256_of(self.place(key))

    def write(self, key: str, data: bytes) -> None:
        """Put a whole object: readers see the old one or the new one, never a part."""
        with self.replacing(key) as temporary:
            temporary.write_bytes(data)

    def create(self, key: str, data: bytes) -> bool:
        """Put a whole object where none is; False where there is one. Of several at once, one succeeds."""
        with storage_errors(self.where(key)):
            return create_file(self.place(key), data)

    def replace_if(self, key: str, old: bytes, new: bytes) -> bool:
        """Put a whole object in the place of exactly `old`; False where something else is. Of several, one succeeds."""
        target = self.place(key)
        with storage_errors(self.where(key)):
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.with_name(f".{target.name}.lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not target.is_file() or target.read_bytes() != old:
                    return False
                self.write(key, new)
        return True

    @contextlib.contextmanager
    def replacing(self, key: str) -> Iterator[Path]:
        """Give a temporary path to write to. It becomes the object when the block ends well, and nothing otherwise."""
        with storage_errors(self.where(key)), becoming(self.place(key)) as temporary:
            yield temporary

    def names(self, key: str, suffix: str = "") -> list[str]:
        """Return the sorted names of the objects directly under a key, temporary ones left out."""
        directory = self.place(key)
        entries = os.scandir(directory) if directory.is_dir() else ()
        return shown_names((entry.name for entry in entries if entry.is_file()), suffix)

    def folders(self, key: str) -> list[str]:
        """Return the sorted names of the folders directly under a key, without links to other places."""
        directory = self.place(key)
        entries = os.scandir(directory) if directory.is_dir() else ()
        return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))

    def every(self, folder: str) -> Iterator[str]:
        """Yield the keys of all objects under a folder, at any depth, temporary ones included."""
        for directory, _, names in os.walk(self.place(folder)):
            yield from (str((Path(directory) / name).relative_to(self.path)) for name in names)

    def remove_folder(self, folder: str) -> None:
        """Remove everything under a folder, a manifest first: what is left then counts as unfinished.

        Of a link, only the link is removed, never what it leads to.
        """
        with storage_errors(self.where(folder)), contextlib.suppress(FileNotFoundError):
            if self.place(folder).is_symlink():
                self.place(folder).unlink()
                return
            self.place(f"{folder}/manifest.json").unlink(missing_ok=True)
            shutil.rmtree(self.place(folder))

    def touch(self, key: str) -> None:
        """Mark an object as in use. In a root that one may only read, nothing happens."""
        with contextlib.suppress(OSError):
            os.utime(self.place(key))

    def remove(self, key: str) -> None:
        """Delete an object. A missing object is not an error."""
        with storage_errors(self.where(key)):
            self.place(key).unlink(missing_ok=True)

    def link(self, key: str, to: str) -> None:
        """Make an object known under a further key, without a copy where the file system can."""
        with self.replacing(to) as temporary:
            try:
                os.link(self.place(key), temporary)
            except OSError:  # another file system, or one without hard links
                shutil.copyfile(self.place(key), temporary)


_CANNOT_WRITE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOENT}
_DEPTHS = {"stages": 2, "origins": 1}
"""Folders that looking writes to, and how many of their levels get new entries."""


@contextlib.contextmanager
def root_to_look_at(location: str) -> Iterator[Root]:
    """Give the root at a path. For one that cannot be written, give one that shows it and keeps nothing that is made.

    Raises StorageError and RecipeError as `Root.open` does, but not for a root that one may only read.
    """
    with contextlib.ExitStack() as stack:
        try:
            root = Root.open(location)
        except StorageError as error:
            cause = error.__cause__
            if "://" in location or not isinstance(cause, OSError) or cause.errno not in _CANNOT_WRITE:
                raise
            with storage_errors(f"root {location} cannot be written, nor can a temporary directory"):
                root = Root(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="grmforge-"))))
                original = Path(location).absolute()
                for entry in original.iterdir() if original.is_dir() else ():
                    _show(entry, root.path / entry.name, _DEPTHS.get(entry.name, 0))
        yield root


def _show(entry: Path, target: Path, levels: int) -> None:
    """Link to a file or a folder; a folder that gets new entries is made anew, with links to what is in it."""
    if not levels or not entry.is_dir():
        target.symlink_to(entry)
        return
    target.mkdir()
    for below in entry.iterdir():
        is_unfinished = levels == 1 and below.is_dir() and not (below / "manifest.json").is_file()
        if not is_unfinished:  # an unfinished stage is made anew
            _show(below, target / below.name, levels - 1)


class KeptRecord(BaseModel):
    """A record that lies in a file as exactly its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    format: int = FORMAT

    @property
    def file_key(self) -> str:
        """Where it lies under the root."""
        raise NotImplementedError


Kept = TypeVar("Kept", bound=KeptRecord)


def write_record(root: Root, record: Kept, **changes: Any) -> Kept:
    """Write a record with these changes, and return it. Whatever follows may rely on it."""
    changed = record.model_copy(update=changes)
    root.write(changed.file_key, canonical_json(changed.model_dump(mode="json")))
    return changed


def read_record(root: Root, key: str, kind: type[Kept], way_out: str) -> Kept:
    """Return the record at a key. Raises StorageError, with the way out, for one that cannot be read."""
    try:
        tree = orjson.loads(root.read(key))
        check_version(tree["format"], root.where(key))
        return kind.model_validate(tree)
    except (orjson.JSONDecodeError, ValidationError, KeyError, TypeError) as error:
        raise StorageError(f"{root.where(key)} cannot be read ({type(error).__name__}); {way_out}") from None
