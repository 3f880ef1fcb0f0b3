"""A service from its start to its end: what a recipe needs to be served, the port, SIGTERM, the last answers."""

import asyncio
import gc
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

from aiohttp import web

from pipelines.engines.answering import Run, check_key
from pipelines.engines.live.dispatch import fast_loop
from pipelines.engines.live.exchange import LOOPBACK
from pipelines.engines.standing import Kept, Standing
from pipelines.evaluation.judges import judge_of
from pipelines.evaluation.meta_rm import meta_rm_of
from pipelines.serving.canary import Canary, canary_sets
from pipelines.serving.judging import Judges
from pipelines.serving.service import Service, application
from schemas.errors import RecipeError, StorageError
from schemas.recipe import ModelSection, Recipe, ServeSection
from storage.root import Root

BACKLOG = 1_024
COLLECT_EVERY = 100_000
"""So many new objects start a collection. Python's own number is 700, by which every call waits again and again."""
CLOSING_S = 1.0
"""How long connections have to take their last reply once everything is judged."""


class Address(NamedTuple):
    """Where a service listens, and how it ends."""

    host: str
    port: int
    """0 for any that is free."""
    token: str | None
    wait_s: float
    """How long what is in flight is waited for once the service is to end."""


def address_of(recipe: Recipe, environment: Mapping[str, str], host: str, port: int, wait_s: float) -> Address:
    """Return where to listen, with the token. Raises RecipeError where strangers could call without one."""
    variable = (recipe.serve or ServeSection()).token_env
    token = environment.get(variable, "").strip() if variable else ""
    if variable and not token:
        raise RecipeError(f"serve.token_env: {variable} is not set; export {variable}=.. and run again")
    if host not in LOOPBACK and not token:
        raise RecipeError(
            f"--host {host}: anyone who reaches it could spend your budget; name a variable that holds a token: "
            '[serve] token_env = "GRMFORGE_TOKEN"'
        )
    return Address(host, port, token or None, wait_s)


def serve(recipe: Recipe, root: Root, run: Run, address: Address, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; then wait for what is in flight, and return. Raises ForgeError.

    `say` gets the URL as soon as calls are taken.
    """
    section = recipe.serve or ServeSection()
    job = judge_of(recipe, section.judge, section.k, grades_single=True)
    meta_rm = meta_rm_of(recipe) if section.select == "meta_rm" else None
    if section.select == "meta_rm" and meta_rm is None:
        raise RecipeError('serve.select = "meta_rm" needs a Meta RM: add [models.meta_rm]')
    for model in [job.model, *([meta_rm.job.model] if meta_rm else [])]:
        _check_model(model, run)
    sets = canary_sets(recipe, root)

    async def go() -> None:
        with Kept(root, run) as kept:
            judge = Standing(root, run, job.model, kept)
            scorer = Standing(root, run, meta_rm.job.model, kept) if meta_rm else None
            judges = Judges(job, section, judge, meta_rm, scorer)
            service = Service(judges, address.token, Canary(judges, sets, section.canary_every_steps))
            await _serve(service, address, say)

    run.watcher.stage(f"serving {job.model.name}", None)
    with asyncio.Runner(loop_factory=fast_loop()) as runner:
        runner.run(go())


def _check_model(model: ModelSection, run: Run) -> None:
    """Raise ForgeError for a model that cannot be asked while a trainer waits."""
    if model.batch:
        raise RecipeError(f"model {model.name}: batch = true answers within a day; a reward is needed at once")
    check_key(model, run.keys)


async def _serve(service: Service, address: Address, say: Callable[[str], None]) -> None:
    """Take calls until a signal says to end, then bring what was begun to its end."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError, RuntimeError, ValueError):  # not in the main thread: somebody else ends it
            loop.add_signal_handler(number, ended.set)
    runner = web.AppRunner(application(service), access_log=None, handle_signals=False, shutdown_timeout=CLOSING_S)
    await runner.setup()
    asked = [one for one in (service.judges.judge, service.judges.scorer) if one is not None]
    collecting = gc.get_threshold()
    try:
        site = web.TCPSite(runner, address.host, address.port, backlog=BACKLOG)
        try:
            await site.start()
        except OSError as error:
            where = f"{address.host}:{address.port}"
            raise StorageError(f"{where}: nobody can listen there: {error.strerror or error}; say --port") from None
        port = runner.addresses[0][1]
        host = f"[{address.host}]" if ":" in address.host else address.host
        # What stands now stays: a collection that walks through it all holds up every call for a tenth of a second.
        gc.freeze()
        gc.set_threshold(COLLECT_EVERY)
        say(f"http://{host}:{port}")
        await ended.wait()
        await service.canary.stop()
        with suppress(TimeoutError):
            await asyncio.wait_for(service.drain(), address.wait_s)
    finally:
        gc.set_threshold(*collecting)
        gc.unfreeze()
        await asyncio.gather(*(one.abort() for one in asked))  # after a drain nothing is out any more
        await runner.cleanup()
