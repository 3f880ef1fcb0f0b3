"""Rewards are called in processes of their own: what blocks for ever can be killed there."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from pipelines.conforming.calls import Call, Door, Given, given_by, is_address
from schemas.errors import RecipeError

LONGEST_START_S = 120.0
"""The imports of a trainer take their time."""
_LONGEST_LINE = 2**22


class Worker:
    """A process that calls a reward; it is started again after it was killed."""

    def __init__(self, target: str, door: Door, name: str, environment: Mapping[str, str]) -> None:
        self._target = target
        place = target if is_address(target) else str(Path(target).resolve())
        self._command = (sys.executable, "-m", "pipelines.conforming.worker", place, door.value, name)
        self._environment = dict(environment)
        self._process: Process | None = None

    async def ready(self) -> None:
        """Start the worker, unless it runs: imports are not the reward's time. Raises RecipeError."""
        if self._process is not None:
            return
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            env=self._environment,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            limit=_LONGEST_LINE,
            start_new_session=True,
        )
        try:
            said = json.loads(await asyncio.wait_for(_line(self._process), LONGEST_START_S) or b"{}")
        except TimeoutError:
            said = {"unusable": f"it is not loaded after {LONGEST_START_S:.0f} s"}
        if "ready" not in said:
            await self.close()
            raise RecipeError(f"{self._target} cannot be tried: {said.get('unusable', 'its process ended')}")

    async def ask(self, call: Call, patience_s: float) -> list[Given]:
        """Return what each response is given; of a process that dies, how. Raises TimeoutError past the patience."""
        await self.ready()
        process = self._process
        assert process is not None
        try:
            line = await asyncio.wait_for(_line(process, json.dumps(asdict(call)).encode() + b"\n"), patience_s)
        except TimeoutError:
            await self.close()
            raise
        if not line:
            self._process = None
            return [Given(failure=f"its process ended with exit code {await process.wait()}")] * len(call.responses)
        return given_by(json.loads(line)["replies"], len(call.responses))

    async def close(self) -> None:
        """Kill the worker, and what it started."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _line(process: Process, written: bytes = b"") -> bytes:
    """Send a line to a worker, and return the next one of its own; nothing where it has ended."""
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(written)
        await process.stdin.drain()
        return await process.stdout.readline()
    except ConnectionError:
        return b""
