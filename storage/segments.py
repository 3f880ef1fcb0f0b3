"""A journal segment's bytes: an Arrow IPC stream of GENERATIONS, of which each batch carries its own hash.

    schema message | batch message, batch message, .. | end

The hash stands in the batch's custom metadata, which older readers pass over. It covers the schema message and the
whole batch message, its own digits read as zeros. Segments of before have none; what Arrow can tell of them is used.

A tail that a kill has torn is no damage. A batch that cannot be read though its bytes are all there, or though others
or the end stand behind it, is: the batches behind it are found by the mark that every message begins with.
"""

import hashlib
import re
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from schemas.generation import GENERATIONS
from storage.root import storage_errors
from storage.tables import check_format, filled

_MARK = b"\xff\xff\xff\xff"
END = _MARK + bytes(4)
_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd")
_SCHEMA = GENERATIONS.with_metadata({**(GENERATIONS.metadata or {}), b"grmforge.checks": b"1"})
_BLANK = "0" * 32
_CHECK = re.compile(rb"grmforge\.batch:([0-9a-f]{8}):\1:([0-9a-f]{32})")
"""The number of answers stands twice, so that one whose digit was hit is none."""
_BEGINS = re.compile(rb"(?=\xff\xff\xff\xff..[\x00-\x0f]\x00)", re.DOTALL)
"""How a message begins: the mark, and the length of its metadata, below a megabyte."""
_TRIES = 10_000
"""Places behind damage that are looked at, which bounds the time."""
_UNREADABLE = (pa.ArrowException, ValueError, EOFError, MemoryError, KeyError)


def _head() -> bytes:
    sink = pa.BufferOutputStream()
    pa.ipc.new_stream(sink, _SCHEMA, options=_OPTIONS).close()
    return bytes(sink.getvalue())[: -len(END)]


HEAD = _head()
"""What a segment begins with."""


def message_of(batch: pa.RecordBatch) -> bytes:
    """Return a batch as a segment holds it."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, _SCHEMA, options=_OPTIONS) as stream:
        rows = f"{batch.num_rows:08x}"
        stream.write_batch(batch, custom_metadata={"check": f"grmforge.batch:{rows}:{rows}:{_BLANK}"})
    written = sink.getvalue()
    message = bytearray(memoryview(written)[len(HEAD) : written.size - len(END)])
    metadata = 8 + int.from_bytes(message[4:8], "little")
    check = _CHECK.search(message, 8, metadata)
    assert check is not None
    at = check.start(2)
    message[at : check.end(2)] = _digest(HEAD[8:], bytes(message[8:metadata]), memoryview(message)[metadata:]).encode()
    return bytes(message)


def _digest(head: bytes, metadata: bytes, body: "memoryview | pa.Buffer") -> str:
    found = hashlib.sha256(head)
    found.update(metadata)
    found.update(body)
    return found.hexdigest()[: len(_BLANK)]


@dataclass(frozen=True, slots=True)
class _Head:
    """What the first message of a segment says, or what is taken in its place."""

    schema: pa.Schema
    bytes: bytes
    end: int
    is_checked: bool
    """Whether a batch without a hash is damaged."""


def read_segment(path: Path, damage: list[int | None] | None = None) -> Iterator[pa.Table]:
    """Yield a segment's whole batches; a torn tail is lost with its writer.

    A segment that has gone meanwhile has none: its answers are in the buckets. `damage` gets an entry for each stretch
    that cannot be read: how many answers it held, None where nobody knows.
    """
    with ExitStack() as stack:
        stack.enter_context(storage_errors(str(path)))
        try:
            file = stack.enter_context(pa.OSFile(str(path)))
        except FileNotFoundError:
            return
        size = file.size()
        head = _read_head(file, size, str(path))
        at = head.end
        while at < size:
            if (found := _batch_at(file, at, size, head)) is not None:
                rows, at = found
                yield rows
                continue
            if at + len(END) == size and _bytes(file, at, size) == END:
                return
            rest = _bytes(file, at, size)
            behind = _whole_behind(rest, head)
            is_whole = _message_at(file, at, size) is not None
            if behind is None and not is_whole and not rest.endswith(END):
                return  # torn
            if damage is not None:
                damage.append(_rows_said(rest[:behind]))
            if behind is None:
                return
            at += behind


def is_readable(path: Path) -> bool:
    """Say whether a file begins as a journal does, as far as its writer came before it was killed."""
    with storage_errors(str(path)), path.open("rb") as file:
        return _MARK.startswith(file.read(len(_MARK)))


def _read_head(file: pa.NativeFile, size: int, where: str) -> _Head:
    """Return what a segment begins with; where that is damaged, what a writer of today would have put there.

    Raises StorageError for a segment of a newer format.
    """
    ours = _Head(GENERATIONS, HEAD[8:], min(len(HEAD), size), False)
    found = _message_at(file, 0, size)
    if found is None or found[0].type != "schema":
        return ours if _batch_at(file, ours.end, size, ours) else _Head(GENERATIONS, HEAD[8:], 0, False)
    message, end = found
    schema = None
    with _damage_passed_over():
        schema = pa.ipc.read_schema(message)
    if schema is None:
        return ours
    metadata = schema.metadata or {}
    head = _Head(schema, message.metadata.to_pybytes(), end, b"grmforge.checks" in metadata)
    if head.bytes == ours.bytes:
        return head
    if _batch_at(file, len(HEAD), size, _Head(GENERATIONS, HEAD[8:], len(HEAD), True)):
        return ours  # the batch says what its schema was
    check_format(metadata, where)
    known = {field.name: field.type for field in GENERATIONS}
    try:
        is_ours = all(known.get(field.name) == field.type for field in schema)
    except UnicodeDecodeError:
        is_ours = False
    return head if is_ours else _Head(GENERATIONS, head.bytes, end, head.is_checked)


def _message_at(file: pa.NativeFile, at: int, size: int) -> tuple[pa.ipc.Message, int] | None:
    """Return the message that begins at a place and where it ends; None where none is whole there.

    Raises OSError where the disk fails.
    """
    prefix = _bytes(file, at, at + 8)
    if len(prefix) < 8 or not prefix.startswith(_MARK):
        return None
    (length,) = struct.unpack_from("<i", prefix, 4)
    if not 0 < length <= size - at - 8:
        return None
    file.seek(at)
    with _damage_passed_over():
        return pa.ipc.read_message(file), file.tell()
    return None


def _batch_at(file: pa.NativeFile, at: int, size: int, head: _Head) -> tuple[pa.Table, int] | None:
    """Return the rows of the batch at a place and where it ends; None where none is whole there, as it was written."""
    found = _message_at(file, at, size)
    if found is None or found[0].type != "record batch":
        return None
    message, end = found
    metadata = message.metadata.to_pybytes()
    check = _CHECK.search(metadata)
    schema = head.schema
    if check is not None:
        blank = metadata[: check.start(2)] + _BLANK.encode() + metadata[check.end(2) :]
        digest = check[2].decode()
        if _digest(head.bytes, blank, message.body) != digest:
            if head.bytes == HEAD[8:] or _digest(HEAD[8:], blank, message.body) != digest:
                return None
            schema = GENERATIONS
    elif head.is_checked:
        return None
    with _damage_passed_over():
        rows = filled(pa.Table.from_batches([pa.ipc.read_record_batch(message, schema)]), GENERATIONS)
        if check is None:
            check_rows(rows)
        return rows, end
    return None


@contextmanager
def _damage_passed_over() -> Iterator[None]:
    """Swallow what Arrow raises for bytes that it cannot read, but not an error of the disk.

    Arrow raises OSError, too, for a message that is too short or has no type. That error has no errno.
    """
    try:
        yield
    except _UNREADABLE:
        pass
    except OSError as error:
        if error.errno:
            raise


def check_rows(rows: pa.Table) -> None:
    """Raise ValueError, or Arrow's error, where rows without a hash cannot be what was written."""
    rows.validate(full=True)
    for name in ("request_id", "query_id"):
        ids = rows.column(name)
        if ids.null_count or not pc.all(pc.match_substring_regex(ids, "^[0-9a-f]{32}$"), min_count=0).as_py():
            raise ValueError(f"{name}: no id of ours")


def _whole_behind(rest: bytes, head: _Head) -> int | None:
    """Return where, behind an unreadable beginning, the next whole batch begins."""
    file = pa.BufferReader(rest)
    for tried, found in enumerate(_BEGINS.finditer(rest, 1)):
        if tried == _TRIES:
            return None
        if _batch_at(file, found.start(), len(rest), head) is not None:
            return found.start()
    return None


def _rows_said(lost: bytes) -> int | None:
    """Return how many answers the batches in an unreadable stretch say that they hold, if they still say so."""
    said = [int(rows, 16) for rows, _ in _CHECK.findall(lost)]
    return sum(said) if said else None


def _bytes(file: pa.NativeFile, start: int, end: int) -> bytes:
    file.seek(start)
    return bytes(file.read(end - start))
