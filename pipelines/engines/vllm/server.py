"""A vLLM server of our own: started behind a keeper, waited for, looked at, started again, stopped.

The keeper (`keeper.py`) is a process between us and the server. Its stdin is a pipe from us: it ends the server as soon
as that pipe closes, because we close it or because we were killed.
"""

import http.client
import json
import os
import secrets
import select
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import chain, count
from pathlib import Path

from pipelines.engines.faults import snippet
from pipelines.engines.protocol import Engine, Observer
from pipelines.engines.vllm import keeper as vllm_keeper
from pipelines.engines.vllm.failures import Failure, failure_of, last_line, log_tail
from pipelines.engines.vllm.launch import Launch, check_port, launch_of
from schemas.errors import EngineError
from schemas.recipe import ModelSection
from storage.files import storage_errors

GRACE_S = 10.0
"""How long a server may take to end by itself once it is asked to."""
CHECK_EVERY_S = 0.2
REPORT_AT_S = (10.0, 30.0)
"""Seconds after a start at which its progress is reported; then once every `REPORT_EVERY_S`."""
REPORT_EVERY_S = 60.0
PORTS_TRIED = 3
"""Another program may take a free port before the server does; so many ports are tried."""
CHECK_TIMEOUT_S = 5.0


class ServerEnded(Exception):
    """The server ended before it ever answered: it may be tried again, on another port or a little later."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.cause)
        self.failure = failure


class Abandoned(Exception):
    """Nobody waits for the server any more; it was stopped."""


class VllmServer:
    """A server and its log. `start` and `stop` block and are never called at the same time; `has_ended` may be."""

    def __init__(self, launch: Launch, next_log: Callable[[], Path], observer: Observer, grace_s: float) -> None:
        self.launch = launch
        self.key = ""
        """Random, new for each start. It is passed by the environment, and is in no command line, log or message."""
        self.url = ""
        self.log = Path()
        self._next_log = next_log
        self._observer = observer
        self._grace_s = grace_s
        self._keeper: subprocess.Popen[bytes] | None = None
        self._group = 0

    def start(self, is_unwanted: Callable[[], bool] = lambda: False) -> None:
        """Start the server and return when it answers and knows the model.

        Raises ServerEnded, EngineError where trying again is no use, StorageError where there is no room for a log, and
        Abandoned once `is_unwanted` says so.
        """
        self.stop()  # what is left of one that ended by itself
        for attempt in range(PORTS_TRIED):
            check_port(self.launch)
            port = self.launch.port or _free_port()
            self._spawn(port)
            try:
                return self._wait_until_it_answers(port, is_unwanted)
            except ServerEnded as ended:
                self.stop()
                if not ended.failure.port_taken or self.launch.port or attempt == PORTS_TRIED - 1:
                    raise
            except BaseException:  # Ctrl-C too: no half-started server stays behind
                self.stop()
                raise

    def has_ended(self) -> bool:
        """Say whether there is no server process. Cheap: a system call."""
        if self._keeper is None:
            return True
        # The keeper closes its stdout at once when the server ends, and itself ends when all is cleared up.
        assert self._keeper.stdout is not None
        poll = select.poll()
        poll.register(self._keeper.stdout, select.POLLIN)
        return bool(poll.poll(0))

    def failure(self) -> Failure:
        """Return why the server ended, as far as its exit code and its log tell. Waits until all of it is gone."""
        assert self._keeper is not None
        with suppress(subprocess.TimeoutExpired):  # a process may hang in a driver, and nothing ends it
            self._keeper.wait(self._grace_s + 5.0)
        return failure_of(self._keeper.poll(), log_tail(self.log))

    def stop(self) -> None:
        """End the server and every process of it; waits for that. Does nothing where there is none."""
        keeper = self._keeper
        if keeper is None:
            return
        assert keeper.stdin is not None and keeper.stdout is not None
        with suppress(OSError):
            keeper.stdin.close()
        try:
            keeper.wait(self._grace_s + 5.0)
        except subprocess.TimeoutExpired:
            keeper.kill()
            keeper.wait()
        keeper.stdout.close()
        if keeper.returncode < 0 and self._group:  # a keeper that was itself killed may have left something behind
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group, signal.SIGKILL)
        self._keeper = None

    def _spawn(self, port: int) -> None:
        """Start the keeper, which starts the server, with a new key and a new log."""
        self.log = self._next_log()
        self.key = secrets.token_urlsafe(32)
        self.url = f"http://127.0.0.1:{port}/v1"
        command = self.launch.command(port)
        with storage_errors(str(self.log)):
            self.log.parent.mkdir(parents=True, exist_ok=True)
            log = self.log.open("wb", buffering=0)
            log.write(f"$ {shlex.join(command)}\n".encode(errors="replace"))
        self._observer.said(f"starting vLLM for {self.launch.name}; its log: {self.log}")
        with log:
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", str(Path(vllm_keeper.__file__)), str(self._grace_s), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.launch.directory,
                env={**os.environ, **dict(self.launch.env), "VLLM_API_KEY": self.key},
                start_new_session=True,  # Ctrl-C is meant for us, who first wait for what is in flight
            )
        assert self._keeper.stdout is not None
        self._group = int(self._keeper.stdout.readline() or 0)

    def _wait_until_it_answers(self, port: int, is_unwanted: Callable[[], bool]) -> None:
        name, began = self.launch.name, time.monotonic()
        report_times = chain(REPORT_AT_S, count(REPORT_AT_S[-1] + REPORT_EVERY_S, REPORT_EVERY_S))
        report_at = next(report_times)
        while self._get(port, "/health") is None:
            waited = time.monotonic() - began
            if self.has_ended():
                raise ServerEnded(self.failure())
            if waited > self.launch.start_timeout_s:
                raise EngineError(
                    f"vLLM did not answer for {name} within start_timeout_s = {self.launch.start_timeout_s:g} s; raise "
                    f"it in [models.<role>.vllm] where loading takes that long; its log: {self.log}"
                )
            if waited >= report_at:
                report_at = next(report_times)
                self._observer.said(
                    f"vLLM has been starting for {waited:.0f} s; last in its log: {last_line(self.log)}"
                )
            if is_unwanted():
                raise Abandoned
            time.sleep(CHECK_EVERY_S)
        self._check_name(port)
        self._observer.said(f"vLLM answers for {name}, after {time.monotonic() - began:.0f} s")

    def _check_name(self, port: int) -> None:
        """Raise EngineError where the server does not know the model by the recipe's name of it."""
        listed = self._get(port, "/v1/models") or b"{}"
        try:
            names = [str(entry["id"]) for entry in json.loads(listed)["data"]]
        except (ValueError, LookupError, TypeError):
            names = []
        if self.launch.name not in names:
            known = snippet(", ".join(names)) or "no model"
            raise EngineError(
                f"the server that was started for {self.launch.name} serves {known}; mend command in "
                f"[models.<role>.vllm]; its log: {self.log}"
            )

    def _get(self, port: int, path: str) -> bytes | None:
        """Return the body of a 200; None for anything else. No proxy stands between us and our own machine."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CHECK_TIMEOUT_S)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.key}"})
            response = connection.getresponse()
            return response.read() if response.status == 200 else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


class Servers:
    """The vLLM servers of one run: one at a time, kept from one dispatch to the next while both need the same.

    Whoever makes a run closes them with it.
    """

    def __init__(self, directory: Path = Path(), grace_s: float = GRACE_S) -> None:
        """Relative models, programs and files of command lines start at `directory`, where the recipe stands.

        `grace_s` is how long a server may take to end by itself.
        """
        self._directory = directory
        self._grace_s = grace_s
        self._server: VllmServer | None = None
        self._numbers = count(1)

    def engine(self, model: ModelSection, logs: Path, observer: Observer, is_stopped: Callable[[], bool]) -> Engine:
        """Return the engine of a model, in front of a server that answers; blocks until one does.

        The logs are `<logs>-vllm-1.log` and so on, one a start. A server with another command line is stopped first:
        there may be room for one only. Raises EngineError, with the likely cause, where it does not start.
        """
        from pipelines.engines.vllm.engine import VllmEngine  # a build without a server of its own need not load it

        launch = launch_of(model, self._directory)
        server = self._server
        if server is None or server.launch != launch or server.has_ended():
            self.close()

            def next_log() -> Path:
                paths = (logs.with_name(f"{logs.name}-vllm-{number}.log") for number in self._numbers)
                return next(path for path in paths if not path.exists())  # an earlier try of this run has left some

            server = VllmServer(launch, next_log, observer, self._grace_s)
            try:
                server.start()
            except ServerEnded as ended:
                report_log(ended.failure, observer)
                raise EngineError(
                    f"vLLM did not start for {model.name}: {ended.failure.cause}; its log: {server.log}"
                ) from None
            self._server = server
        return VllmEngine(model, server, observer, is_stopped)

    def close(self) -> None:
        """Stop the server, if there is one; waits until all of it is gone."""
        if self._server is not None:
            server, self._server = self._server, None
            server.stop()


def report_log(failure: Failure, observer: Observer) -> None:
    """Show what a log says of a server's end. Its words stand behind a semicolon: event logs keep what is ours."""
    for line in failure.lines:
        observer.said(f"the log of vLLM; {line}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
