"""Answers by batch: what is missing goes to the endpoint's batches, and what has come back becomes generations.

A build collects, submits and ends; the next one goes on from there. A crash at any moment pays for nothing twice:
each step is on disk before the next one begins (storage/batch_jobs.py, pipelines/engines/batch/steps.py).
"""

import contextlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from pipelines.engines.batch.collection import Collector
from pipelines.engines.batch.endpoint import BatchEndpoint, BatchState, Trouble
from pipelines.engines.batch.steps import SETTLE_S, batch_line, create_batch, find_batch, progress, trouble_line
from pipelines.engines.budget import FREE, Budget, Reservation, reservation_of
from pipelines.engines.protocol import Observer, OnCompletion
from schemas.errors import EngineError, ForgeError, Waiting
from schemas.generation import Completion, FaultKind, Request
from schemas.recipe import ModelSection
from storage.batch_jobs import (
    BatchedRequest,
    BatchJob,
    drop,
    jobs_of,
    one_at_a_time,
    request_ids,
    reserved_by,
)
from storage.root import Root, write_record

MOST_BYTES = 200_000_000
"""Of one batch's file; the API's own limit."""


@contextlib.contextmanager
def open_desk(
    root: Root, run_id: str, model: ModelSection, key: str | None, budget: Budget, observer: Observer, counted: set[str]
) -> Iterator["BatchDesk"]:
    """Give the desk at which a model's batches are handled; one process at a time stands at it."""
    with one_at_a_time(root, model.name, observer.said), BatchEndpoint.of(model, key) as endpoint:
        yield BatchDesk(root, run_id, model, endpoint, budget, observer, counted)


@dataclass
class BatchDesk:
    """One model's batches: first `collect`, then `submit` what is missing; `close` once nothing is."""

    root: Root
    run_id: str
    model: ModelSection
    endpoint: BatchEndpoint
    budget: Budget
    observer: Observer
    counted: set[str]
    """Submissions that this run's budget has reserved; the run keeps it over all its desks."""
    settle_s: float = SETTLE_S
    most_bytes: int = MOST_BYTES
    open: list[tuple[BatchJob, BatchState | None]] = field(default_factory=list)
    """Jobs whose answers are still to come; no state for one at another endpoint."""
    tries: dict[str, int] = field(default_factory=dict)
    """Batches in which a request failed for a passing reason."""
    refused: set[str] = field(default_factory=set)
    """Requests refused for good since the stage began: `--retry-failed` asks them once, not in every run."""
    queue_room: int | None = None
    """Half of the smallest batch that the endpoint's queue had no room for."""
    budget_stop: bool = False
    """What is open exceeds the budget already."""
    awaited: bool = False
    """Whether anything that is missing lies in an open batch."""

    def collect(self) -> None:
        """Bring what finished batches hold into the generations. Raises EngineError once all others are collected."""
        jobs = jobs_of(self.root, self.model.name)
        for job in jobs:
            if job.collected_at is not None:
                self._remember(job)
        problems = [problem for job in jobs if job.collected_at is None and (problem := self._look_after(job))]
        if problems:
            raise EngineError(problems[0])

    def submit(self, requests: Iterator[Request], on_completion: OnCompletion, pilot: int | None = None) -> None:
        """Put every request that lies in no batch yet into one; of a `pilot`, no more than may lie in batches by now.

        Requests whose tries are used up go to `on_completion` with their fault. Raises Waiting while any answer is
        still to come, BudgetReached where the budget lets nothing through and nothing is to come, EngineError.
        """
        stop: ForgeError | None = None
        left_over: str | None = None
        batched: list[BatchedRequest] = []
        size, most = 0, min(self.model.batch_requests, self.queue_room or self.model.batch_requests)
        for request in self._untaken(requests, on_completion):
            line = len(batch_line(request))
            if batched and (len(batched) >= most or size + line > self.most_bytes):
                self._create(batched)
                batched, size = [], 0
            if self.queue_room is not None and self.open:
                left_over = "waits for room in the endpoint's queue"  # one batch after the other
                break
            if pilot is not None and len(batched) + sum(job.requests for job, _ in self.open) >= pilot:
                left_over = "waits until the first answers are read, which say whether the rest is worth its price"
                break
            need = reservation_of(request.body, self.model.price)
            if self.budget_stop or not self.budget.reserve(need):
                stop = self.budget.reached(need)
                break
            batched.append(BatchedRequest(request, need.tokens, need.cost_usd, need.prompt_tokens))
            size += line
        if batched:
            self._create(batched)
        if self.awaited or left_over:
            raise Waiting(self._waiting(stop, left_over))
        if stop:
            raise stop

    def close(self) -> None:
        """Forget what only mattered while answers were missing. The jobs themselves stay, as a record."""
        for job in jobs_of(self.root, self.model.name):
            if job.collected_at is not None:
                write_record(self.root, job, closed=True, failed={}, refused=())

    # -- collecting --

    def _remember(self, job: BatchJob) -> None:
        self.tries |= {
            request_id: max(tries, self.tries.get(request_id, 0)) for request_id, tries in job.failed.items()
        }
        self.refused.update(job.refused)
        if job.queue_full:
            self.queue_room = min(self.queue_room or job.requests, max(1, job.requests // 2))

    def _look_after(self, job: BatchJob) -> str | None:
        """Collect a job if it is finished, keep it if it is not; return what is wrong with it, if anything is."""
        if job.endpoint != self.endpoint.url:
            self._count(job)
            self.open.append((job, None))
            self.observer.warn(f"{job.name} lies at {job.endpoint}, and its answers can only come from there")
            return None
        try:
            if (placed := self._placed(job)) is None:
                return None
            job = placed
            self._count(job)
            state = self.endpoint.retrieve(job.batch_id or "")
            if state.finished:
                return self._collect(job, state)
        except Trouble as trouble:
            return trouble_line(self.root, job, trouble)
        self.open.append((job, state))
        self.observer.said(progress(job, state))
        return None

    def _placed(self, job: BatchJob) -> BatchJob | None:
        """Return the job with its batch's id; None, and the job is forgotten, where no batch was created."""
        if job.batch_id is not None:
            return job
        state = find_batch(self.endpoint, job, self.settle_s)
        if state is None:
            drop(self.root, job)
            self.observer.said(f"{job.name} was never created: what it held is asked anew")
            return None
        self.observer.said(f"{state.batch_id} was created before the last run ended: found again")
        return write_record(self.root, job, batch_id=state.batch_id)

    def _count(self, job: BatchJob) -> None:
        """Reserve in this run's budget what an earlier run submitted: a ceiling holds over all that is open."""
        if job.submission in self.counted:
            return
        needs = [self._need(*amounts) for amounts in reserved_by(self.root, job)]
        reserved = list(takewhile(self.budget.reserve, needs))
        if len(reserved) == len(needs):
            self.counted.add(job.submission)
            return
        self.budget_stop = True  # it is paid for and will be collected; nothing more is bought beside it
        for reservation in reserved:
            self.budget.release(reservation)

    def _collect(self, job: BatchJob, state: BatchState) -> str | None:
        """Collect a finished batch, and report what came of it; return what is wrong with it."""

        def settle(batched: BatchedRequest, completion: Completion, broke_off: bool) -> None:
            self.budget.answers += completion.fault is not FaultKind.TRANSIENT
            if job.submission in self.counted:
                need = self._need(batched.tokens, batched.cost_usd, batched.prompt_tokens)
                if warning := self.budget.settle(need, completion, broke_off):
                    self.observer.warn(warning)

        collector = Collector(self.root, self.run_id, self.model, self.endpoint, self.observer)
        done, problem = collector.collect(job, state, self.tries, settle)
        self._remember(done)
        if done.queue_full and not problem:
            self.observer.warn(
                f"{job.name}: the endpoint's queue has no room for {job.requests:,} requests ({state.errors}); going "
                f"on with one batch of at most {self.queue_room:,} at a time (batch_requests sets the size)"
            )
        return problem

    def _need(self, tokens: int, cost_usd: float, prompt_tokens: int) -> Reservation:
        return Reservation(tokens, cost_usd, self.model.price or FREE, prompt_tokens)

    # -- submitting --

    def _untaken(self, requests: Iterator[Request], on_completion: OnCompletion) -> Iterator[Request]:
        """Yield the requests that lie in no batch; those whose tries are used up come to their end here."""
        taken = {request_id for job, _ in self.open for request_id in request_ids(self.root, job)}
        follow_ups: deque[Request] = deque()
        while (request := follow_ups.popleft() if follow_ups else next(requests, None)) is not None:
            if request.request_id in taken:
                self.awaited = True
                continue
            tries = self.tries.get(request.request_id, 0)
            if tries > self.model.max_retries:
                error = f"{self.endpoint.url}: failed for a passing reason in {tries} batches"
                given_up = Completion(request.request_id, error=error, fault=FaultKind.TRANSIENT)
                follow_ups.extend(on_completion(request, given_up))
                self.observer.answered(given_up)
            else:
                taken.add(request.request_id)
                yield request

    def _create(self, batched: Sequence[BatchedRequest]) -> None:
        job, state = create_batch(self.root, self.endpoint, self.model.name, batched, self.settle_s)
        self.counted.add(job.submission)
        self.open.append((job, state))
        self.awaited = True
        self.observer.said(f"{job.name}: {job.requests:,} requests submitted")

    def _waiting(self, stop: ForgeError | None, left_over: str | None) -> str:
        lines = [progress(job, state) for job, state in self.open]
        shown = "; ".join(lines[:3]) + (f"; and {len(lines) - 3} more" if len(lines) > 3 else "")
        parts = [f"waiting for {self.model.name}: {shown}"]
        if stop:
            spent = str(stop).split(";")[0].removeprefix("budget: ")
            parts.append(f"what else is missing waits for the budget ({spent})")
        if left_over:
            parts.append(f"what else is missing {left_over}")
        return "; ".join([*parts, "run the same command again to pick up what is done, or add --wait"])
