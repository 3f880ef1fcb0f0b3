"""Where the shares of a flow run are asked: in threads of its own process, or on Ray, one machine or many.

Ray is started, or connected to, once a flow run and only where something is to be asked. Keys travel nowhere: each
worker reads them from the environment of its own machine, which a local Ray inherits.
"""

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from prefect.settings.context import get_current_settings
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from pydantic import Field

from flows.watching.interruption import Ended
from schemas.errors import EngineError, RecipeError
from schemas.record import BUCKETS

TaskRunnerName = Literal["threads", "ray"]
Workers = Annotated[int, Field(ge=1, le=BUCKETS)]
OBJECT_STORE_BYTES = 80_000_000
"""For a local Ray. Only places travel through it, never rows; Ray takes no less than 75 MiB."""
ADDRESS_TIMEOUT_S = 5.0
RAY_CLIENT_PORT = 10001
"""The port of `ray://host` where the address names none."""
_FRAME_HEAD, _SETTINGS = 9, 4
"""Bytes in the head of an HTTP/2 frame (RFC 9113, section 4.1), of which the fourth is its type, and that type."""
_HTTP2_OPENING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, _SETTINGS, 0, 0, 0, 0, 0])
"""What a client begins with: the preface, and settings that set nothing."""


class Distribution(contextlib.ExitStack):
    """Where shares are asked, and in how many; use as a context manager, which also ends what it started."""

    def __init__(self, task_runner: TaskRunnerName = "threads", workers: int | None = None) -> None:
        super().__init__()
        self._kind = task_runner
        self._workers = workers
        self._begun: tuple[int, TaskRunner[Any]] | None = None

    @property
    def is_one_stream(self) -> bool:
        """Whether everything is asked in the flow's own process, as the command does."""
        return self._kind == "threads" and self._workers in (None, 1)

    def begin(self) -> tuple[int, TaskRunner[Any]]:
        """Return into how many shares asking is cut, and what runs them; Ray is there afterwards.

        Raises RecipeError where something is missing on this machine, and EngineError where no Ray answers.
        """
        if self._begun is None and self._kind == "threads":
            self._begun = self._workers or 1, ThreadPoolTaskRunner(max_workers=self._workers or 1)
        elif self._begun is None:
            try:
                from prefect_ray import RayTaskRunner
            except ImportError:
                raise RecipeError('task_runner = "ray" needs prefect-ray: pip install "grmforge[ray]"') from None
            machines = self.enter_context(connected_ray(self._workers))
            self._begun = self._workers or machines, RayTaskRunner()
        return self._begun

    def spread(self) -> contextlib.AbstractContextManager[Any]:
        """Return what has to be entered where shares are submitted, so that no machine gets two before another one."""
        if self._kind == "threads":
            return contextlib.nullcontext()
        from prefect_ray.context import remote_options

        options: contextlib.AbstractContextManager[Any] = remote_options(scheduling_strategy="SPREAD")
        return options


@contextlib.contextmanager
def connected_ray(workers: int | None) -> Iterator[int]:
    """Connect to the Ray of RAY_ADDRESS, else start one of this machine; give the number of its machines.

    A local one has a processor for each of `workers`, whatever this machine has, since a share mostly waits. A Ray to
    which this process is connected already is taken as it is, and stays. Raises EngineError where none answers.
    """
    import ray

    with contextlib.ExitStack() as ending:
        if not ray.is_initialized():
            _connect(os.environ.get("RAY_ADDRESS"), workers)
            ending.callback(ray.shutdown)
        yield sum(bool(node.get("Alive")) for node in ray.nodes())  # type: ignore[no-untyped-call]  # Ray has no types


def _connect(address: str | None, workers: int | None) -> None:
    import ray

    if address:
        _try_to_reach(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    local: dict[str, Any] = {
        "num_cpus": workers or 1,
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE_BYTES,
    }
    if not (server := get_current_settings().api.url):  # every worker would start one of its own
        raise RecipeError(
            'task_runner = "ray" needs a Prefect server that every worker reaches: export PREFECT_API_URL=..'
        )
    place = f"RAY_ADDRESS={address}" if address else "a local Ray"
    try:
        # Prefect has the workers' logs already.
        ray.init(
            runtime_env={"env_vars": {"PREFECT_API_URL": server}}, log_to_driver=False, **({} if address else local)
        )
    except Ended:
        raise
    except SystemExit:  # so Ray ends where nobody answers for half a minute
        raise EngineError(f"RAY_ADDRESS={address}: nobody answers there; see ray status, and run again") from None
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise EngineError(f"{place}: {' '.join(str(error).split())}") from None
    except Exception as error:  # Ray has a bare one for processes that were not there in time; any other is a bug's
        if type(error) is not Exception:
            raise
        raise EngineError(
            f"{place} did not start: {' '.join(str(error).split())} Run again when the machine is less busy, or "
            'with task_runner = "threads"; what was answered is kept'
        ) from None


def _try_to_reach(address: str) -> None:
    """Raise EngineError where nobody listens at `host:port` or `ray://host`, or what listens there cannot be a Ray.

    Ray itself tries for minutes, silently. Any other address, such as `auto`, is Ray's own to find.
    """
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        port = parts.port or (RAY_CLIENT_PORT if parts.scheme == "ray" else None)
    except ValueError:
        return
    if parts.scheme not in ("", "ray") or not parts.hostname or port is None:
        return
    try:
        with socket.create_connection((parts.hostname, port), ADDRESS_TIMEOUT_S) as connection:
            is_ray = _speaks_grpc(connection)
    except OSError as error:
        raise EngineError(
            f"RAY_ADDRESS={address}: nobody answers there ({error.strerror or error}); see ray status, and run again"
        ) from None
    if not is_ray:
        raise EngineError(
            f"RAY_ADDRESS={address}: what listens there is no Ray; give the address that ray start said on the first "
            "machine (its port is 6379 as a rule, and 10001 for ray://), or unset RAY_ADDRESS for a Ray of this machine"
        )


def _speaks_grpc(connection: socket.socket) -> bool:
    """Say whether the other end answers as every gRPC server does, Ray's two among them: with HTTP/2's settings."""
    if os.environ.get("RAY_USE_TLS", "").lower() in ("1", "true"):
        return True  # it waits for a TLS handshake first, which is Ray's to make
    answer = b""
    try:
        connection.sendall(_HTTP2_OPENING)
        while len(answer) < _FRAME_HEAD and (more := connection.recv(_FRAME_HEAD - len(answer))):
            answer += more
    except OSError:  # a silent one, or one that hangs up
        return False
    return len(answer) == _FRAME_HEAD and answer[3] == _SETTINGS
