"""Files that a person names: read whole where they are files, and refused where reading may never end."""

import errno
import os
import stat
from pathlib import Path

MAX_BYTES = 4 << 30


def read_regular(path: Path, most: int = MAX_BYTES) -> bytes:
    """Return what a file holds. Raises OSError, also for a device, a pipe, a directory, and more than `most` bytes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # else a pipe that nobody writes to holds us up here
    except ValueError:
        raise OSError(errno.EINVAL, "its name holds a null character") from None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        if found.st_size > most:
            raise OSError(errno.EFBIG, f"larger than {most >> 20:,} MiB")
        return file.read(most + 1)[:most]
