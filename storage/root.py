"""The one directory that holds everything a build reads again: whole objects under keys, never half of one."""

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from schemas.errors import RecipeError, StorageError
from schemas.record import clean_text
from schemas.secrets import masked


@contextlib.contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Turn an operating system's error into a StorageError that names the object and the way out."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            way_out = "the disk is full; free some space and run the same command again: every answer on disk is kept"
        elif error.errno == errno.EFBIG:
            way_out = "File too large: the limit of this system (ulimit -f); raise it and run the same command again"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            way_out = "not permitted; choose a root you may write to with --root"
        else:
            way_out = error.strerror or str(error)
        raise StorageError(f"{what}: {way_out}") from error


class Held(NamedTuple):
    """What one object takes up."""

    bytes: int
    modified: float
    """When it was put or touched, in seconds since 1970."""
    identity: str
    """Names its bytes: objects that were linked share them."""
    links: int
    """How many objects do."""


def held_at(path: Path) -> Held | None:
    """Return what a file takes up; None where there is none. Of a folder it says nothing but since when it stands."""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    size, links = (0, 1) if path.is_dir() else (found.st_size, found.st_nlink)
    return Held(size, found.st_mtime, f"{found.st_dev}:{found.st_ino}", links)


@dataclass(frozen=True)
class Root:
    """A local directory addressed by `/`-separated keys. `storage.object_root` keeps the same in a bucket."""

    path: Path
    """Where everything lies on this machine; of a bucket, the copies of what was read."""

    @classmethod
    def open(cls, location: str) -> "Root":
        """Return the root at a path, made if absent, or at s3://bucket/prefix. Raises StorageError, RecipeError."""
        if location.startswith("s3://"):
            from storage.object_root import open_bucket  # a client that a local root need not load

            return open_bucket(location)
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", location):
            raise RecipeError(f"root {masked(location)!r}: a root is a directory or s3://bucket/prefix")
        if not location.strip() or "\0" in location:
            raise RecipeError("root: must be a directory or s3://bucket/prefix, and no empty text or null character")
        root = cls(Path(location).absolute())
        if clean_text(str(root.path)) != str(root.path):
            raise RecipeError(f"root {root.path}: its name is not UTF-8; rename it, or choose another with --root")
        with storage_errors(f"root {location}"):
            try:
                root.path.mkdir(parents=True, exist_ok=True)
                probe = root.path / f".probe-{secrets.token_hex(4)}"
                probe.write_bytes(b"")
                probe.unlink()
            except (FileExistsError, NotADirectoryError):
                raise StorageError(f"root {location}: is no directory; choose another with --root") from None
            except FileNotFoundError as error:  # /proc and its like
                raise StorageError(f"root {location}: cannot be written there; choose another with --root") from error
        return root

    @property
    def is_local(self) -> bool:
        """Whether files may grow under the root and be locked."""
        return True

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
        """Forget this machine's copy of an object, so that it is fetched again; what is no copy stays."""

    def scratch(self, key: str) -> Path:
        """Return the path of a file that is this machine's alone, such as a lock, a log or an index; no object."""
        return self.path / key

    def exists(self, key: str) -> bool:
        return self.place(key).is_file()

    def size(self, key: str) -> int | None:
        """Return the bytes of an object, None where there is none."""
        try:
            return self.place(key).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, key: str) -> bytes:
        """Return a whole object as it is now. Raises StorageError when there is none."""
        with storage_errors(self.where(key)):
            return self.place(key).read_bytes()

    def sha256(self, key: str) -> str:
        """Return the SHA-256 of an object as it is now. Raises StorageError when there is none."""
        with storage_errors(self.where(key)), self.place(key).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def write(self, key: str, data: bytes) -> None:
        """Put a whole object: readers see the old one or the new one, never a part."""
        with storage_errors(self.where(key)), self.replacing(key) as temporary:
            temporary.write_bytes(data)

    def create(self, key: str, data: bytes) -> bool:
        """Put a whole object where none is; False where there is one. Of several at once, one succeeds."""
        target = self.place(key)
        temporary = _temporary(target)
        with storage_errors(self.where(key)):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                temporary.write_bytes(data)
                os.link(temporary, target)
            except FileExistsError:
                if target.is_dir():
                    raise StorageError(f"{target}: a directory stands where a file belongs; remove it") from None
                return False
            finally:
                temporary.unlink(missing_ok=True)
        return True

    def replace_if(self, key: str, old: bytes, new: bytes) -> bool:
        """Put a whole object where just `old` stands; False where something else does. Of several, one succeeds."""
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
        """Give a temporary path to write to; it becomes the object when the block ends well, and nothing otherwise."""
        target = self.place(key)
        temporary = _temporary(target)
        with storage_errors(self.where(key)):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                yield temporary
                with temporary.open("rb") as written:
                    os.fsync(written.fileno())
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)

    def names(self, key: str, suffix: str = "") -> list[str]:
        """Return the sorted names of the objects directly under a key, temporary ones left out."""
        directory = self.place(key)
        if not directory.is_dir():
            return []
        return sorted(
            entry.name
            for entry in os.scandir(directory)
            if entry.is_file() and entry.name.endswith(suffix) and not entry.name.startswith(".")
        )

    def folders(self, key: str) -> list[str]:
        """Return the sorted names of the folders directly under a key; none that is a link to another place."""
        directory = self.place(key)
        if not directory.is_dir():
            return []
        return sorted(entry.name for entry in os.scandir(directory) if entry.is_dir(follow_symlinks=False))

    def held(self, key: str) -> "Held | None":
        """Return what an object takes up, and since when; None where there is none."""
        return held_at(self.place(key))

    def every(self, folder: str) -> Iterator[str]:
        """Yield the keys of all objects under a folder, at any depth, temporary ones included."""
        for directory, _, names in os.walk(self.place(folder)):
            yield from (str((Path(directory) / name).relative_to(self.path)) for name in names)

    def remove_folder(self, folder: str) -> None:
        """Remove everything under a folder, a manifest first: what is left of it then counts as unfinished.

        Of a link, only the link is removed, never what it leads to.
        """
        with storage_errors(self.where(folder)), contextlib.suppress(FileNotFoundError):
            if self.place(folder).is_symlink():
                self.place(folder).unlink()
                return
            self.place(f"{folder}/manifest.json").unlink(missing_ok=True)
            shutil.rmtree(self.place(folder))

    def touch(self, key: str) -> None:
        """Mark an object as in use; in a root that one may only read, nothing happens."""
        with contextlib.suppress(OSError):
            os.utime(self.place(key))

    def remove(self, key: str) -> None:
        """Remove an object; none there is well, too."""
        with storage_errors(self.where(key)):
            self.place(key).unlink(missing_ok=True)

    def link(self, key: str, to: str) -> None:
        """Make an object known under a further key, without a copy where the file system can."""
        with storage_errors(self.where(to)), self.replacing(to) as temporary:
            try:
                os.link(self.place(key), temporary)
            except OSError:  # another file system, or one without hard links
                shutil.copyfile(self.place(key), temporary)


def _temporary(target: Path) -> Path:
    """Return a name beside an object that no listing shows."""
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
