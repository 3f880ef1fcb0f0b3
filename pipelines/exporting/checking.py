"""An export's own check, run in this Python: the trainer's loader, where it is installed."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from pipelines.exporting.trainer import Trainer

_NOT_INSTALLED = 3
_SHOWN_LINES = 3


@dataclass(frozen=True)
class Checked:
    """What a check found."""

    result: str
    """`same`, `differs`, `failed` or `not run`."""
    files: tuple[dict[str, Any], ...]
    """Of each file: rows, those loaded, those that differ, and the first of these."""
    words: str
    """Why it was not run, or how it failed."""

    @property
    def differs(self) -> bool:
        return self.result in ("differs", "failed")

    def as_json(self) -> dict[str, Any]:
        return {"result": self.result, "files": list(self.files), "words": self.words}

    def lines(self) -> Iterator[str]:
        """Yield the check as people read it."""
        for file in self.files:
            loaded = f"{file['loaded']:,} of {file['rows']:,} rows loaded"
            yield f"check: {file['file']}: {loaded}, {file['differ']:,} differ"
            yield from (f"  {row}: {what}" for row, what in file["first"])
        yield f"check: {self.result}" + (f": {self.words}" if self.words else "")


def checked(out: Path, trainer: Trainer, tokenizer: str, python: str = sys.executable) -> Checked:
    """Return what the check of an export finds in a Python, this one unless another is named."""
    command = [python, str(out / "check/check.py"), "--tokenizer", tokenizer]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode == _NOT_INSTALLED:
        why = f"{trainer.package} is not installed here; in its environment: python {out}/check/check.py --tokenizer .."
        return Checked("not run", (), why)
    files = tuple(_file_lines(done.stdout))
    if done.returncode and not any(file["differ"] or file["loaded"] != file["rows"] for file in files):
        return Checked("failed", files, " ".join(done.stderr.splitlines()[-_SHOWN_LINES:]))
    return Checked("differs" if done.returncode else "same", files, "")


def _file_lines(printed: str) -> Iterator[dict[str, Any]]:
    """Yield the lines of JSON that a check printed; trainers print much beside them."""
    for line in printed.splitlines():
        if line.startswith('{"trainer"'):
            yield orjson.loads(line)
