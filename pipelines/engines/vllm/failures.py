"""Why a vLLM server ended: the likely cause and the way out, read from its exit code and the end of its log."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pipelines.engines.faults import snippet

TAIL_BYTES = 2**18
SHOWN_LINES = 6
LAST_LINES = 3
"""So many errors are shown, or so many last lines where there is no error."""
MOST_LINES = 2_000

CAUSES = tomllib.loads(Path(__file__).with_name("causes.toml").read_text("utf-8"))["causes"]

_TELLING = re.compile(r"\b\w*(Error|Exception)\b: |error: |Value error, ")
_NOISE = re.compile(
    r"WARNING|UserWarning|\bINFO\b|For further information visit|[sS]ee (root cause above|stack trace for root cause)|"
    r"1 validation error for"
)
_PREFIX = re.compile(r"^(\(\w+ pid=\d+\) )?((ERROR|CRITICAL) [\d-]+ [\d:]+ \[[^\]]*\] )?")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a server ended."""

    cause: str
    """The likely cause, and the way out."""
    lines: tuple[str, ...]
    """The lines of its log that tell most, oldest first; made safe for a terminal."""
    port_taken: bool = False


def failure_of(code: int | None, log: str) -> Failure:
    """Return why a server ended that left this exit code, None while it runs, and this end of its log. Pure."""
    whole = [line for line in log.splitlines()[-MOST_LINES:] if line.strip()]
    lines = [line for line in whole if not _NOISE.search(line)]
    telling = list(dict.fromkeys(_PREFIX.sub("", line) for line in lines if _TELLING.search(line)))
    shown = tuple(map(_shown, telling[-SHOWN_LINES:] or whole[-LAST_LINES:]))
    # Errors first: the whole may hold a list of every flag there is.
    for text in ("\n".join(telling), "\n".join(lines)):
        for cause in CAUSES:
            if re.search(cause["pattern"], text, re.I):
                return Failure(cause["meaning"], shown, port_taken="is_port" in cause)
    return Failure(_by_code(code, shown[0] if telling else "", shown[-1] if shown else ""), shown)


def log_tail(path: Path) -> str:
    """Return the end of a log; nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def last_line(path: Path) -> str:
    """Return the last line of a log, made safe for a terminal; empty where there is none."""
    lines = [line for line in log_tail(path).splitlines() if line.strip()]
    return _shown(lines[-1]) if lines else ""


def _shown(line: str) -> str:
    """Return a line of a log without the process that wrote it, at most as long as a snippet."""
    return snippet(_PREFIX.sub("", line))


def _by_code(code: int | None, error: str, last: str) -> str:
    """Return the cause as far as an exit code tells it, with the first error that is shown: it is nearest to it."""
    first_error = f": {error}" if error else ""
    match code:
        case None:
            return f"nothing in its log says why{first_error}"
        case 137:
            return "killed by signal 9, by someone or because this machine's memory was full (dmesg says which)"
        case 127:
            return f"its program cannot be started: {last}"
        case _ if code < 0:
            return f"the process that keeps it was ended by signal {-code}"
        case _ if code > 128:
            return f"ended by signal {code - 128}{first_error}"
    return f"it ended with code {code}{first_error}"
