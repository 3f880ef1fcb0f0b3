"""Commands that start in milliseconds: forked from a process that has imported what they import.

A command spends two thirds of a short test's time on imports, on its pages' templates and on the weights of hint leaks.
So each test process keeps one such parent, which has them. It starts no thread: a fork would not have it. What it forks
is a process like any other: its own arguments, environment, directory, pipes and session. A command whose environment
sets Python, the locale or the hub otherwise starts from its executable.

A forked process ends like any other, too: threads are waited for, what is registered for the end is called, and what
nobody holds is collected. Only the interpreter does not take its modules apart, which would copy each page of the
parent, three quarters of the time of a command that says its version.
"""

import array
import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

READ_AT_IMPORT = ("PYTHON", "HF_", "HUGGINGFACE", "TRANSFORMERS_", "LANG", "LC_", "OMP_", "POLARS_", "ARROW_")
"""Beginnings of the names of variables that libraries look at once, when they are imported."""
HEAVY = ("sklearn.linear_model", "aiohttp", "obstore", "openai", "pymilvus", "sentence_transformers")
"""What some commands import late. The parent imports it once a command did."""
SEARCHING = (["rubrics", "build"], ["rubrics", "search"])
"""Beginnings of commands that import the heaviest of all: the parent does so before the first of them."""
MOST_BYTES = 1 << 20


class WarmProcess(subprocess.Popen[str]):
    """A process that the parent of warm processes forks, in place of a new one that this process starts."""

    def _execute_child(self, args: list[str], executable: Any, *settings: Any) -> None:  # type: ignore[override]
        preexec, _, pass_fds, cwd, env, _, _, shell, *ends = settings
        child_in, own_in, own_out, child_out, own_err, child_err, _, _, _, _, _, new_session, _ = ends
        assert preexec is None and not pass_fds and not shell
        fds = [own if end == -1 else end for own, end in zip((0, 1, 2), (child_in, child_out, child_err), strict=True)]
        wanted = {"args": args[1:], "cwd": str(cwd or Path.cwd()), "env": env, "new_session": bool(new_session)}
        self.pid = parent().ask(wanted, fds)["pid"]
        self._child_created = True
        for end in {child_in, child_out, child_err} - {-1, own_in, own_out, own_err}:
            os.close(end)

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        if not wait_flags & os.WNOHANG:
            descriptor = os.pidfd_open(self.pid)
            try:
                select.select([descriptor], [], [])
            finally:
                os.close(descriptor)
        ended = parent().ask({"wait": self.pid})
        return ended["pid"], ended["status"]

    def _internal_poll(self, _deadstate: int | None = None, **_: Any) -> int | None:
        if self.returncode is None and self._waitpid_lock.acquire(blocking=False):
            try:
                pid, status = self._try_wait(os.WNOHANG)
                if pid == self.pid:
                    self._handle_exitstatus(status)
            except OSError:  # at the end of this process its parent of warm ones may be gone
                self.returncode = _deadstate
            finally:
                self._waitpid_lock.release()
        return self.returncode


class Parent:
    """The process that forks warm ones, seen from the test."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self._socket, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST_BYTES)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.end_to_end.warm", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        self.environment = dict(os.environ)
        assert json.loads(self._socket.recv(MOST_BYTES)) == {"ready": True}
        atexit.register(self.close)

    def close(self) -> None:
        self._socket.close()
        self._process.wait()

    def ask(self, what: Mapping[str, Any], fds: list[int] | None = None) -> dict[str, int]:
        with self._lock:
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            self._socket.sendmsg([json.dumps(what).encode()], ancillary)
            reply: dict[str, int] = json.loads(self._socket.recv(MOST_BYTES))
            return reply


_parent: Parent | None = None


def parent() -> Parent:
    global _parent
    if _parent is None:
        _parent = Parent()
    return _parent


def can_be_warm(env: Mapping[str, str]) -> bool:
    """Say whether a command with this environment may be forked."""

    def read_at_import(environment: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in environment.items() if name.startswith(READ_AT_IMPORT)}

    return hasattr(os, "pidfd_open") and read_at_import(env) == read_at_import(parent().environment)


def serve(connection: socket.socket) -> None:
    """Fork what is asked for until the test process ends. Returns in the forked process alone."""
    told, tell = os.pipe()
    os.set_blocking(told, False)
    connection.send(json.dumps({"ready": True}).encode())
    while True:
        packet, ancillary, _, _ = connection.recvmsg(MOST_BYTES, socket.CMSG_SPACE(3 * array.array("i").itemsize))
        if not packet:
            os._exit(0)
        wanted = json.loads(packet)
        if "wait" in wanted:
            pid, status = os.waitpid(wanted["wait"], os.WNOHANG)
            connection.send(json.dumps({"pid": pid, "status": status}).encode())
            continue
        searches = wanted["args"][:2] in SEARCHING and "--root" in wanted["args"]
        _import_heavy(told, ("pymilvus", "sentence_transformers") if searches else ())
        fds = array.array("i")
        fds.frombytes(ancillary[0][2])
        if (pid := os.fork()) == 0:
            connection.close()
            os.close(told)
            _become(wanted, list(fds), tell)
            return
        for descriptor in fds:
            os.close(descriptor)
        connection.send(json.dumps({"pid": pid}).encode())


def _import_heavy(told: int, needed: tuple[str, ...]) -> None:
    """Import what earlier commands imported late, and what the next one needs."""
    try:
        earlier = os.read(told, MOST_BYTES).decode().split()
    except BlockingIOError:
        earlier = []
    new = {name for name in (*earlier, *needed) if name not in sys.modules}
    for name in new:
        __import__(name)
    if new:
        _freeze()


def _freeze() -> None:
    """Keep the collector of forked processes off what stands here: it would copy each page that it looks at."""
    gc.collect()
    gc.freeze()


def _become(wanted: Mapping[str, Any], fds: list[int], tell: int) -> None:
    """Make this process the command that is wanted."""
    if wanted["new_session"]:
        os.setsid()
    for number, descriptor in enumerate(fds):
        os.dup2(descriptor, number)
    for descriptor in fds:
        if descriptor > 2:
            os.close(descriptor)
    os.chdir(wanted["cwd"])
    os.environ.clear()
    os.environ.update(wanted["env"])
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
        for number, mode, errors in ((0, "r", "strict"), (1, "w", "strict"), (2, "w", "backslashreplace"))
    )
    sys.stderr.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.argv[1:] = wanted["args"]

    @atexit.register
    def tell_what_is_heavy() -> None:
        os.write(tell, "".join(f"{name}\n" for name in HEAVY if name in sys.modules).encode())


def _imported() -> None:
    """Import all that commands import, but for Prefect and what is heavy, and make what each build makes anew."""
    import importlib
    import pkgutil

    import pipelines
    import schemas
    import storage
    from pipelines.judging import hint_words
    from pipelines.reporting import pages

    importlib.import_module("flows.command.running")
    for package in (schemas, storage, pipelines):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    hint_words.learned()
    for template in ("report.html", "card.md"):
        pages.compiled(template)
    _freeze()


exit_code = 1  # that of an exception which nobody expected


def _leave() -> None:
    """End the forked process: called last, since it is registered first."""
    gc.collect()
    sys.stdout.flush()  # where this fails, the interpreter ends the process, and says so
    sys.stderr.flush()
    os._exit(exit_code)


if __name__ == "__main__":
    atexit.register(_leave)
    from flows.command.cli import main

    _imported()
    serve(socket.socket(fileno=int(sys.argv.pop())))
    signal.set_wakeup_fd(-1)
    sys.argv[0] = str(Path(sys.executable).with_name("grmforge"))
    try:
        main()
    except SystemExit as end:
        exit_code = int(end.code or 0)
        raise
