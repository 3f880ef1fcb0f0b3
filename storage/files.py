"""Files of this machine: written whole, read safely, and named with the way out where something fails."""

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from schemas.errors import StorageError
from schemas.record import FORMAT

MAX_BYTES = 4 << 30
_TEMPORARY_FILE = re.compile(r"\..+\.[0-9a-f]{8}\.tmp|\.probe-[0-9a-f]{8}|\..+\.arrows\.tmp")
"""As `temporary_name`, `make_writable` and the journal name them."""
_TEMPORARY_FOLDER = re.compile(r"\.milvus-[0-9a-f]+-\d+\.db")
"""An index of Milvus Lite on its way to its name."""


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


def check_version(version: int, where: str) -> None:
    """Raise StorageError when a file was written by a grmforge of a newer format."""
    if version > FORMAT:
        raise StorageError(f"{where}: written in format {version}, this grmforge reads up to {FORMAT}: upgrade it")


class Held(NamedTuple):
    """What one object takes up."""

    bytes: int
    modified: float
    """When it was put or touched, in seconds since 1970."""
    identity: str
    """Names its bytes: objects that were linked share them."""
    links: int
    """How many objects share them."""


def held_at(path: Path) -> Held | None:
    """Return what a file takes up; None where there is none. A folder takes up nothing, and has its time only."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    size, links = (0, 1) if path.is_dir() else (status.st_size, status.st_nlink)
    return Held(size, status.st_mtime, f"{status.st_dev}:{status.st_ino}", links)


def temporary_name(target: Path) -> Path:
    """Return a name beside a file that no listing shows."""
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")


@contextlib.contextmanager
def becoming(path: Path, durable: bool = True) -> Iterator[Path]:
    """Give a temporary path to write to. It becomes the file when the block ends well, and nothing otherwise.

    A durable file is on the disk before it gets its name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        yield temporary
        if durable:
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def create_file(path: Path, data: bytes) -> bool:
    """Write a whole file where none is; False where there is one. Of several at once, one succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        temporary.write_bytes(data)
        os.link(temporary, path)
    except FileExistsError:
        if path.is_dir():
            raise StorageError(f"{path}: a directory stands where a file belongs; remove it") from None
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def make_writable(folder: Path, what: str) -> None:
    """Make a folder, if it is not there. Raises StorageError where no file can be written in it."""
    with storage_errors(what):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".probe-{secrets.token_hex(4)}"
            probe.write_bytes(b"")
            probe.unlink()
        except (FileExistsError, NotADirectoryError):
            raise StorageError(f"{what}: is no directory; choose another with --root") from None
        except FileNotFoundError as error:  # /proc and its like
            raise StorageError(f"{what}: cannot be written there; choose another with --root") from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes. Raises StorageError."""
    with storage_errors(str(path)), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_regular(path: Path, most: int = MAX_BYTES) -> bytes:
    """Return what a file that a person named holds.

    Raises OSError, also for a device, a pipe, a directory, and more than `most` bytes: reading them may never end.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe that nobody writes to would block
    except ValueError:
        raise OSError(errno.EINVAL, "its name holds a null character") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        if status.st_size > most:
            raise OSError(errno.EFBIG, f"larger than {most >> 20:,} MiB")
        return file.read(most + 1)[:most]


def temporary_files(folder: Path) -> Iterator[Path]:
    """Yield the files and folders below a folder that were never finished; nothing will ever ask for them."""
    for directory, folders, names in os.walk(folder):
        unfinished = [name for name in folders if _TEMPORARY_FOLDER.fullmatch(name)]
        folders[:] = [name for name in folders if name not in unfinished]
        unfinished += [name for name in names if _TEMPORARY_FILE.fullmatch(name)]
        yield from (Path(directory, name) for name in unfinished)


def remove_here(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, from this machine. A missing one is not an error."""
    with storage_errors(str(path)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def shown_names(names: Iterable[str], suffix: str) -> list[str]:
    """Return those of the names with a suffix, sorted; temporary files are never shown."""
    return sorted(name for name in names if name.endswith(suffix) and not name.startswith("."))


_MARKS = {".parquet": b"PAR1", ".arrow": b"ARROW1"}
"""What a table's file begins and ends with."""


def is_whole_copy(copy: Path) -> bool:
    """Say whether a copy of an object is there. A table's file that lost its beginning or its end is not."""
    mark = _MARKS.get(copy.suffix)
    if mark is None or not copy.is_file():
        return copy.is_file()
    with copy.open("rb") as file:
        beginning = file.read(len(mark))
        file.seek(max(0, copy.stat().st_size - len(mark)))
        return beginning == file.read() == mark
