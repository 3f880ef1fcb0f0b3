"""Answers as tables, and their files: Parquet that knows whether its bytes are those that were written, by row group.

    PAR1 | row groups of 512 answers at most, each page with its checksum | seal | footer | its length | PAR1

The seal stands where readers of Parquet do not look. It says where each row group begins and ends, and its SHA-256, and
has a copy of the footer: so damage anywhere leaves every row group readable that it did not touch. Older files have
neither seal nor checksums. They are held to what Arrow can tell, and to what ids and texts may look like.
"""

import hashlib
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.columns import may_hold_thoughts
from schemas.errors import DamagedError
from schemas.generation import GENERATIONS
from schemas.record import BUCKETS
from schemas.thoughts import split_thoughts, with_thoughts
from storage.files import storage_errors
from storage.segments import check_rows
from storage.tables import damage_named, filled, in_buckets, open_parquet

GROUP_ANSWERS = 512
FOLD_ROWS = 8_192
"""Rows of a journal that are sorted into buckets at a time."""
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
    place = bytes(data).rfind(_SEAL)
    if place < 0 or place + 16 > len(data):
        return None
    described, length = struct.unpack("<II", data[place + 8 : place + 16])
    footer = place + 16 + described
    end = footer + length
    if _sha(data[place:end]) != data[end : end + _SHA]:
        return None
    groups = [(start, stop, bytes.fromhex(sha)) for start, stop, sha in orjson.loads(data[place + 16 : footer])]
    is_end_sound = data[end + _SHA :] == _end_of(data[footer:end]) and data[:4] == _MAGIC
    return _Seal(groups, data[footer:end], data[:place], is_end_sound)


def _end_of(footer: memoryview) -> bytes:
    return b"".join([footer, struct.pack("<I", len(footer)), _MAGIC])


def _sealed_groups(data: memoryview, seal: _Seal) -> Iterator[tuple[pa.Table, int]]:
    """Yield each row group's answers and how many cannot be read."""
    file = pq.ParquetFile(pa.BufferReader(b"".join([_MAGIC, seal.pages[4:], _end_of(seal.footer)])))
    for group, (start, end, sha) in enumerate(seal.groups):
        is_sound = _sha(data[start:end]) == sha
        lost = 0 if is_sound else file.metadata.row_group(group).num_rows
        yield filled(file.read_row_group(group), GENERATIONS) if is_sound else _NONE, lost


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


def by_bucket(batches: Iterable[pa.Table], buckets: Collection[int] = range(BUCKETS)) -> Mapping[int, pa.Table]:
    """Return the rows of each of these buckets; beside them, only some thousands of rows are held twice."""
    parts: dict[int, list[pa.Table]] = {}
    for rows in _joined(in_buckets(batch, buckets) for batch in batches):
        query_ids = pl.Series(rows.column("query_id"), dtype=pl.String)
        bucket_of_rows = query_ids.str.slice(0, 2).str.to_integer(base=16, dtype=pl.UInt8)
        order = bucket_of_rows.arg_sort()
        ordered = rows.take(order.to_arrow())
        start = 0
        for bucket, length in bucket_of_rows.gather(order).rle().struct.unnest().select("value", "len").iter_rows():
            parts.setdefault(bucket, []).append(ordered.slice(start, length))
            start += length
    return {bucket: pa.concat_tables(tables) for bucket, tables in parts.items()}


def _joined(batches: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the rows of many small batches as tables of some thousands."""
    waiting: list[pa.Table] = []
    waiting_rows = 0
    for batch in batches:
        waiting.append(batch)
        waiting_rows += batch.num_rows
        if waiting_rows >= FOLD_ROWS:
            yield pa.concat_tables(waiting).combine_chunks()
            waiting, waiting_rows = [], 0
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def without_thoughts(answers: pa.Table) -> pa.Table:
    """Return answers without the thoughts that stand in their text; those join the reasoning.

    Earlier versions stored such texts. Only those that can hold thoughts are looked at one by one.
    """
    frame = pl.DataFrame(answers.select(["text", "reasoning"]))
    places = may_hold_thoughts(frame["text"])
    if places.is_empty():
        return answers
    texts, reasonings = [], []
    for text, reasoning in frame[places].iter_rows():
        answer, thoughts = split_thoughts(text)
        texts.append(answer)
        reasonings.append(with_thoughts(reasoning, thoughts))
    for name, values in (("text", texts), ("reasoning", reasonings)):
        column = frame[name].scatter(places, pl.Series(values, dtype=pl.String)).to_arrow().cast(pa.string())
        answers = answers.set_column(answers.column_names.index(name), answers.schema.field(name), column)
    return answers


def earliest(table: pa.Table) -> pa.Table:
    """Keep one row a request: answers before errors, then the earliest."""
    keys = pl.DataFrame(
        {
            "request_id": pl.from_arrow(table.column("request_id")),
            "failed": pl.from_arrow(table.column("error").is_valid()),
            "created_at": pl.from_arrow(table.column("created_at")),
        }
    ).with_row_index()
    kept = keys.sort("failed", "created_at", "index").unique("request_id", keep="first", maintain_order=True)
    return table.take(kept["index"].sort().to_arrow())
