"""A root that is only looked at: one that cannot be written gets a place for what is worked out on the way."""

import contextlib
import errno
import tempfile
from collections.abc import Iterator
from pathlib import Path

from schemas.errors import StorageError
from storage.root import Root, storage_errors

_CANNOT_WRITE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOENT}
_DEPTHS = {"stages": 2, "origins": 1}
"""Folders that looking writes to, and below how many of their levels nothing does."""


@contextlib.contextmanager
def root_to_look_at(location: str) -> Iterator[Root]:
    """Give the root at a path; where it cannot be written, one that shows it and keeps what is made for this time only.

    Raises StorageError and RecipeError as `Root.open` does, but not for a root that one may only read.
    """
    try:
        root = Root.open(location)
    except StorageError as error:
        cause = error.__cause__
        if "://" in location or not isinstance(cause, OSError) or cause.errno not in _CANNOT_WRITE:
            raise
    else:
        yield root
        return
    with contextlib.ExitStack() as stack:
        with storage_errors(f"root {location} cannot be written, nor can a temporary directory"):
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="grmforge-")))
            below = Path(location).absolute()
            if below.is_dir():
                _show(below, scratch, None)
        yield Root(scratch)


def _show(below: Path, above: Path, depth: int | None) -> None:
    """Make what stands in a folder appear in another, down to the folders that get new entries."""
    for entry in below.iterdir():
        levels = _DEPTHS.get(entry.name, 0) if depth is None else depth - 1
        target = above / entry.name
        if levels > 0 and entry.is_dir():
            target.mkdir()
            _show(entry, target, levels)
        elif (
            depth is None or entry.is_file() or (entry / "manifest.json").is_file()
        ):  # an unfinished stage is made anew
            target.symlink_to(entry)
