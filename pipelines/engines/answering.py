"""Answers to requests: looked up first, sent where none is stored, stored as they come."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from pipelines.engines.budget import Budget
from pipelines.engines.early_stop import BUILD, Look, Pilot, Purpose, looking_ahead
from pipelines.engines.live.dispatch import dispatch
from pipelines.engines.protocol import Engine, Observer, open_engine
from pipelines.engines.scorer.engine import Scorers
from pipelines.engines.vllm.server import Servers
from schemas.errors import BudgetReached, EngineError, Interrupted, StorageError
from schemas.generation import Completion, FaultKind, Request
from schemas.recipe import ModelSection
from schemas.record import bucket_of
from storage.batch_jobs import jobs_of
from storage.generations import Generations
from storage.imports import ImportedAnswers
from storage.journal import JournalWriter
from storage.root import Root

if TYPE_CHECKING:
    from pipelines.engines.batch.desk import BatchDesk

LOOK_ON_S = 2.0
"""How long a run that was stopped looks up what is stored further on, so that what is left is counted."""

FollowUp = Callable[[Request, Completion], Iterable[Request]]
"""Called once a request, with its answer, stored or new; the requests that it returns are answered next."""


class Watcher(Observer, Protocol):
    """Who watches a run: what engines do, and what its stages are at."""

    def stage(self, name: str, total: int | None) -> None:
        """A stage begins; `total` is how many answers it needs at least, None where it needs none."""

    def found(self, completion: Completion) -> None:
        """An answer was stored already."""

    def judged(self, outcome: str, is_kept: bool = False) -> None:
        """An answer, stored or new, was read. One that `is_kept` is not sampled again, readable or not."""


@dataclass(frozen=True)
class Run:
    """What the answers of one run share."""

    run_id: str
    budget: Budget
    keys: Mapping[str, str]
    """API keys by the name of their environment variable; read by the caller, never stored."""
    watcher: Watcher
    retry_failed: bool = False
    """Send again what an endpoint once refused for good."""
    wait: bool = False
    """Stay until every batch is done, in place of ending with `Waiting`."""
    counted_batches: set[str] = field(default_factory=set)
    """Batches that the budget has counted; see `BatchDesk.counted`."""
    also_asked: tuple[ModelSection, ...] = ()
    """Models that what is bought now is for: without their keys nothing is bought."""
    looks: tuple[Look, ...] = BUILD
    """When a role's first answers are looked at; never, to keep going whatever they are."""
    pilots: dict[str, Pilot] = field(default_factory=dict)
    """The first answers of each role."""
    servers: Servers = field(default_factory=Servers)
    """vLLM servers of our own. Whoever makes the run closes them."""
    scorers: Scorers = field(default_factory=Scorers)
    """Models that this process has loaded."""

    def pilot(self, purpose: Purpose | None) -> Pilot:
        """Return the first answers of a role; without a purpose, nobody looks at them."""
        if purpose is None:
            return Pilot([])
        return self.pilots.setdefault(f"{purpose.job.role} {purpose.what}", Pilot(list(self.looks)))


class Stored:
    """The answers that a root holds, bought or imported."""

    def __init__(self, root: Root, generations: Generations | None = None) -> None:
        lookup = (generations or Generations(root)).lookup
        self._of_bucket = lru_cache(maxsize=4)(lookup)  # follow-ups lag a bucket or two behind
        self._imported = ImportedAnswers(root)

    def bought(self, request: Request) -> Completion | None:
        return self._of_bucket(bucket_of(request.query_id), request.role).get(request.request_id)

    @property
    def has_imports(self) -> bool:
        return self._imported.any

    def imported(self, request: Request) -> Completion | None:
        return self._imported.answer_to(request)

    def answer_to(self, request: Request) -> Completion | None:
        return self.bought(request) or self.imported(request)

    def has(self, request: Request) -> bool:
        return self.answer_to(request) is not None


def answer(
    root: Root,
    run: Run,
    model: ModelSection,
    requests: Iterator[Request],
    follow_up: FollowUp,
    purpose: Purpose | None = None,
) -> None:
    """See that every request, and all that follows from its answer, has an answer in the generations.

    `requests` come bucket by bucket. `purpose` says what the answers are good for: where too few of the first ones are
    of use, nothing further is sent, what is in flight comes in, and StoppedEarly is raised. Transient failures that
    outlast their retries are handed to `follow_up` and not stored, so that the next run sends them again. Raises
    EngineError, BudgetReached and StorageError; what was answered by then is on disk. A model that answers by batch
    raises Waiting too, until its batches are done.
    """
    open_jobs = [job for job in jobs_of(root, model.name) if job.collected_at is None]
    # Where nothing is to be collected, and nothing turns out to be missing, no key is wanted.
    if not (model.batch and (open_jobs or has_key(model, run.keys))):
        for job in open_jobs:
            run.watcher.warn(f"{job.name} may hold answers that are asked for again now: batch = true picks them up")
        _Stream(root, run, model, follow_up, purpose, None).run_through(requests)
        return
    from pipelines.engines.batch.desk import open_desk  # the openai package takes a while to load

    with open_desk(
        root, run.run_id, model, check_key(model, run.keys), run.budget, run.watcher, run.counted_batches
    ) as desk:
        desk.collect()
        _Stream(root, run, model, follow_up, purpose, desk).run_through(requests)
        desk.close()


class _Stream:
    """One way through requests: each is looked up, sent at once or by batch where it has no answer, and followed up."""

    def __init__(
        self,
        root: Root,
        run: Run,
        model: ModelSection,
        follow_up: FollowUp,
        purpose: Purpose | None,
        desk: "BatchDesk | None",
    ) -> None:
        self._root, self._run, self._model, self._desk = root, run, model, desk
        self._follow_up, self._purpose, self._pilot = follow_up, purpose, run.pilot(purpose)
        self._generations = Generations(root, run.watcher.warn)
        if root.is_local:  # in a bucket each file is checked when it is fetched
            self._generations.check()
        self._stored = Stored(root, self._generations)
        self._journal = JournalWriter(root, run.run_id)
        self._deadline = math.inf
        """In monotonic seconds: when to stop looking for stored answers."""
        self._is_cut = False

    def run_through(self, requests: Iterator[Request]) -> None:
        """See that these and all that follows from them are answered."""
        with self._journal:
            missing = looking_ahead(chain.from_iterable(map(self._unanswered, self._in_time(requests))), self._pilot)
            try:
                if (first := next(missing, None)) is not None:
                    self._send(chain([first], missing))
            except (BudgetReached, Interrupted) as stop:
                # Who sent SIGTERM or SIGHUP has no time for it.
                can_look_on = type(stop) in (BudgetReached, Interrupted)
                self._deadline = time.monotonic() + (LOOK_ON_S if can_look_on else 0.0)
                for _ in missing:  # each that is stored is found, which the watcher counts; none is sent
                    pass
                if self._is_cut:
                    raise type(stop)(f"{stop}; of what is left, some may be there already") from None
                raise
        if self._pilot.stop is not None:
            raise self._pilot.stop
        self._generations.fold()

    def _in_time(self, requests: Iterator[Request]) -> Iterator[Request]:
        for request in requests:
            if time.monotonic() > self._deadline:
                self._is_cut = True
                return
            yield request

    def _unanswered(self, request: Request) -> Iterator[Request]:
        """Yield the request, or what follows from its stored answer, as far as it has no answer yet."""
        pending = [request]
        while pending:
            current = pending.pop()
            completion = self._answer_to(current)
            if completion is None:
                yield current
                continue
            self._run.watcher.found(completion)
            pending.extend(self._followed(current, completion))
            if self._pilot.stop is not None:
                if self._desk is not None or not self._run.budget.in_flight:
                    raise self._pilot.stop
                return  # what is in flight comes in

    def _answer_to(self, request: Request) -> Completion | None:
        """Return the stored answer; None where there is none, or the stored failure is to be sent again."""
        completion = self._stored.bought(request)
        if completion is None and (completion := self._stored.imported(request)) is not None:
            self._journal.append(request, completion)
        is_old = self._desk is None or request.request_id not in self._desk.refused
        is_sent_again = completion is not None and completion.fault and self._run.retry_failed and is_old
        return None if is_sent_again else completion

    def _followed(self, request: Request, completion: Completion) -> Iterable[Request]:
        """Return what follows from an answer, once it is counted among the role's first ones."""
        budget, pilot = self._run.budget, self._pilot
        if self._purpose is not None and pilot.looks:
            pilot.see(self._purpose, request, completion)
            if pilot.stop is not None and not budget.is_stopped:  # a Ctrl-C that came first stays one
                budget.stop(pilot.stop)
        return self._follow_up(request, completion)

    def _completed(self, request: Request, completion: Completion) -> Iterable[Request]:
        """Store a new answer; return what follows from it and has no answer yet."""
        if completion.fault is not FaultKind.TRANSIENT:
            self._journal.append(request, completion)
        return [missing for following in self._followed(request, completion) for missing in self._unanswered(following)]

    def _send(self, missing: Iterator[Request]) -> None:
        run, model = self._run, self._model
        for other in run.also_asked:
            check_key(other, run.keys)
        if self._desk is not None:
            self._desk.submit(missing, self._completed, self._pilot.room)
            return
        engine = engine_of(self._root, run, model)
        run.budget.is_in_use = True
        try:
            dispatch(missing, engine, model, run.budget, self._completed, run.watcher, self._flush)
        finally:
            run.budget.is_in_use = False
        if run.budget.stopped is not None:  # since the last answer came in
            raise run.budget.stopped

    def _flush(self) -> None:
        """Flush the journal; where that fails, the next answer, or its end, says so."""
        with suppress(StorageError):
            self._journal.flush()


def engine_of(root: Root, run: Run, model: ModelSection) -> Engine:
    """Return the engine that answers for a model in a run. Raises EngineError."""
    if model.engine == "vllm":  # a server of ours, which answers by then
        scratch = root.scratch(f"runs/{run.run_id}")
        return run.servers.engine(model, scratch, run.watcher, lambda: run.budget.is_stopped)
    if model.is_loaded_here:
        return run.scorers.engine(model)
    return open_engine(model, check_key(model, run.keys))


def check_key(model: ModelSection, keys: Mapping[str, str]) -> str | None:
    """Return the model's API key. Raises EngineError, naming the variable, where it is not set."""
    variable = model.key_variable
    if variable is None:
        return None
    key = keys.get(variable, "").strip()
    if not key:
        raise EngineError(f"model {model.name}: its key is not set; export {variable}=.. and run again")
    if not (key.isascii() and key.isprintable()):
        raise EngineError(f"model {model.name}: {variable} holds no key: it has a line break or a letter no key has")
    return key


def has_key(model: ModelSection, keys: Mapping[str, str]) -> bool:
    """Say whether a model's API key is set, or none is needed."""
    return model.key_variable is None or bool(keys.get(model.key_variable, "").strip())


def wait_for_batches(root: Root, run: Run, models: Sequence[ModelSection]) -> None:
    """Return when a batch of one of these models has ended. Raises Waiting where none will, and EngineError."""
    from pipelines.engines.batch.endpoint import BatchEndpoint
    from pipelines.engines.batch.steps import wait_for_a_batch

    with ExitStack() as stack:
        endpoints = [
            (model, stack.enter_context(BatchEndpoint.of(model, check_key(model, run.keys)))) for model in models
        ]
        wait_for_a_batch(root, endpoints, run.watcher.said)
