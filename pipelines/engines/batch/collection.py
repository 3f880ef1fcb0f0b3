"""A finished batch's answers, brought into the generations; only then is its job marked as collected."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from pipelines.engines.batch.endpoint import BatchEndpoint, BatchState
from pipelines.engines.batch.results import Results
from pipelines.engines.faults import Broken, reason_of
from pipelines.engines.refusals import REFUSALS
from schemas.generation import Completion, FaultKind
from schemas.recipe import ModelSection
from storage.batch_jobs import BatchedRequest, BatchJob, collected, requests_of
from storage.files import storage_errors
from storage.journal import JournalWriter
from storage.root import Root

RESULT_BYTES_A_REQUEST = 2**20
RESULT_BYTES = 64 * 2**20
"""A results file may be so long, and so much longer for each request: an answer of 8 MB is rare."""

Settle = Callable[[BatchedRequest, Completion, bool], None]
"""Called once a request, with what became of it and whether its answer broke off."""


@dataclass
class Collected:
    """What came of a batch."""

    job: BatchJob
    answers: int = 0
    too_large: list[Completion] = field(default_factory=list)
    """Refused, since an answer that is too large is paid for."""
    refused: list[Completion] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    line: str = ""
    problem: str | None = None
    """What stops the build, if anything does."""

    @property
    def all_refused(self) -> bool:
        """Whether all were refused by the fault of the recipe or the account, and not of any row."""
        return not self.answers and len(self.refused) >= REFUSALS


@dataclass(frozen=True)
class Collector:
    """Stores every answer, and every refusal for good, of finished batches of one model."""

    root: Root
    run_id: str
    model: ModelSection
    endpoint: BatchEndpoint

    def collect(self, job: BatchJob, state: BatchState, tries: Mapping[str, int], settle: Settle) -> Collected:
        """Store what a batch holds. What was stored before a crash is stored again. Raises Trouble and StorageError.

        `tries` counts the earlier batches in which a request failed for a passing reason.
        """
        done = Collected(job)
        batched = {entry.request.request_id: entry for entry in requests_of(self.root, job)}
        results = Results(batched.keys(), self.model, self.endpoint)
        self._store(done, state, results, batched, settle)
        missing = [request_id for request_id in batched if request_id not in results.final]
        for request_id in missing:
            no_answer = Completion(request_id, error="no answer", fault=FaultKind.TRANSIENT)
            settle(batched[request_id], results.passing.get(request_id, no_answer), request_id in results.broke_off)
        never_began = state.status == "failed" and not results.final and not results.passing
        refused = [*done.too_large, *([] if done.all_refused else done.refused)]
        done.job = collected(
            self.root,
            job,
            collected_at=time.time(),
            status=state.status,
            answers=done.answers,
            failed={} if never_began else {request_id: tries.get(request_id, 0) + 1 for request_id in missing},
            refused=tuple(completion.request_id for completion in refused),
            queue_full=never_began and state.queue_full,
        )
        done.warnings += [
            f"{job.name}: {lines:,} lines of its results {odd}; they count for nothing"
            for odd, lines in sorted(results.odd.items())
        ]
        done.line = (
            f"{job.name} {state.status}: {done.answers:,} of {len(batched):,} answered, "
            f"{len(done.too_large) + len(done.refused):,} refused, {len(missing):,} to be asked again"
        )
        done.problem = _refused_as_a_whole(done.job, state) if never_began else _problem(done, results)
        return done

    def _store(
        self,
        done: Collected,
        state: BatchState,
        results: Results,
        batched: Mapping[str, BatchedRequest],
        settle: Settle,
    ) -> None:
        """Bring the answers to the disk, then the refusals, unless all were refused."""
        with JournalWriter(self.root, self.run_id) as journal:
            for completion in self._completions(done, state, results):
                request = batched[completion.request_id].request
                settle(batched[completion.request_id], completion, False)
                if completion.error is None:
                    done.answers += 1
                elif reason_of(completion.error) == Broken.TOO_LARGE:
                    done.too_large.append(completion)
                else:
                    done.refused.append(completion)
                    continue
                journal.append(request, completion)
            if not done.all_refused:
                for completion in done.refused:
                    journal.append(batched[completion.request_id].request, completion)

    def _completions(self, done: Collected, state: BatchState, results: Results) -> Iterator[Completion]:
        """Yield what a batch's results files hold, from local copies of them."""
        most = RESULT_BYTES + RESULT_BYTES_A_REQUEST * done.job.requests
        paths = [self.root.scratch(f"{done.job.key}/results-{number}.jsonl") for number in range(len(state.files))]
        for file_id, path in zip(state.files, paths, strict=True):
            with storage_errors(str(path)):
                if not self.endpoint.download(file_id, path, most):
                    done.warnings.append(
                        f"{done.job.name}: its results go on past {most:,} bytes; what comes later is left unread"
                    )
        for path in paths:
            with storage_errors(str(path)):
                yield from results.read(path)


def _refused_as_a_whole(job: BatchJob, state: BatchState) -> str | None:
    """Return the problem of a batch that the endpoint refused as a whole; nothing of it was run or paid."""
    if job.queue_full and job.requests > 1:
        return None  # the next one is smaller
    return f"{job.name}: the endpoint refused it as a whole: {state.errors or 'it does not say why'}"


def _problem(done: Collected, results: Results) -> str | None:
    """Return why a batch without a single answer must stop the build, if it must."""
    if done.all_refused:
        return (
            f"{done.job.name}: all of its requests were refused: {done.refused[0].error}; check the account, "
            "extra_body, max_tokens and temperature, then run again: none of them is kept as refused"
        )
    errors = [completion.error for completion in results.passing.values() if completion.fault is FaultKind.ENGINE]
    return f"{done.job.name}: {errors[0]}" if errors and not results.final else None
