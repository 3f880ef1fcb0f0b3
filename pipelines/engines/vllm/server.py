"""One vLLM server of our own: started behind a keeper, waited for, looked at, started again, stopped.

The keeper (`vllm_keeper`) is a process between us and the server, whose stdin is a pipe from us: it ends the server as
soon as that pipe closes, be it because we ask for it or because we were killed.
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
from pathlib import Path
from typing import Protocol

from pipelines.engines.faults import snippet
from pipelines.engines.vllm import keeper as vllm_keeper
from pipelines.engines.vllm.command import Launch
from pipelines.engines.vllm.failures import Failure, failure_of, last_line, log_tail
from schemas.errors import EngineError
from storage.files import storage_errors

GRACE_S = 10.0
"""How long a server may take to end by itself once it is asked to."""
LOOK_EVERY_S = 0.2
SAY_AT_S = (10.0, 30.0)
"""Seconds after a start at which a person is told how far it is; then once every `SAY_EVERY_S`."""
SAY_EVERY_S = 60.0
PORTS_TRIED = 3
"""A free port may be snatched between our look and the server's; so often another one is tried."""
LOOK_TIMEOUT_S = 5.0


class Listener(Protocol):
    """Who is told how a server is doing; see `answering.Watcher`."""

    def said(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...


class ServerEnded(Exception):
    """The server ended before it ever answered: it may be tried again, on another port or a little later."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.cause)
        self.failure = failure


class Abandoned(Exception):
    """Nobody waits for the server any more; it was stopped."""


class VllmServer:
    """A server and its log. `start` and `stop` block, and are never called at the same time; `has_ended` may be."""

    def __init__(
        self, launch: Launch, next_log: Callable[[], Path], listener: Listener, grace_s: float = GRACE_S
    ) -> None:
        self.launch = launch
        self.key = ""
        """Random, anew for each start; it goes by the environment, and stands in no command line, log or message."""
        self.url = ""
        self.log = Path()
        self._next_log = next_log
        self._listener = listener
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
        """Whether there is no server process. Cheap: a system call."""
        if self._keeper is None:
            return True
        # The keeper closes its stdout at once when the server ends, and itself ends when all is cleared up.
        assert self._keeper.stdout is not None
        look = select.poll()
        look.register(self._keeper.stdout, select.POLLIN)
        return bool(look.poll(0))

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
        self._clear_up()

    def _spawn(self, port: int) -> None:
        """Start the keeper, which starts the server, with a new key and a new log."""
        self.log = self._next_log()
        self.key = secrets.token_urlsafe(32)
        self.url = f"http://127.0.0.1:{port}/v1"
        command = self.launch.at_port(port)
        with storage_errors(str(self.log)):
            self.log.parent.mkdir(parents=True, exist_ok=True)
            log = self.log.open("wb", buffering=0)
            log.write(f"$ {shlex.join(command)}\n".encode(errors="replace"))
        self._listener.said(f"starting vLLM for {self.launch.name}; its log: {self.log}")
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

    def _clear_up(self) -> None:
        """See that a keeper that was itself killed left nothing behind."""
        assert self._keeper is not None
        if self._keeper.returncode < 0 and self._group:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group, signal.SIGKILL)
        self._keeper = None

    def _wait_until_it_answers(self, port: int, is_unwanted: Callable[[], bool]) -> None:
        began = said = time.monotonic()
        until = began + self.launch.start_timeout_s
        while not self._answers(port):
            now = time.monotonic()
            if self.has_ended():
                raise ServerEnded(self.failure())
            if now > until:
                raise EngineError(
                    f"vLLM did not answer for {self.launch.name} within start_timeout_s = "
                    f"{self.launch.start_timeout_s:g} s; raise it in [models.<role>.vllm] where loading takes that "
                    f"long; its log: {self.log}"
                )
            if any(said - began < at <= now - began for at in SAY_AT_S) or now - said >= SAY_EVERY_S:
                said = now
                self._listener.said(
                    f"vLLM has been starting for {now - began:.0f} s; last in its log: {last_line(self.log)}"
                )
            if is_unwanted():
                raise Abandoned
            time.sleep(LOOK_EVERY_S)
        self._check_name(port)
        self._listener.said(f"vLLM answers for {self.launch.name}, after {time.monotonic() - began:.0f} s")

    def _answers(self, port: int) -> bool:
        return self._asked(port, "/health") is not None

    def _check_name(self, port: int) -> None:
        """Raise EngineError where the server does not know the model by the recipe's name of it."""
        listed = self._asked(port, "/v1/models") or b"{}"
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

    def _asked(self, port: int, path: str) -> bytes | None:
        """Return the body of a 200; None for anything else. No proxy is asked on the way to our own machine."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LOOK_TIMEOUT_S)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.key}"})
            response = connection.getresponse()
            return response.read() if response.status == 200 else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


def check_port(launch: Launch) -> None:
    """Raise EngineError where someone listens on a fixed port already: we would ask their server, not ours."""
    if launch.port is None:
        return
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", launch.port))
        except OSError as error:
            raise EngineError(
                f"vLLM cannot be started for {launch.name}: port {launch.port} is not free ({error.strerror}); stop "
                "what listens there, or leave port out of [models.<role>.vllm] for a free one"
            ) from None


def tell_lines(failure: Failure, listener: Listener) -> None:
    """Show what a log says of a server's end. Its words stand behind a semicolon: event logs keep what is ours."""
    for line in failure.lines:
        listener.said(f"the log of vLLM; {line}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
