"""A finished batch's answers, brought into the generations; only then is its job marked as collected."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

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


@dataclass(frozen=True)
class Collected:
    """What came of a batch."""

    job: BatchJob
    line: str
    warnings: tuple[str, ...]
    problem: str | None
    """What stops the build, if anything does."""


def collect_batch(
    root: Root,
    run_id: str,
    model: ModelSection,
    endpoint: BatchEndpoint,
    job: BatchJob,
    state: BatchState,
    tries: Mapping[str, int],
    settle: Callable[[BatchedRequest, Completion, bool], None],
) -> Collected:
    """Store every answer, and every refusal for good, that a finished batch holds. Raises Trouble and StorageError.

    `tries` counts the earlier batches in which a request failed for a passing reason; `settle` is called once a
    request with what became of it, and whether its answer broke off. What was stored before a crash is stored again.
    """
    batched = {one.request.request_id: one for one in requests_of(root, job)}
    results = Results(batched.keys())
    answers, refused, held = 0, list[Completion](), list[Completion]()
    warnings: list[str] = []
    with JournalWriter(root, run_id) as journal:
        for path in _downloaded(root, endpoint, job, state, warnings):
            with storage_errors(str(path)):
                for found in results.read(path, endpoint.url, model):
                    completion = _without_key(endpoint, found)
                    settle(batched[completion.request_id], completion, False)
                    if completion.error is None:
                        answers += 1
                    else:
                        refused.append(completion)
                        if reason_of(completion.error) != Broken.TOO_LARGE:  # which is paid for
                            held.append(completion)
                            continue
                    journal.append(batched[completion.request_id].request, completion)
        if not answers and len(held) >= REFUSALS:  # it is the recipe, or the account, and no row
            refused = [one for one in refused if reason_of(one.error or "") == Broken.TOO_LARGE]
        else:
            for completion in held:
                journal.append(batched[completion.request_id].request, completion)
            held = []
    missing = [request_id for request_id in batched if request_id not in results.final]
    for request_id in missing:
        no_answer = Completion(request_id, error="no answer", fault=FaultKind.TRANSIENT)
        settle(batched[request_id], results.passing.get(request_id, no_answer), request_id in results.broke_off)
    never_began = state.status == "failed" and not results.final and not results.passing
    done = collected(
        root,
        job,
        collected_at=time.time(),
        status=state.status,
        answers=answers,
        failed={} if never_began else {request_id: tries.get(request_id, 0) + 1 for request_id in missing},
        refused=tuple(one.request_id for one in refused),
        queue_full=never_began and state.queue_full,
    )
    warnings += [
        f"{job.name}: {lines:,} lines of its results {odd}; they count for nothing"
        for odd, lines in sorted(results.odd.items())
    ]
    line = (
        f"{job.name} {state.status}: {answers:,} of {len(batched):,} answered, {len(refused) + len(held):,} refused, "
        f"{len(missing):,} to be asked again"
    )
    problem = _whole(done, state) if never_began else _problem(done, endpoint, results, held)
    return Collected(done, line, tuple(warnings), problem)


def _downloaded(
    root: Root, endpoint: BatchEndpoint, job: BatchJob, state: BatchState, warnings: list[str]
) -> list[Path]:
    """Return local copies of a batch's results files."""
    paths = []
    most = RESULT_BYTES + RESULT_BYTES_A_REQUEST * job.requests
    for number, file_id in enumerate(state.files):
        paths.append(path := root.scratch(f"{job.key}/results-{number}.jsonl"))
        with storage_errors(str(path)):
            if not endpoint.download(file_id, path, most):
                warnings.append(f"{job.name}: its results go on past {most:,} bytes; what comes later is left unread")
    return paths


def _without_key(endpoint: BatchEndpoint, completion: Completion) -> Completion:
    return completion if completion.error is None else replace(completion, error=endpoint.without_key(completion.error))


def _whole(job: BatchJob, state: BatchState) -> str | None:
    """Return the problem of a batch that the endpoint refused as a whole; nothing of it was asked or paid."""
    if job.queue_full and job.requests > 1:
        return None  # the next one is smaller
    return f"{job.name}: the endpoint refused it as a whole: {state.errors or 'it does not say why'}"


def _problem(job: BatchJob, endpoint: BatchEndpoint, results: Results, held: Sequence[Completion]) -> str | None:
    """Return why a batch without a single answer must stop the build, if it must. `held` is what was refused."""
    if held:
        return (
            f"{job.name}: all of its requests were refused: {held[0].error}; check the account, extra_body, "
            "max_tokens and temperature, then run again: none of them is kept as refused"
        )
    gone = [one.error or "" for one in results.passing.values() if one.fault is FaultKind.ENGINE]
    if gone and not results.final:
        return f"{job.name}: {endpoint.without_key(gone[0])}"
    return None
