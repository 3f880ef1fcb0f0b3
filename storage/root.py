"""The one directory that holds everything a build reads again: whole objects under keys, never half of one."""

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from schemas.errors import RecipeError, StorageError


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


@dataclass(frozen=True)
class Root:
    """A local directory addressed by `/`-separated keys."""

    path: Path

    @classmethod
    def open(cls, location: str) -> "Root":
        """Return the root at a path, made if absent. Raises StorageError where it cannot be written."""
        if "://" in location:
            raise RecipeError(f"root {location!r}: only local directories are supported")
        root = cls(Path(location).absolute())
        with storage_errors(f"root {location}"):
            root.path.mkdir(parents=True, exist_ok=True)
            probe = root.path / f".probe-{secrets.token_hex(4)}"
            probe.write_bytes(b"")
            probe.unlink()
        return root

    def at(self, key: str) -> Path:
        """Return the local path of a key."""
        return self.path / key

    def exists(self, key: str) -> bool:
        return self.at(key).is_file()

    def read(self, key: str) -> bytes:
        """Return a whole object. Raises StorageError when there is none."""
        with storage_errors(str(self.at(key))):
            return self.at(key).read_bytes()

    def write(self, key: str, data: bytes) -> None:
        """Put a whole object: readers see the old one or the new one, never a part."""
        with storage_errors(str(self.at(key))), self.replacing(key) as temporary:
            temporary.write_bytes(data)

    @contextlib.contextmanager
    def replacing(self, key: str) -> Iterator[Path]:
        """Give a temporary path to write to; it becomes the object when the block ends well, and nothing otherwise."""
        target = self.at(key)
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
        with storage_errors(str(target)):
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
        directory = self.at(key)
        if not directory.is_dir():
            return []
        return sorted(
            entry.name
            for entry in os.scandir(directory)
            if entry.is_file() and entry.name.endswith(suffix) and not entry.name.startswith(".")
        )

    def folders(self, key: str) -> list[str]:
        """Return the sorted names of the folders directly under a key."""
        directory = self.at(key)
        if not directory.is_dir():
            return []
        return sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())

    def held(self, key: str) -> "Held | None":
        """Return what an object takes up, and since when; None where there is none."""
        try:
            found = self.at(key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Held(found.st_size, found.st_mtime, f"{found.st_dev}:{found.st_ino}", found.st_nlink)

    def every(self, folder: str) -> Iterator[str]:
        """Yield the keys of all objects under a folder, at any depth, temporary ones included."""
        for directory, _, names in os.walk(self.at(folder)):
            yield from (str((Path(directory) / name).relative_to(self.path)) for name in names)

    def remove_folder(self, folder: str) -> None:
        """Remove everything under a folder, a manifest first: what is left of it then counts as unfinished."""
        with storage_errors(str(self.at(folder))), contextlib.suppress(FileNotFoundError):
            self.at(f"{folder}/manifest.json").unlink(missing_ok=True)
            shutil.rmtree(self.at(folder))

    def touch(self, key: str) -> None:
        """Mark an object as in use; in a root that one may only read, nothing happens."""
        with contextlib.suppress(OSError):
            os.utime(self.at(key))

    def remove(self, key: str) -> None:
        with storage_errors(str(self.at(key))):
            self.at(key).unlink(missing_ok=True)

    def link(self, key: str, to: str) -> None:
        """Make an object known under a further key, without a copy where the file system can."""
        with storage_errors(str(self.at(to))), self.replacing(to) as temporary:
            try:
                os.link(self.at(key), temporary)
            except OSError:  # another file system, or one without hard links
                shutil.copyfile(self.at(key), temporary)
