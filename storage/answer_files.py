"""Files of answers: Parquet that knows whether its bytes are those that were written, a row group at a time.

    PAR1 | row groups of 512 answers at most, each page with its checksum | seal | footer | its length | PAR1

The seal stands where readers of Parquet do not look. It says where each row group begins and ends, and its SHA-256, and
has a copy of the footer: so damage anywhere leaves every row group readable that it did not touch. Older files have
neither seal nor checksums. They are held to what Arrow can tell, and to what ids and texts may look like.
"""

import hashlib
import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import DamagedError
from schemas.generation import GENERATIONS
from storage.files import storage_errors
from storage.segments import check_rows
from storage.tables import damage_named, filled, open_parquet

GROUP_ANSWERS = 512
_MAGIC = b"PAR1"
_SEAL = b"GRMSEAL1"
_SEALED = b"grmforge.sealed"
"""What a file's own metadata says, so that one whose seal is damaged is not taken for an older one."""
_SHA = hashlib.sha256().digest_size
_NONE = GENERATIONS.empty_table()


def write_answers(rows: pa.Table, path: Path) -> None:
    """Write answers as one file."""
    sink = pa.BufferOutputStream()
    # Dictionaries and statistics of texts that occur once cost more than the rows of a small bucket.
    pq.write_table(
        rows.replace_schema_metadata({**(GENERATIONS.metadata or {}), _SEALED: b"1"}),
        sink,
        row_group_size=GROUP_ANSWERS,
        compression="zstd",
        compression_level=1,
        use_dictionary=False,
        write_statistics=False,
        write_page_checksum=True,
    )
    written = memoryview(sink.getvalue())
    (length,) = struct.unpack("<I", written[-8:-4])
    pages, footer = written[: -8 - length], written[-8 - length : -8]
    metadata = pq.read_metadata(pa.BufferReader(written))
    starts = [metadata.row_group(group).column(0).data_page_offset for group in range(metadata.num_row_groups)]
    ends = [*starts[1:], len(pages)]
    described = orjson.dumps(
        [(start, end, _sha(pages[start:end]).hex()) for start, end in zip(starts, ends, strict=False)]
    )
    seal = b"".join([_SEAL, struct.pack("<II", len(described), length), described, footer])
    with path.open("wb") as file:
        file.writelines([pages, seal, _sha(seal), written[-8 - length :]])


def is_whole(path: Path) -> bool:
    """Say whether every byte of a file is as it was written, as far as that can be known; each is read once.

    Raises StorageError where the disk fails.
    """
    with storage_errors(str(path)):
        status = path.stat()
    return _is_whole(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16_384)
def _is_whole(path: Path, size: int, mtime_ns: int) -> bool:
    data = _bytes(path)
    seal = _seal_of(data)
    if seal is not None:
        return seal.is_end_sound and all(_sha(data[start:end]) == sha for start, end, sha in seal.groups)
    is_sound = all(lost == 0 for _, lost in _unsealed_groups(path))
    return is_sound and _SEALED not in (open_parquet(path).schema_arrow.metadata or {})


def sound_answers(path: Path) -> tuple[pa.Table, int | None]:
    """Return the answers in the row groups that are as they were written, and how many others there were, if known."""
    data = _bytes(path)
    seal = _seal_of(data)
    tables, lost = [_NONE], 0
    for rows, missing in _unsealed_groups(path) if seal is None else _sealed_groups(data, seal):
        if missing is None:
            return _NONE, None
        tables.append(rows)
        lost += missing
    return pa.concat_tables(tables), lost


class _Seal(NamedTuple):
    """What a seal says, once its own hash was found right."""

    groups: list[tuple[int, int, bytes]]
    footer: memoryview
    pages: memoryview
    is_end_sound: bool
    """Whether the footer behind it is the one that was written."""


def _seal_of(data: memoryview) -> _Seal | None:
    """Return a file's seal; None where it has none, or none that can be believed."""
    at = bytes(data).rfind(_SEAL)
    if at < 0 or at + 16 > len(data):
        return None
    described, length = struct.unpack("<II", data[at + 8 : at + 16])
    footer = at + 16 + described
    end = footer + length
    if _sha(data[at:end]) != data[end : end + _SHA]:
        return None
    groups = [(start, stop, bytes.fromhex(sha)) for start, stop, sha in orjson.loads(data[at + 16 : footer])]
    is_end_sound = data[end + _SHA :] == _end_of(data[footer:end]) and data[:4] == _MAGIC
    return _Seal(groups, data[footer:end], data[:at], is_end_sound)


def _end_of(footer: memoryview) -> bytes:
    return b"".join([footer, struct.pack("<I", len(footer)), _MAGIC])


def _sealed_groups(data: memoryview, seal: _Seal) -> Iterator[tuple[pa.Table, int]]:
    """Yield each row group's answers and how many cannot be read."""
    file = pq.ParquetFile(pa.BufferReader(b"".join([_MAGIC, seal.pages[4:], _end_of(seal.footer)])))
    for group, (start, end, sha) in enumerate(seal.groups):
        if _sha(data[start:end]) == sha:
            yield filled(file.read_row_group(group), GENERATIONS), 0
        else:
            yield _NONE, file.metadata.row_group(group).num_rows


def _unsealed_groups(path: Path) -> Iterator[tuple[pa.Table, int | None]]:
    """Yield the same of a file without a seal; one None where not even its footer can be read."""
    try:
        file = open_parquet(path)
    except (DamagedError, ValueError):
        yield _NONE, None
        return
    for group in range(file.num_row_groups):
        try:
            with damage_named(path):
                rows = filled(file.read_row_group(group), GENERATIONS)
                check_rows(rows)
            yield rows, 0
        except (DamagedError, ValueError):
            yield _NONE, file.metadata.row_group(group).num_rows


def _bytes(path: Path) -> memoryview:
    with storage_errors(str(path)):
        return memoryview(path.read_bytes())


def _sha(data: memoryview | bytes) -> bytes:
    return hashlib.sha256(data).digest()
