"""A journal segment's bytes: an Arrow IPC stream of GENERATIONS, of which each batch carries its own hash.

    schema message | batch message, batch message, .. | end

The hash stands in the batch's custom metadata, which older readers pass over. It covers the schema message and the
whole batch message, its own digits read as zeros. Older segments have no hashes; they are held to what Arrow can tell.

A tail that a kill has torn is no damage. A batch is damaged when it cannot be read though all its bytes are there, or
though other batches or the end follow it. Those behind it are found by the mark that every message begins with.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from schemas.generation import GENERATIONS
from storage.files import storage_errors
from storage.tables import check_format, filled

_MARK = b"\xff\xff\xff\xff"
END = _MARK + bytes(4)
_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd")
_SCHEMA = GENERATIONS.with_metadata({**(GENERATIONS.metadata or {}), b"grmforge.checks": b"1"})
_BLANK = "0" * 32
_CHECK = re.compile(rb"grmforge\.batch:([0-9a-f]{8}):\1:([0-9a-f]{32})")
"""The number of answers stands twice, so that a number with a damaged digit is not believed."""
_BEGINS = re.compile(rb"(?=\xff\xff\xff\xff..[\x00-\x0f]\x00)", re.DOTALL)
"""How a message begins: the mark, and the length of its metadata, below a megabyte."""
_TRIES = 10_000
"""At most so many places behind damage are tried, which bounds the time."""


_sink = pa.BufferOutputStream()
pa.ipc.new_stream(_sink, _SCHEMA, options=_OPTIONS).close()
HEAD = bytes(_sink.getvalue())[: -len(END)]
"""What a segment begins with."""


def message_of(batch: pa.RecordBatch) -> bytes:
    """Return a batch as a segment holds it."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, _SCHEMA, options=_OPTIONS) as stream:
        rows = f"{batch.num_rows:08x}"
        stream.write_batch(batch, custom_metadata={"check": f"grmforge.batch:{rows}:{rows}:{_BLANK}"})
    written = sink.getvalue()
    message = bytearray(memoryview(written)[len(HEAD) : written.size - len(END)])
    body = 8 + int.from_bytes(message[4:8], "little")
    check = _CHECK.search(message, 8, body)
    assert check is not None
    digest = _digest(HEAD[8:], bytes(message[8:body]), memoryview(message)[body:])
    message[check.start(2) : check.end(2)] = digest.encode()
    return bytes(message)


def _digest(head: bytes, metadata: bytes, body: "memoryview | pa.Buffer") -> str:
    digest = hashlib.sha256(head + metadata)
    digest.update(body)
    return digest.hexdigest()[: len(_BLANK)]


class _Head(NamedTuple):
    """The first message of a segment, or what is taken in its place."""

    schema: pa.Schema
    bytes: bytes
    end: int
    is_checked: bool
    """Whether a batch without a hash is damaged."""


def read_segment(path: Path, damage: list[int | None] | None = None) -> Iterator[pa.Table]:
    """Yield a segment's whole batches; a torn tail is lost with its writer.

    A missing segment has none: its answers are in the buckets by now. `damage` gets an entry for each stretch that
    cannot be read: how many answers it held, None where nobody knows.
    """
    with ExitStack() as stack:
        stack.enter_context(storage_errors(str(path)))
        try:
            stream = _Stream(stack.enter_context(pa.OSFile(str(path))))
        except FileNotFoundError:
            return
        head = stream.head(str(path))
        place = head.end
        while place < stream.size:
            if (batch := stream.batch(place, head)) is not None:
                rows, place = batch
                yield rows
                continue
            rest = stream.read(place, stream.size)
            if rest == END:
                return
            behind = _whole_behind(rest, head)
            if behind is None and stream.message(place) is None and not rest.endswith(END):
                return  # torn
            if damage is not None:  # the batches in it may still say how many answers they hold
                stated = [int(rows, 16) for rows, _ in _CHECK.findall(rest[:behind])]
                damage.append(sum(stated) if stated else None)
            if behind is None:
                return
            place += behind


def is_readable(path: Path) -> bool:
    """Say whether a file begins as a segment does. A writer that was killed may have left less than the beginning."""
    with storage_errors(str(path)), path.open("rb") as file:
        return _MARK.startswith(file.read(len(_MARK)))


class _Stream:
    """The messages of a segment, each looked for at a place. Raises OSError where the disk fails."""

    def __init__(self, file: pa.NativeFile) -> None:
        self._file = file
        self.size: int = file.size()

    def read(self, start: int, end: int) -> bytes:
        self._file.seek(start)
        return bytes(self._file.read(end - start))

    def head(self, where: str) -> _Head:
        """Return what the segment begins with; where that is damaged, what a writer of today would have put there.

        Raises StorageError for a segment of a newer format.
        """
        ours = _Head(GENERATIONS, HEAD[8:], min(len(HEAD), self.size), False)
        first = self.message(0)
        if first is None or first[0].type != "schema":
            return ours if self.batch(ours.end, ours) else ours._replace(end=0)
        message, end = first
        schema = None
        with _damage_passed_over():
            schema = pa.ipc.read_schema(message)
        if schema is None:
            return ours
        metadata = schema.metadata or {}
        head = _Head(schema, message.metadata.to_pybytes(), end, b"grmforge.checks" in metadata)
        if head.bytes == ours.bytes:
            return head
        if self.batch(len(HEAD), ours._replace(end=len(HEAD), is_checked=True)):
            return ours  # the batch says what its schema was
        check_format(metadata, where)
        known = {field.name: field.type for field in GENERATIONS}
        try:
            is_ours = all(known.get(field.name) == field.type for field in schema)
        except UnicodeDecodeError:
            is_ours = False
        return head if is_ours else head._replace(schema=GENERATIONS)

    def message(self, place: int) -> tuple[pa.ipc.Message, int] | None:
        """Return the message that begins at a place and where it ends; None where none is whole there."""
        prefix = self.read(place, place + 8)
        if len(prefix) < 8 or not prefix.startswith(_MARK):
            return None
        if not 0 < int.from_bytes(prefix[4:], "little", signed=True) <= self.size - place - 8:
            return None
        self._file.seek(place)
        with _damage_passed_over():
            return pa.ipc.read_message(self._file), self._file.tell()
        return None

    def batch(self, place: int, head: _Head) -> tuple[pa.Table, int] | None:
        """Return the rows of the batch at a place and where it ends; None where none is as it was written."""
        message, end = self.message(place) or (None, place)
        if message is None or message.type != "record batch":
            return None
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
    except (pa.ArrowException, ValueError, EOFError, MemoryError, KeyError):
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
    stream = _Stream(pa.BufferReader(rest))
    places = (mark.start() for mark in islice(_BEGINS.finditer(rest, 1), _TRIES))
    return next((place for place in places if stream.batch(place, head) is not None), None)
