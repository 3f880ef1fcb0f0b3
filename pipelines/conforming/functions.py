"""A reward function in a file, called in a process of its own: what blocks for ever can be killed there."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.conforming.calls import Call, Door, Given
from schemas.errors import RecipeError

LONGEST_START_S = 120.0
"""The imports of a trainer take their time."""
_LONGEST_LINE = 2**22


class FunctionInFile:
    """A worker that holds the function; it is started again after it was killed."""

    def __init__(self, path: Path, door: Door, name: str, environment: Mapping[str, str]) -> None:
        self._command = ("-m", "pipelines.conforming.worker", str(path.resolve()), door.value, name)
        self._path = path
        self._environment = dict(environment)
        self._process: asyncio.subprocess.Process | None = None

    async def ready(self) -> None:
        """Start the worker, unless it runs: its imports are not the function's time."""
        if self._process is None:
            self._process = await self._start()

    async def ask(self, call: Call, patience_s: float) -> Sequence[Given]:
        """Return what the function gives each response; of a process that dies, how it died."""
        await self.ready()
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(call.as_json()).encode() + b"\n")
        try:
            line = await asyncio.wait_for(_line(process), patience_s)
        except TimeoutError:
            await self.close()
            raise
        if not line:
            code = await process.wait()
            self._process = None
            return [Given(failure=f"the process ended with exit code {code}")] * len(call.responses)
        return [Given(**one) for one in json.loads(line)["rewards"]]

    async def close(self) -> None:
        """Kill the worker, and what it started."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        """Start a worker and wait until it has loaded the file; raises RecipeError where it cannot."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self._command,
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_LONGEST_LINE,
            start_new_session=True,
        )
        self._process = process
        try:
            said = json.loads(await asyncio.wait_for(_line(process), LONGEST_START_S) or b"{}")
        except TimeoutError:
            said = {"unusable": f"it is not loaded after {LONGEST_START_S:.0f} s"}
        if "ready" not in said:
            await self.close()
            raise RecipeError(f"{self._path} cannot be tried: {said.get('unusable', 'its process ended')}")
        return process


async def _line(process: asyncio.subprocess.Process) -> bytes:
    """Send what was written, and return the next line of the worker; nothing where it has ended."""
    assert process.stdin is not None and process.stdout is not None
    try:
        await process.stdin.drain()
        return await process.stdout.readline()
    except ConnectionError:
        return b""
