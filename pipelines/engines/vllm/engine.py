"""engine = "vllm": the openai engine in front of a server of our own, which is started again when it dies.

A request that comes while the server is being started waits, and uses up no try. Only what was in flight when it died
fails for a passing reason, and is sent once more: a request that kills every server it meets is given up in the end
like any other.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.engines.faults import Broken, reason_of
from pipelines.engines.live.openai_compatible import OpenAICompatibleEngine
from pipelines.engines.protocol import Attempt, Observer
from pipelines.engines.vllm.failures import Failure
from pipelines.engines.vllm.server import Abandoned, ServerEnded, VllmServer, report_log
from schemas.errors import EngineError
from schemas.generation import Completion, FaultKind, Request
from schemas.recipe import ModelSection

LOST = frozenset({Broken.REFUSED, Broken.RESET, Broken.HALF, Broken.NOT_HTTP})
"""How an exchange breaks off when the server dies."""
NOTICE_S = 2.0
"""A connection breaks before its process is known to have ended: this long is waited for that."""
CHECK_EVERY_S = 0.1
MAX_PAUSE_S = 30.0
"""Between starts that fail: doubled each time up to this, since something may have to be freed first."""


@dataclass(slots=True, eq=False)
class _Front:
    """The openai engine in front of one start of the server."""

    engine: OpenAICompatibleEngine
    log: Path
    """Of that start."""
    ended: asyncio.Task[Failure] | None = None
    """Reads why it ended, once it has."""


class VllmEngine:
    """One model behind a server of our own. Closing it leaves the server to the next dispatch."""

    def __init__(
        self, model: ModelSection, server: VllmServer, observer: Observer, is_stopped: Callable[[], bool]
    ) -> None:
        """Take over a server that answers. `is_stopped` says that the run is to end: then no start is waited for."""
        self._model = model
        self._server = server
        self._observer = observer
        self._is_stopped = is_stopped
        self._is_closed = False
        self._deaths = 0
        """Since the last answer."""
        self._fronts: list[_Front] = []
        """One for each start, the last one in use; earlier ones may still hold requests that were in flight."""
        self._open_front()
        self._coming: asyncio.Task[None] | None = None
        """The server's return, while it is being started again."""

    async def complete(self, request: Request) -> Attempt:
        """Try a request once, when the server is there.

        Raises EngineError when it does not come back, when it refuses every request, and when it is another model's.
        """
        try:
            if self._coming is None and self._server.has_ended():
                self._coming = asyncio.get_running_loop().create_task(self._start_again())
            if self._coming is not None:
                await asyncio.shield(self._coming)
        except Abandoned:
            return _sent_again(Completion(request.request_id, error=f"{self._server.url}: {Broken.REFUSED}"))
        front = self._fronts[-1]
        try:
            attempt = await front.engine.complete(request)
        except EngineError as error:  # nobody has listened there for a while
            if not await self._has_died(front):
                raise
            return await self._lost(front, Completion(request.request_id, error=str(error)))
        completion = attempt.completion
        if completion.fault is None:
            self._deaths = 0
            self._check_name(completion)
        elif self._is_past(front) or (reason_of(completion.error or "") in LOST and await self._has_died(front)):
            return await self._lost(front, completion)
        elif completion.fault is FaultKind.ENGINE:
            raise EngineError(f"{completion.error}; the log of that server: {self._server.log}")
        return attempt

    async def close(self) -> None:
        """Close every connection, and wait for no start."""
        self._is_closed = True
        if self._coming is not None:
            await asyncio.gather(self._coming, return_exceptions=True)
        await asyncio.gather(*(front.engine.close() for front in self._fronts))

    def _open_front(self) -> None:
        address = self._model.model_copy(update={"base_url": (self._server.url,)})
        self._fronts.append(_Front(OpenAICompatibleEngine(address, self._server.key), self._server.log))

    async def _start_again(self) -> None:
        server = self._server
        try:
            failure = await self._why(self._fronts[-1])
            while True:
                self._count_death(failure)
                until = time.monotonic() + (min(MAX_PAUSE_S, 2.0 ** (self._deaths - 1)) if self._deaths > 1 else 0.0)
                while time.monotonic() < until and not self._is_unwanted():
                    await asyncio.sleep(CHECK_EVERY_S)
                try:
                    await asyncio.to_thread(server.start, self._is_unwanted)
                except ServerEnded as ended:
                    failure = ended.failure
                else:
                    return self._open_front()
        finally:
            self._coming = None

    async def _why(self, front: _Front) -> Failure:
        """Return why the server behind a front has ended; read once, before the next one starts."""
        if front.ended is None:
            front.ended = asyncio.get_running_loop().create_task(asyncio.to_thread(self._server.failure))
        return await asyncio.shield(front.ended)

    async def _lost(self, front: _Front, completion: Completion) -> Attempt:
        """Return a try that the server's end broke off, with the cause, since it may be the last one."""
        failure = await self._why(front)
        error = f"{completion.error}; its vLLM server ended: {failure.cause}; its log: {front.log}"
        return _sent_again(replace(completion, error=error))

    def _count_death(self, failure: Failure) -> None:
        """Report why the server ended. Raises EngineError where it ended too often, Abandoned where nobody waits."""
        name, log = self._model.name, self._server.log
        report_log(failure, self._observer)
        self._deaths += 1
        most = self._server.launch.restarts
        if self._deaths > most:
            times = f"{self._deaths} times without an answer in between" if most else "and restarts = 0"
            raise EngineError(
                f"the vLLM server of {name} ended {times}: {failure.cause}; its log: {log}; every answer so far is "
                "kept: the same command goes on from here"
            )
        if self._is_unwanted():
            raise Abandoned
        self._observer.warn(f"the vLLM server of {name} ended and is started again; {failure.cause}; its log: {log}")

    def _is_unwanted(self) -> bool:
        return self._is_closed or self._is_stopped()

    async def _has_died(self, front: _Front) -> bool:
        """Say whether the server behind a front has ended; it may take a moment until that is known."""
        until = time.monotonic() + NOTICE_S
        while not self._is_past(front) and not self._server.has_ended():
            if time.monotonic() > until:
                return False
            await asyncio.sleep(CHECK_EVERY_S)
        return True

    def _is_past(self, front: _Front) -> bool:
        """Say whether it is known that the server behind a front has ended. The next one may refuse its key."""
        return front is not self._fronts[-1] or self._coming is not None

    def _check_name(self, completion: Completion) -> None:
        served = completion.served_model
        if served is not None and served != self._model.model:
            raise EngineError(
                f"the server at {self._server.url} answers as {served!r}, not as {self._model.model!r}: another one "
                f"has taken its place; end that one and run again; the log of ours: {self._server.log}"
            )


def _sent_again(completion: Completion) -> Attempt:
    """Return a try that failed by no fault of its request, to be made again as soon as the server is there."""
    return Attempt(replace(completion, fault=FaultKind.TRANSIENT), retry_after_s=0.0)
