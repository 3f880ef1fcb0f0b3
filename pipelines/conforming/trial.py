"""A trial: every case of a kind, through one door, several at a time, and what came of each."""

import asyncio
import os
import secrets
import shlex
import signal
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pipelines.conforming.calls import ALL_AT_ONCE, Call, Door, Kind, is_address
from pipelines.conforming.cases import CONTRACT, Case, cases_for, response_texts, written
from pipelines.conforming.findings import Finding, Tried, finding_of
from pipelines.conforming.stand_in import Judge, listening
from pipelines.conforming.workers import Worker
from schemas.errors import RecipeError

LANES = 4
"""So many cases at a time: most of them only wait."""
QUESTION = "How much is 17 times 3?"
REFERENCE = "51"
TRUTH = '{"n": 2, "best": 0}'
NOBODY = "http://127.0.0.1:9/v1"
"""An address where nobody listens: a rule that asks a judge fails, and spends nothing."""
_AGAIN_S = 0.5
_LONGEST_STOP_S = 15.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried, and how."""

    target: str
    """An address, or the path of a Python file."""
    kind: Kind
    door: Door
    function: str = ""
    form: str = CONTRACT
    judge_port: int = 0
    patience_s: float = 30.0
    wait_s: float = 60.0
    """So long the first case waits for a service to listen, and to ask the stand-in."""
    command: str = ""
    """Starts the service; it is stopped at the end."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the command and a file's function see beside OPENAI_BASE_URL, which is the stand-in."""


async def tried(trial: Trial, tell: Callable[[str], None]) -> list[Tried]:
    """Return what came of every case, in their order. Raises RecipeError where the reward cannot be tried."""
    judge = Judge(trial.form)
    first, *others = [case for case in cases_for(trial.kind) if len(case.responses) == 2 or trial.door in ALL_AT_ONCE]
    async with listening(judge, trial.judge_port), _started(trial, judge) as process:
        if trial.kind is Kind.JUDGE and is_address(trial.target):
            tell(f"the stand-in judge listens at {judge.base_url}: the service must ask it, and no other")
        tell(f"{1 + len(others)} cases; what takes over {trial.patience_s:g} s has blocked")
        way = (trial.target, trial.door, trial.function, _environment(trial, judge))
        lanes = [Worker(*way) for _ in range(1 if trial.kind is Kind.RULE else LANES)]
        try:
            found = {-1: await _first(trial, first, judge, lanes[0], process)}
            due = iter(enumerate(others))

            async def lane(worker: Worker) -> None:
                for number, case in due:
                    found[number] = await _tried(trial, case, judge, worker)

            await asyncio.gather(*map(lane, lanes))
        finally:
            await asyncio.gather(*(worker.close() for worker in lanes))
    return [found[number] for number in sorted(found)]


async def _tried(trial: Trial, case: Case, judge: Judge, worker: Worker) -> Tried:
    """Return what came of a case."""
    token = secrets.token_hex(4)
    responses = response_texts(case, token, trial.form)
    judge.cases[token] = case, responses
    question = f"[{token}] {QUESTION}"
    if trial.kind is Kind.RULE:
        call = Call(question, [written(case, dict(enumerate(case.scores)), responses, trial.form)], TRUTH)
    else:
        call = Call(question, responses, REFERENCE, judge.base_url.removeprefix("http://").removesuffix("/v1"))
    await worker.ready()
    began = time.monotonic()
    try:
        given = await worker.ask(call, trial.patience_s)
    except TimeoutError:
        given = []
    finding = finding_of(case, trial.kind, given) if given else Finding.BLOCKED
    return Tried(case, tuple(given), time.monotonic() - began, finding, judge.asked[token])


async def _first(trial: Trial, case: Case, judge: Judge, worker: Worker, process: Process | None) -> Tried:
    """Return what came of the first case, once the reward listens and asks the stand-in; a service is waited for."""
    until = time.monotonic() + trial.wait_s
    while True:
        found = await _tried(trial, case, judge, worker)
        listens = not found.came.startswith("nobody listens")
        if found.requests or (trial.kind is Kind.RULE and listens):
            return found
        if process is not None and process.returncode is not None:
            raise RecipeError(f"{trial.command!r} ended with exit code {process.returncode}: it starts no service")
        if not is_address(trial.target) or time.monotonic() > until:
            break
        await asyncio.sleep(_AGAIN_S)
    if not listens:
        raise RecipeError(f"{trial.target}: {found.came}")
    way = "it must be its judge's base URL; a file takes it from OPENAI_BASE_URL"
    raise RecipeError(f"{trial.target} never asked the stand-in judge at {judge.base_url}: {way}; it gave {found.came}")


def _environment(trial: Trial, judge: Judge) -> dict[str, str]:
    """Return what another's code sees: the stand-in in place of any real judge."""
    address = NOBODY if trial.kind is Kind.RULE else judge.base_url
    plain = {"OPENAI_BASE_URL": address, "OPENAI_API_BASE": address, "OPENAI_API_KEY": "conform"}
    local = f"127.0.0.1,{trial.environment.get('NO_PROXY', '')}"
    return {**trial.environment, **plain, "NO_PROXY": local, "no_proxy": local}


@asynccontextmanager
async def _started(trial: Trial, judge: Judge) -> AsyncIterator[Process | None]:
    """Run the command that starts the service, if there is one, and stop it at the end."""
    if not trial.command:
        yield None
        return
    try:
        words, environment = shlex.split(trial.command), _environment(trial, judge)
        process = await asyncio.create_subprocess_exec(
            *words, env=environment, stdin=DEVNULL, stdout=DEVNULL, start_new_session=True
        )
    except (OSError, ValueError, TypeError) as error:
        raise RecipeError(f"--start {trial.command!r} cannot be run: {error}") from None
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _LONGEST_STOP_S)
            except TimeoutError:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
