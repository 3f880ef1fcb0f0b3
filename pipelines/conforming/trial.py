"""A trial: every case of a kind, through one door, several at a time, and what came of each."""

import asyncio
import os
import secrets
import shlex
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.conforming.calls import ALL_AT_ONCE, Asks, Call, Door, Given, Kind
from pipelines.conforming.cases import CONTRACT, Case, cases_for, response_texts, written
from pipelines.conforming.findings import Finding, Tried, finding_of
from pipelines.conforming.functions import FunctionInFile
from pipelines.conforming.services import Service
from pipelines.conforming.stand_in import Judge, listening
from schemas.errors import RecipeError

LANES = 4
"""So many cases at a time: the most of them only wait."""
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
    """What takes longer has blocked."""
    wait_s: float = 60.0
    """So long the first case waits for a service to listen, and to ask the stand-in."""
    command: str = ""
    """Starts the service, with OPENAI_BASE_URL set to the stand-in; it is stopped at the end."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the command and the file's function see beside OPENAI_BASE_URL."""

    @property
    def is_service(self) -> bool:
        return self.target.startswith(("http://", "https://"))


async def tried(trial: Trial, tell: Callable[[str], None]) -> list[Tried]:
    """Return what came of every case, in the order of the cases. `tell` is given lines for the user meanwhile.

    Raises RecipeError where the reward cannot be tried: a file without the function, a service that does not listen or
    never asks the stand-in.
    """
    judge = Judge(trial.form)
    cases = [case for case in cases_for(trial.kind) if not case.is_joint or trial.door in ALL_AT_ONCE]
    async with listening(judge, trial.judge_port) as base_url, _started(trial, base_url) as process:
        if trial.kind is Kind.JUDGE and trial.is_service:
            tell(f"the stand-in judge listens at {base_url}: the service must ask it, and no other")
        tell(f"{len(cases)} cases; what takes over {trial.patience_s:g} s has blocked")
        lanes = [_opened(trial, base_url) for _ in range(1 if trial.kind is Kind.RULE else LANES)]
        try:
            found = {0: await _first(trial, cases[0], judge, lanes[0], base_url, process)}
            due = iter(list(enumerate(cases))[1:])

            async def lane(asks: Asks) -> None:
                for number, case in due:
                    _, found[number] = await _tried(trial, case, judge, asks, base_url)

            await asyncio.gather(*map(lane, lanes))
        finally:
            await asyncio.gather(*(asks.close() for asks in lanes))
    return [found[number] for number in sorted(found)]


async def _tried(trial: Trial, case: Case, judge: Judge, asks: Asks, base_url: str) -> tuple[str, Tried]:
    """Return the token by which the judge knows a case, and what came of it."""
    token = secrets.token_hex(4)
    responses = response_texts(case, token, trial.form)
    judge.cases[token] = case, responses
    if is_rule := trial.kind is Kind.RULE:
        texts, truth, router = [written(case, dict(enumerate(case.scores)), responses, trial.form)], TRUTH, ""
    else:
        texts, truth, router = responses, REFERENCE, base_url.removeprefix("http://").removesuffix("/v1")
    call = Call(f"[{token}] {QUESTION}", texts, truth, is_rule, router)
    await asks.ready()
    began = time.monotonic()
    given: tuple[Given, ...] = ()
    try:
        given = tuple(await asks.ask(call, trial.patience_s))
        finding = finding_of(case, trial.kind, given)
    except TimeoutError:
        finding = Finding.BLOCKED
    except ConnectionError as error:
        given = (Given(failure=f"nobody listens: {error}"),) * len(texts)
        finding = finding_of(case, trial.kind, given)
    return token, Tried(case, given, time.monotonic() - began, finding)


async def _first(
    trial: Trial,
    case: Case,
    judge: Judge,
    asks: Asks,
    base_url: str,
    process: asyncio.subprocess.Process | None,
) -> Tried:
    """Return what came of the first case, once the reward listens and asks the stand-in; a service is waited for."""
    until = time.monotonic() + trial.wait_s
    while True:
        token, found = await _tried(trial, case, judge, asks, base_url)
        if judge.asked[token] or (trial.kind is Kind.RULE and "nobody listens" not in found.came):
            return found
        if process is not None and process.returncode is not None:
            raise RecipeError(f"{trial.command!r} ended with exit code {process.returncode}: it starts no service")
        if not trial.is_service or time.monotonic() > until:
            break
        await asyncio.sleep(_AGAIN_S)
    if trial.kind is Kind.RULE:
        raise RecipeError(f"{trial.target}: {found.came}")
    way = "give it this as its base URL" if trial.is_service else "it must take its base URL from OPENAI_BASE_URL"
    raise RecipeError(f"{trial.target} never asked the stand-in judge at {base_url}: {way}; it gave {found.came}")


def _opened(trial: Trial, base_url: str) -> Asks:
    if trial.is_service:
        return Service(trial.target, trial.door)
    return FunctionInFile(Path(trial.target), trial.door, trial.function, _environment(trial, base_url))


def _environment(trial: Trial, base_url: str) -> dict[str, str]:
    """Return what another's code sees: the stand-in in place of any real judge."""
    address = NOBODY if trial.kind is Kind.RULE else base_url
    plain = {"OPENAI_BASE_URL": address, "OPENAI_API_BASE": address, "OPENAI_API_KEY": "conform"}
    return {**trial.environment, **plain, "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}


@asynccontextmanager
async def _started(trial: Trial, base_url: str) -> AsyncIterator[asyncio.subprocess.Process | None]:
    """Run the command that starts the service, if there is one, and stop it at the end."""
    if not trial.command:
        yield None
        return
    try:
        process = await asyncio.create_subprocess_exec(
            *shlex.split(trial.command),
            env=_environment(trial, base_url),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
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
