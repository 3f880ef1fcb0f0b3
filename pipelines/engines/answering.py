"""Answers to requests: looked up first, bought where missing, stored as they come. All that stages call of engines."""

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
from pipelines.engines.opening import open_engine
from pipelines.engines.protocol import Engine, Observer
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
"""Called once a request, with its answer, stored or new; what it returns is asked next."""


class Watcher(Observer, Protocol):
    """Who watches a run: what engines do, and what its stages are at."""

    def stage(self, name: str, total: int | None) -> None:
        """A stage begins; `total` is how many answers it needs at least, None where it asks for none."""
        ...

    def found(self, completion: Completion) -> None:
        """An answer was there already."""
        ...

    def judged(self, outcome: str) -> None:
        """An answer, stored or new, was read."""
        ...

    def said(self, text: str) -> None:
        """Something that a person who waits likes to know, in one line."""
        ...


@dataclass(frozen=True)
class Run:
    """What the answers of one run share."""

    run_id: str
    budget: Budget
    keys: Mapping[str, str]
    """API keys by the name of their environment variable; read by the caller, never stored."""
    watcher: Watcher
    retry_failed: bool = False
    """Ask again for what an endpoint once refused for good."""
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

    def pilot(self, purpose: Purpose | None) -> Pilot:
        """Return the first answers of a role; without a purpose, nobody looks at them."""
        if purpose is None:
            return Pilot([])
        return self.pilots.setdefault(f"{purpose.asked.role} {purpose.what}", Pilot(list(self.looks)))


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
    outlast their retries are handed to `follow_up` and not stored, so that the next run asks for them again. Raises
    EngineError, BudgetReached and StorageError; what was answered by then is on disk. A model that answers by batch
    raises Waiting too, until its batches are done.
    """
    open_jobs = [job for job in jobs_of(root, model.name) if job.collected_at is None]
    # Where nothing is to be collected, and nothing turns out to be missing, no key is wanted.
    if model.batch and (open_jobs or has_key(model, run.keys)):
        from pipelines.engines.batch.desk import open_desk  # the openai package takes a while to load

        key = check_key(model, run.keys)
        with open_desk(root, run.run_id, model, key, run.budget, run.watcher, run.counted_batches) as desk:
            desk.collect()
            _answer(root, run, model, requests, follow_up, purpose, desk)
            desk.close()
        return
    for job in open_jobs:
        run.watcher.warn(f"{job.name} may hold answers that are asked for again now: batch = true picks them up")
    _answer(root, run, model, requests, follow_up, purpose, None)


def _answer(
    root: Root,
    run: Run,
    model: ModelSection,
    requests: Iterator[Request],
    follow_up: FollowUp,
    purpose: Purpose | None,
    desk: "BatchDesk | None",
) -> None:
    """Look every request up, and have what is missing answered: at once, or by batch."""
    generations = Generations(root, run.watcher.warn)
    if root.is_local:  # in a bucket each file is checked when it is fetched
        generations.check()
    imported = ImportedAnswers(root)
    bucket_answers = lru_cache(maxsize=4)(generations.lookup)  # follow-ups lag a bucket or two behind
    pilot = run.pilot(purpose)
    with JournalWriter(root, run.run_id) as journal:

        def followed(request: Request, completion: Completion) -> Iterable[Request]:
            """Return what follows from an answer, once it is counted among the role's first ones."""
            if purpose is not None and pilot.looks:
                pilot.see(purpose, request, completion)
                if pilot.stop is not None and not run.budget.is_stopped:  # a Ctrl-C that came first stays one
                    run.budget.stop(pilot.stop)
            return follow_up(request, completion)

        def stored(request: Request) -> Completion | None:
            completion = bucket_answers(bucket_of(request.query_id)).get(request.request_id)
            if completion is None and (completion := imported.answer_to(request)) is not None:
                journal.append(request, completion)
            is_old = desk is None or request.request_id not in desk.refused
            return None if completion is not None and completion.fault and run.retry_failed and is_old else completion

        def unanswered(request: Request) -> Iterator[Request]:
            """Yield the request, or what follows from its stored answer, as far as it has no answer yet."""
            pending = [request]
            while pending:
                current = pending.pop()
                completion = stored(current)
                if completion is None:
                    yield current
                else:
                    run.watcher.found(completion)
                    pending.extend(followed(current, completion))
                    if pilot.stop is not None:
                        if desk is not None or not run.budget.in_flight:
                            raise pilot.stop
                        return  # what is in flight comes in

        def on_completion(request: Request, completion: Completion) -> Iterable[Request]:
            if completion.fault is not FaultKind.TRANSIENT:
                journal.append(request, completion)
            return [further for next_one in followed(request, completion) for further in unanswered(next_one)]

        in_time = _InTime(requests)
        missing = looking_ahead(chain.from_iterable(map(unanswered, in_time)), pilot)
        try:
            if (first := next(missing, None)) is not None:
                _buy(root, run, model, chain([first], missing), on_completion, desk, journal, pilot)
        except (BudgetReached, Interrupted) as stop:
            # Who sent SIGTERM or SIGHUP has no time for it.
            in_time.until = time.monotonic() + (LOOK_ON_S if type(stop) in (BudgetReached, Interrupted) else 0.0)
            for _ in missing:  # each that is stored is found, which the watcher counts; none is asked
                pass
            if in_time.is_over:
                raise type(stop)(f"{stop}; of what is left, some may be there already") from None
            raise
    if pilot.stop is not None:
        raise pilot.stop
    generations.fold()


class _InTime:
    """Requests, as long as there is time."""

    def __init__(self, requests: Iterator[Request]) -> None:
        self.until = math.inf
        """Monotonic seconds."""
        self.is_over = False
        self._requests = requests

    def __iter__(self) -> Iterator[Request]:
        for request in self._requests:
            if self.until < math.inf and time.monotonic() > self.until:
                self.is_over = True
                return
            yield request


def _buy(
    root: Root,
    run: Run,
    model: ModelSection,
    missing: Iterator[Request],
    on_completion: Callable[[Request, Completion], Iterable[Request]],
    desk: "BatchDesk | None",
    journal: JournalWriter,
    pilot: Pilot,
) -> None:
    """Have requests answered: at once, or by batch."""
    for other in run.also_asked:
        check_key(other, run.keys)
    if desk is not None:
        desk.submit(missing, on_completion, pilot.room)
        return
    engine = _opened(root, run, model)
    run.budget.is_in_use = True
    try:
        dispatch(missing, engine, model, run.budget, on_completion, run.watcher, _quietly(journal))
    finally:
        run.budget.is_in_use = False
    if run.budget.stopped is not None:  # since the last answer came in
        raise run.budget.stopped


def _quietly(journal: JournalWriter) -> Callable[[], None]:
    """Return what flushes a journal; where that fails, the next answer, or its end, says so."""

    def flush() -> None:
        with suppress(StorageError):
            journal.flush()

    return flush


def _opened(root: Root, run: Run, model: ModelSection) -> Engine:
    """Return a model's engine; where the model has a server of ours, that answers by then."""
    if model.engine == "vllm":
        budget = run.budget
        return run.servers.engine(model, root.scratch(f"runs/{run.run_id}"), run.watcher, lambda: budget.is_stopped)
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
    from pipelines.engines.batch.progress import wait_for_a_batch

    with ExitStack() as stack:
        endpoints = [
            (model, stack.enter_context(BatchEndpoint.of(model, check_key(model, run.keys)))) for model in models
        ]
        wait_for_a_batch(root, endpoints, run.watcher.said)
