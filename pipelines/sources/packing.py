"""How packed files are unpacked as they are read."""

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa


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


OPENED: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open, ".zst": _zstd}
PACKINGS = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}
