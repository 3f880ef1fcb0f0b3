"""Processes of this machine: whether one that left its mark is there still. Linux says so in /proc; others say nothing.

A mark is "<boot id> <pid namespace> <start time>": a pid alone means another process after a reboot, in another
container, or once it was given away again.
"""

import os
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_GONE = ("Z", "X", "x")
"""States of a process that has ended, though its parent has not looked yet."""


def mark_of(pid: int) -> str:
    """Return the mark of a process in this one's pid namespace; empty where the system does not tell."""
    try:
        namespace = Path(
            "/proc/self/ns/pid"
        ).readlink()  # another's is not ours to read, and a pid we can see is in ours
        return f"{_BOOT.read_text('ascii').strip()} {namespace} {_stat(pid)[19]}"
    except (OSError, IndexError, UnicodeDecodeError):
        return ""


def has_died(pid: int, mark: str) -> bool:
    """Return whether the process is known to have ended; False where nobody can tell, as on another machine."""
    here = mark_of(os.getpid())
    if not here or here.split()[:2] != mark.split()[:2]:
        return False
    try:
        os.kill(pid, 0)
        return _stat(pid)[0] in _GONE or mark_of(pid) not in ("", mark)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError, IndexError):
        return False


def _stat(pid: int) -> list[str]:
    """Return the fields of a process from its state on: the name before it may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
