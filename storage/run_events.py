"""What happened in each run, a JSON object a line: `runs/<run_id>.jsonl`. No prompt, no answer, no key.

    {"at":"2026-11-20T13:05:00.123Z","event":"stage_ended","stage":"sampling rft with judge","bought":57000,..}

A line goes to the disk as soon as it is written, so that a killed run still tells how far it came. In a bucket, where
nothing grows, the log is put when the run ends; a killed run's stays on its machine.
"""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO

import orjson

from schemas.errors import StorageError
from storage.files import storage_errors
from storage.root import Root

FOLDER = "runs"


class RunEvents:
    """Appends the events of one run. A disk that refuses them ends the log, never the run."""

    def __init__(self, root: Root, run_id: str) -> None:
        self._root = root
        self._key = f"{FOLDER}/{run_id}.jsonl"
        self._path = root.scratch(self._key)
        with storage_errors(str(self._path)):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO | None = self._path.open("ab", buffering=0)

    def write(self, event: str, **fields: Any) -> None:
        """Put an event down, with the time in UTC. `fields` are JSON."""
        if self._file is None:
            return
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
        line = orjson.dumps({"at": now, "event": event, **fields}, option=orjson.OPT_APPEND_NEWLINE)
        try:
            self._file.write(line)
        except OSError:  # a full disk: the journal, which matters, says so itself
            self.close()

    def close(self) -> None:
        if self._file is None:
            return
        self._file.close()
        self._file = None
        if not self._root.is_local:
            with contextlib.suppress(StorageError, OSError):  # the loss of a bucket is reported elsewhere
                self._root.write(self._key, self._path.read_bytes())
                self._path.unlink()


def run_ids(root: Root) -> list[str]:
    """Return the ids of the runs that left a log, the latest first."""
    return [name.removesuffix(".jsonl") for name in reversed(root.names(FOLDER, ".jsonl"))]


def read_events(root: Root, run_id: str) -> Iterator[dict[str, Any]]:
    """Yield a run's events, oldest first; a line that a kill left half is passed over."""
    for line in root.read(f"{FOLDER}/{run_id}.jsonl").splitlines():
        with contextlib.suppress(orjson.JSONDecodeError):
            if isinstance(event := orjson.loads(line), dict):
                yield event
