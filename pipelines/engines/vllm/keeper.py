"""Keeps one server, and sees that it never outlives the process that wanted it. `server.py` starts it:

    python -I keeper.py GRACE_S COMMAND ..

It starts the command in a process group of its own, writes its process id to stdout, and waits. When stdin is at its
end, which happens however its parent ends, or when the server itself ends, it closes stdout and ends the whole group:
SIGTERM, GRACE_S seconds, SIGKILL. The server's output goes to stderr, the log.

One thread, and nothing but the standard library: it must not fail, and Linux ties PR_SET_PDEATHSIG to a thread. A
keeper cannot survive a `kill -9` of itself; then the kernel kills the server's first process, and the keeper's parent,
if it is there, the rest of the group.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

LOOK_EVERY_S = 0.2
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
NOT_STARTED = 127
SIGNALLED = 128
"""Added to the number of the signal that ended the server, as shells do."""


def main(grace_s: float, command: list[str]) -> int:
    """Keep the command until it ends or is not wanted any more; return its exit code."""
    parent = os.getppid()
    unwanted: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # A function, since what is ignored here would be ignored by the server too.
        signal.signal(number, lambda number, _: unwanted.append(number))
    control = _process_control()
    control(PR_SET_CHILD_SUBREAPER, 1)  # whatever the server leaves behind becomes our child, in any group
    try:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            process_group=0,
            preexec_fn=lambda: control(PR_SET_PDEATHSIG, signal.SIGKILL),
        )
    except OSError as error:
        _say(f"{command[0]} cannot be started: {error.strerror}")
        return NOT_STARTED
    codes: dict[int, int] = {}
    try:
        with contextlib.suppress(OSError):  # nobody reads it any more: then stdin is at its end too
            os.write(1, b"%d\n" % server.pid)
        while _reap(codes) and server.pid not in codes and not unwanted and os.getppid() == parent:
            if select.select([0], [], [], LOOK_EVERY_S)[0] and not os.read(0, 1):
                break
        code = codes.get(server.pid)
    finally:
        os.close(1)  # tells the parent before the rest is cleared up
        _end(server.pid, grace_s, codes)
    if code is None:
        return 0
    _say(f"the server ended with code {code}" if code >= 0 else f"the server was ended by signal {-code}")
    return code if code >= 0 else SIGNALLED - code


def _end(group: int, grace_s: float, codes: dict[int, int]) -> None:
    """End every process of a group, and every other one that the server has left behind."""
    until = time.monotonic() + grace_s
    _signal(group, signal.SIGTERM)
    while _reap(codes) and time.monotonic() < until:
        time.sleep(0.02)
    while _reap(codes):
        _signal(group, signal.SIGKILL)
        for child in _children():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        time.sleep(0.02)
    _signal(group, signal.SIGKILL)  # where the system knows no subreaper, what is left of it is nobody's child here


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _reap(codes: dict[int, int]) -> bool:
    """Take the exit codes of children that have ended; whether there are any left."""
    while True:
        try:
            child, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if child == 0:
            return True
        codes[child] = os.waitstatus_to_exitcode(status)


def _children() -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []


def _process_control() -> Callable[[int, int], object]:
    """Return Linux's prctl, loaded before it is needed between fork and exec; elsewhere one that does nothing."""
    try:
        import ctypes

        control: Callable[[int, int], object] = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return lambda option, value: None
    return control


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # a full disk
        os.write(2, f"\ngrmforge: {text}\n".encode(errors="replace"))


if __name__ == "__main__":
    raise SystemExit(main(float(sys.argv[1]), sys.argv[2:]))
