"""What lies on this machine and nothing will ever ask for: files that were never finished, copies of what has gone."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from storage.root import Root, storage_errors

_FILE = re.compile(r"\..+\.[0-9a-f]{8}\.tmp|\.probe-[0-9a-f]{8}|\..+\.arrows\.tmp")
"""As `Root.replacing`, `Root.open` and the journal name them."""
_FOLDER = re.compile(r"\.milvus-[0-9a-f]+-\d+\.db")
"""An index of Milvus Lite on its way to its name."""


def temporary_files(root: Root) -> Iterator[Path]:
    """Yield the temporary files, and folders, under a root's local directory."""
    for directory, folders, names in os.walk(root.path):
        here = Path(directory)
        whole = [name for name in folders if _FOLDER.fullmatch(name)]
        yield from (here / name for name in whole)
        folders[:] = [name for name in folders if name not in whole]
        yield from (here / name for name in names if _FILE.fullmatch(name))


def stale_copies(root: Root) -> Iterator[Path]:
    """Yield the copies on this machine of objects that are in a bucket no more; a local root has no copies."""
    copies = root.place("")
    if root.is_local or not copies.is_dir():
        return
    for top in sorted(copies.iterdir()):
        there = {root.place(key) for key in root.every(top.name)}
        yield from (path for path in sorted(top.rglob("*")) if _is_copy(path) and path not in there)


def _is_copy(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def remove_here(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, of this machine; none there is well, too."""
    with storage_errors(str(path)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
