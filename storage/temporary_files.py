"""Temporary files and folders that killed processes left under a root: what nothing will ever finish."""

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


def remove_here(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, of this machine; none there is well, too."""
    with storage_errors(str(path)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
