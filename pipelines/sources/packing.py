"""Files opened plain or packed, by their ending: unpacked as they are read, and never without end."""

import bz2
import contextlib
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from schemas.errors import SourceError

MAX_UNPACKED = 1 << 30
BOMB_RATIO = 200
"""A packed file that grows more than this, and beyond `MAX_UNPACKED`, is a bomb; text grows 3 to 30 times."""


class _Zstd(io.RawIOBase):
    """What a zstd file unpacks to, with its position, which Arrow's stream does not tell."""

    def __init__(self, path: Path) -> None:
        self._stream, self._position = pa.input_stream(path, compression="zstd"), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._stream.read(len(buffer))
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        self._stream.close()
        super().close()


def _zstd(path: Path) -> BinaryIO:
    return io.BufferedReader(_Zstd(path))


_OPENED: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open, ".zst": _zstd}
_PACKINGS = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}


@contextlib.contextmanager
def opened(path: Path, name: str) -> Iterator[BinaryIO]:
    """Open a file for reading. Raises SourceError for a packed one that is truncated, damaged or something else."""
    packing = _PACKINGS.get(path.suffix.lower())
    if packing is None:
        with path.open("rb") as file:
            yield file
        return
    try:
        with _OPENED[path.suffix.lower()](path) as file:
            yield file
    except EOFError:
        raise SourceError(f"{name}: the {packing} file is truncated; download it again") from None
    except (zlib.error, lzma.LZMAError) as error:
        raise SourceError(f"{name}: the {packing} file is damaged: {error}") from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise SourceError(f"{name}: not a {packing} file, or a damaged one") from None


def is_packed(path: Path) -> bool:
    """Say whether a file is unpacked as it is read, by its ending."""
    return path.suffix.lower() in _OPENED


def check_growth(file: BinaryIO, path: Path, name: str) -> None:
    """Raise SourceError where a packed file, read so far, is a bomb."""
    if is_packed(path) and file.tell() > max(MAX_UNPACKED, BOMB_RATIO * path.stat().st_size):
        raise SourceError(f"{name}: grows more than {BOMB_RATIO} times when unpacked; not read further")
