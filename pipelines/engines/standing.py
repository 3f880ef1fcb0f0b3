"""A role that is asked as questions come, for as long as a service runs: each is looked up, sent, stored, shared.

    with Kept(root, run) as kept:
        judge = Standing(root, run, model, kept)
        completions = await judge.answers(requests)

It is the way of `answering`, in a loop that somebody else runs: the same stored answers, journal, budget, limits and
retries. A stream ends where a build would end: at a ceiling, or where the endpoint is gone. Whoever waits for an answer
then gets that error, and the next request begins another stream.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from pipelines.engines.answering import Run, Stored, engine_of
from pipelines.engines.live.dispatch import Stream
from pipelines.engines.live.limits import Concurrency, RateLimits
from pipelines.engines.live.line import Line
from schemas.errors import EngineError, ForgeError, StorageError
from schemas.generation import Completion, FaultKind, Request
from schemas.recipe import ModelSection
from schemas.record import bucket_of
from storage.generations import Generations
from storage.journal import JournalWriter
from storage.root import Root

RECENT = 20_000
"""So many answers of this run are kept in memory; older ones are read again from the disk."""
FLUSH_EVERY_S = 0.05
"""Answers that come within so short a time share a write to the disk."""


class Kept:
    """The answers that a root holds, with those of this run. Use as a context manager, in the loop that asks."""

    def __init__(self, root: Root, run: Run) -> None:
        self._root, self._run = root, run
        generations = Generations(root, run.watcher.warn)
        if root.is_local:
            generations.check()
        self._stored = Stored(root, generations)
        self._generations = generations
        self._ids: dict[int, asyncio.Future[set[str]]] = {}
        """Ids of the answers on disk, by bucket, once a bucket was asked for."""
        self._recent: OrderedDict[str, tuple[int, Completion]] = OrderedDict()
        self._journal = JournalWriter(root, run.run_id)
        self._reading, self._writing = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._flush: asyncio.Task[None] | None = None
        self._is_flushed = True
        """Whether every answer that came in is on its way to the disk, or there."""
        self.refused: StorageError | None = None
        """Why the root takes no more answers, once it does not."""

    def __enter__(self) -> Self:
        self._journal.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._writing.shutdown()
        self._reading.shutdown()
        self._journal.__exit__(None, None, None)

    def is_new(self, request: Request) -> bool:
        """Say whether it is known, without a look at the disk, that there is no answer."""
        ids = self._ids.get(bucket_of(request.query_id))
        is_read = ids is not None and ids.done() and ids.exception() is None
        if not is_read or self._stored.has_imports or request.request_id in self._recent:
            return False
        assert ids is not None
        return request.request_id not in ids.result()

    def recent(self, request: Request) -> Completion | None:
        """Return the answer where it is one of this run's latest."""
        recent = self._recent.get(request.request_id)
        return None if recent is None else recent[1]

    async def answer_to(self, request: Request) -> Completion | None:
        """Return the stored or imported answer; None where there is none."""
        if (recent := self.recent(request)) is not None:
            return recent
        bucket = bucket_of(request.query_id)
        if bucket not in self._ids:
            reading = asyncio.get_running_loop().run_in_executor(self._reading, self._read_ids, bucket)
            self._ids[bucket] = asyncio.ensure_future(reading)
        try:
            ids = await asyncio.shield(self._ids[bucket])
        except Exception:
            self._ids.pop(bucket, None)
            raise
        if (recent := self.recent(request)) is not None:  # an equal one was answered meanwhile
            return recent
        if request.request_id in ids:
            return await asyncio.get_running_loop().run_in_executor(self._reading, self._look_up, request)
        if (imported := self._stored.imported(request)) is not None:
            self.keep(request, imported)
        return imported

    def keep(self, request: Request, completion: Completion) -> None:
        """Store an answer. Raises StorageError where earlier ones could not be stored."""
        bucket = bucket_of(request.query_id)
        self._recent[request.request_id] = bucket, completion
        if len(self._recent) > RECENT:
            oldest, (its_bucket, _) = self._recent.popitem(last=False)
            if (ids := self._ids.get(its_bucket)) is not None and ids.done():
                ids.result().add(oldest)
        self._is_flushed = False
        if self._flush is None or self._flush.done():
            self._flush = asyncio.get_running_loop().create_task(self._flush_soon())
        try:
            self._journal.append(request, completion)
        except StorageError as error:
            self.refused = error
            raise

    async def _flush_soon(self) -> None:
        """Bring what has come in to the disk now, and not half a second later: it may be paid for."""
        while not self._is_flushed:  # more may come in while a slow disk takes the last ones
            await asyncio.sleep(FLUSH_EVERY_S)
            self._is_flushed = True
            try:
                await asyncio.get_running_loop().run_in_executor(self._writing, self._journal.flush)
            except StorageError as error:
                self.refused = error
                self._run.watcher.warn(str(error))
                return

    def _read_ids(self, bucket: int) -> set[str]:
        return set(self._generations.answers([bucket], []).column("request_id").to_pylist())

    def _look_up(self, request: Request) -> Completion | None:
        found = self._stored.bought(request)
        if found is None:  # it was written since the root was opened
            self._generations = Generations(self._root, self._run.watcher.warn)
            self._stored = Stored(self._root, self._generations)
            found = self._stored.bought(request)
        return found


Heard = Completion | ForgeError
"""What becomes of a request: its answer, a failed one with its fault, or why there is none."""


class _Asked:
    """Requests whose asker waits until all of them are answered.

    The last answer wakes the asker. With a future for each request, that would take two more turns of the loop, and
    whatever else is ready goes first in each of them.
    """

    def __init__(self, count: int) -> None:
        self._left = count
        self._heard: list[Heard | Exception | None] = [None] * count
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not count:
            self._over.set_result(None)

    def tell(self, place: int, heard: Heard | Exception) -> None:
        self._heard[place] = heard
        self._left -= 1
        if not self._left and not self._over.done():  # the asker may have given up
            self._over.set_result(None)

    async def all(self) -> list[Heard]:
        """Wait for all of them, and return them in order. Raises what is no ForgeError: a bug."""
        await self._over
        heard: list[Heard] = []
        for one in self._heard:
            assert one is not None  # each was told
            if isinstance(one, Exception) and not isinstance(one, ForgeError):
                raise one
            heard.append(one)
        return heard


class Standing:
    """One model, asked by whoever needs it. Requests that are out are shared: equal ones are sent once."""

    def __init__(self, root: Root, run: Run, model: ModelSection, kept: Kept) -> None:
        self._root, self._run, self._model, self._kept = root, run, model, kept
        self._out: dict[str, list[tuple[_Asked, int]]] = {}
        """Requests at the endpoint or in line for it, with who waits for each, and for which of theirs it is."""
        self._looking: set[asyncio.Task[None]] = set()
        self._stream: Stream | None = None
        self._running: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()
        self._last_words = ""
        self.stored = self.bought = 0
        """Answers that were there, and those that were sent for."""

    @property
    def in_flight(self) -> int:
        """How many requests are at the endpoint."""
        return 0 if self._stream is None else self._stream.in_flight

    async def answers(self, requests: Sequence[Request]) -> list[Heard]:
        """Return the answer to each request, stored or new, in their order.

        In place of an answer stand BudgetReached at a ceiling, EngineError where the endpoint is gone, StorageError
        where answers cannot be stored. A caller who gives up takes nothing away from the others: answers come in, and
        are stored.
        """
        asked = _Asked(len(requests))
        for place, request in enumerate(requests):
            is_out = request.request_id in self._out
            if is_out or (self._stream and self._kept.refused is None and self._kept.is_new(request)):
                self._send(request, asked, place)
            else:  # only what may be stored costs a task of its own: a trainer sends hundreds of new ones a second
                looking = asyncio.get_running_loop().create_task(self._look_up(request, asked, place))
                self._looking.add(looking)
                looking.add_done_callback(self._looking.discard)
        return await asked.all()

    async def _look_up(self, request: Request, asked: _Asked, place: int) -> None:
        """Tell the stored answer to a request; send it where there is none."""
        try:
            found = self._wanted(await self._kept.answer_to(request))
            if found is None:
                if self._kept.refused is not None:
                    raise StorageError(str(self._kept.refused))
                await self._open()
                found = self._wanted(self._kept.recent(request))  # an equal one, answered while a server started
            if found is None:
                self._send(request, asked, place)
            else:
                self.stored += 1
                asked.tell(place, found)
        except Exception as error:  # noqa: BLE001 - whoever waits raises what is a bug
            asked.tell(place, error)

    async def abort(self) -> None:
        """End at once; what is at the endpoint is given up."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    def _wanted(self, found: Completion | None) -> Completion | None:
        """Return an answer that was found, unless it is a failed one that is to be asked for again."""
        return None if found is not None and found.fault and self._run.retry_failed else found

    def _send(self, request: Request, asked: _Asked, place: int) -> None:
        """Put a request in line, unless an equal one is out: then wait with those who wait for it."""
        if (waiting := self._out.get(request.request_id)) is not None:
            waiting.append((asked, place))
            return
        self._out[request.request_id] = [(asked, place)]
        self.bought += 1
        assert self._stream is not None  # `_open` has returned, and nothing was awaited since
        self._stream.put(request)

    def _tell(self, request_id: str, heard: Heard) -> None:
        for asked, place in self._out.pop(request_id):
            asked.tell(place, heard)

    async def _open(self) -> None:
        """See that a stream runs."""
        if self._stream is not None:
            return
        async with self._opening:
            if self._stream is not None:
                return
            model = self._model
            if model.engine == "vllm":  # its server takes minutes to start
                engine = await asyncio.to_thread(engine_of, self._root, self._run, model)
            else:
                engine = engine_of(self._root, self._run, model)
            self._stream = Stream(
                line=Line(iter(()), model.max_retries, model.max_concurrency),
                engine=engine,
                model=model,
                budget=self._run.budget,
                on_completion=self._completed,
                observer=self._run.watcher,
                flush=lambda: None,
                limits=RateLimits(model.rpm, model.tpm),
                concurrency=Concurrency(model.max_concurrency),
                is_open=True,
            )
            self._running = asyncio.get_running_loop().create_task(self._run_through(self._stream))

    async def _run_through(self, stream: Stream) -> None:
        error: ForgeError = EngineError("the service ends")
        try:
            await stream.run()
        except ForgeError as ended:
            error = ended
            if str(ended) != self._last_words:  # each call may meet the same end
                self._last_words = str(ended)
                self._run.watcher.warn(self._last_words)
        except asyncio.CancelledError:
            pass
        except Exception as bug:  # noqa: BLE001 - whoever waits hears of it
            error = EngineError(f"unexpected {type(bug).__name__}: {bug}")
            self._run.watcher.warn(str(error))
        finally:
            self._stream = None
            for request_id in list(self._out):
                self._tell(request_id, error)

    def _completed(self, request: Request, completion: Completion) -> Iterable[Request]:
        if completion.fault is not FaultKind.TRANSIENT:
            self._kept.keep(request, completion)
        self._tell(request.request_id, completion)
        return ()
