"""The vLLM servers of one run: one at a time, kept from one dispatch to the next for as long as both mean the same."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import EngineError
from schemas.recipe import ModelSection

if TYPE_CHECKING:
    from pipelines.engines.protocol import Engine
    from pipelines.engines.vllm.server import Listener, VllmServer


class Servers:
    """Whoever makes a run closes them with it."""

    def __init__(self, directory: Path = Path(), grace_s: float | None = None) -> None:
        """Relative models, programs and files of command lines start at `directory`, where the recipe stands.

        `grace_s` is how long a server may take to end by itself; `vllm_server.GRACE_S` unless given.
        """
        self._directory = directory
        self._grace_s = grace_s
        self._server: VllmServer | None = None
        self._numbers = count(1)

    def engine(self, model: ModelSection, logs: Path, listener: "Listener", is_stopped: Callable[[], bool]) -> "Engine":
        """Return the engine of a model, in front of a server that answers; blocks until one does.

        The logs are `<logs>-vllm-1.log` and so on, one a start. A server with another command line is stopped first:
        there may be room for one only. Raises EngineError, with the likely cause, where it does not start.
        """
        # A build without a server of its own need not load what it takes.
        from pipelines.engines.vllm.command import launch_of
        from pipelines.engines.vllm.engine import VllmEngine
        from pipelines.engines.vllm.server import GRACE_S, ServerEnded, VllmServer, tell_lines

        launch = launch_of(model, self._directory)
        server = self._server
        if server is None or server.launch != launch or server.has_ended():
            self.close()

            def next_log() -> Path:
                paths = (logs.with_name(f"{logs.name}-vllm-{number}.log") for number in self._numbers)
                return next(path for path in paths if not path.exists())  # an earlier try of this run has left some

            server = VllmServer(launch, next_log, listener, GRACE_S if self._grace_s is None else self._grace_s)
            try:
                server.start()
            except ServerEnded as ended:
                tell_lines(ended.failure, listener)
                raise EngineError(
                    f"vLLM did not start for {model.name}: {ended.failure.cause}; its log: {server.log}"
                ) from None
            self._server = server
        return VllmEngine(model, server, listener, is_stopped)

    def close(self) -> None:
        """Stop the server, if there is one; waits until all of it is gone."""
        if self._server is not None:
            server, self._server = self._server, None
            server.stop()
