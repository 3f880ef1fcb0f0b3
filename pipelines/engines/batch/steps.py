"""The steps of one batch: created, found again, waited for; and how it stands, in words.

To create it takes an intention, a file, a call and an id, each on disk before the next step is taken. The call costs
money, and its reply may be lost. It is never made again before the endpoint was searched for the batch, by the name
that we gave it.
"""

import time
from collections.abc import Callable, Sequence

import orjson

from pipelines.engines.batch.endpoint import MAX_WAIT_S, BatchEndpoint, BatchState, Trouble
from schemas.errors import EngineError, Waiting
from schemas.generation import FaultKind, Request
from schemas.recipe import ModelSection
from storage.batch_jobs import BatchedRequest, BatchJob, drop, intend, jobs_of
from storage.files import storage_errors
from storage.root import Root, write_record

SETTLE_S = 15.0
"""A batch that the endpoint does not list so long after the call that was to create it does not exist."""
CREATE_TRIES = 4
OVERDUE_S = 48 * 3600.0
"""Twice the window that a batch was given."""
FIRST_POLL_S = 1.0
MAX_POLL_S = 60.0
REPORT_EVERY_S = 60.0


def create_batch(
    root: Root, endpoint: BatchEndpoint, model: str, batched: Sequence[BatchedRequest], settle_s: float
) -> tuple[BatchJob, BatchState]:
    """Return the job and state of a new batch with these requests. Raises EngineError."""
    job = intend(root, model, endpoint.url, time.time(), batched)
    path = root.scratch(f"{job.key}/upload.jsonl")
    try:
        with storage_errors(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.writelines(batch_line(entry.request) for entry in batched)
            file_id = endpoint.upload(path, f"grmforge-{job.submission}.jsonl")
    except Trouble as trouble:
        drop(root, job)
        raise EngineError(f"a batch's file cannot be brought to the endpoint: {trouble}") from None
    created = _created(root, endpoint, job, file_id, settle_s)
    path.unlink(missing_ok=True)
    return created


def batch_line(request: Request) -> bytes:
    """Return a request as a line of the endpoint's file; the body is what a request of its own would send."""
    return orjson.dumps(
        {"custom_id": request.request_id, "method": "POST", "url": "/v1/chat/completions", "body": request.body},
        option=orjson.OPT_APPEND_NEWLINE,
    )


def find_batch(endpoint: BatchEndpoint, job: BatchJob, settle_s: float) -> BatchState | None:
    """Return the batch that a call may have created; None when it is sure that there is none. Raises Trouble."""
    if job.file_id is None or job.creating_at is None:
        return None  # the call was never made
    state = endpoint.find(job.submission, job.file_id, job.creating_at)
    if state is None and (wait := min(settle_s, job.creating_at + settle_s - time.time())) > 0:
        time.sleep(wait)  # the call may still be on its way through the endpoint
        state = endpoint.find(job.submission, job.file_id, job.creating_at)
    return state


def trouble_line(root: Root, job: BatchJob, trouble: Trouble) -> str:
    """Return what is wrong with a job whose batch or results cannot be had, and the way out."""
    if trouble.fault.kind is FaultKind.TRANSIENT:
        return f"{job.name}: {trouble}; nothing is lost, run again to go on"
    place = root.where(job.key)
    if job.batch_id is None:
        return (
            f"whether {job.name} was created cannot be told: {trouble}; look at the endpoint for a batch with the "
            f"metadata grmforge_submission: if there is one, write its id as batch_id into {place}/job.json, "
            f"if there is none, remove {place}"
        )
    return f"{job.name}: {trouble}; if the endpoint has lost it, remove {place} to ask its requests again"


def _created(
    root: Root, endpoint: BatchEndpoint, job: BatchJob, file_id: str, settle_s: float
) -> tuple[BatchJob, BatchState]:
    """Create a job's batch, never twice. Raises EngineError; the job is forgotten if there is surely no batch."""
    tried = 0
    while True:
        tried += 1
        job = write_record(root, job, file_id=file_id, creating_at=time.time())
        state: BatchState | None = None
        try:
            state = endpoint.create(file_id, job.submission)
        except Trouble as trouble:
            error = trouble
        if state is None and error.may_have_worked:
            try:
                state = find_batch(endpoint, job, settle_s)
            except Trouble as further:
                cause = further if further.fault.kind is not FaultKind.TRANSIENT else error
                raise EngineError(trouble_line(root, job, cause)) from None
        if state is not None:
            return write_record(root, job, batch_id=state.batch_id), state
        if error.fault.kind is not FaultKind.TRANSIENT or tried == CREATE_TRIES:
            drop(root, job)
            raise EngineError(f"the endpoint does not take a batch: {error}")
        time.sleep(min(MAX_WAIT_S, error.fault.retry_after_s or 0.25 * 2**tried))


def progress(job: BatchJob, state: BatchState | None) -> str:
    """Return how a batch stands, in a few words; no state is known of one at another endpoint."""
    if state is None:
        return f"{job.name} at {job.endpoint}, {job.requests:,} requests"
    line = f"{job.name}: {state.done:,} of {job.requests:,} done ({state.status})"
    if is_overdue(job):
        hours = (time.time() - (job.creating_at or 0.0)) / 3600
        line += f", {hours:,.0f} hours old; cancel it at the endpoint, and what it has done is picked up"
    return line


def is_overdue(job: BatchJob) -> bool:
    return job.creating_at is not None and time.time() - job.creating_at > OVERDUE_S


def wait_for_a_batch(
    root: Root, endpoints: Sequence[tuple[ModelSection, BatchEndpoint]], say: Callable[[str], None]
) -> None:
    """Return when a batch of one of these models has ended, or has something wrong with it.

    Raises Waiting when every one of them is overdue, or none is left.
    """
    poll_s, reported_at = FIRST_POLL_S, time.monotonic()
    while True:
        time.sleep(poll_s)
        poll_s = min(MAX_POLL_S, poll_s * 1.5)
        open_jobs = [
            (endpoint, job)
            for model, endpoint in endpoints
            for job in jobs_of(root, model.name)
            if job.collected_at is None and job.endpoint == endpoint.url
        ]
        lines = []
        for endpoint, job in open_jobs:
            if (line := _still_open(endpoint, job)) is None:
                return  # what this one holds is not to wait until the other endpoints have answered
            lines.append(line)
        if all(is_overdue(job) for _, job in open_jobs):
            raise Waiting("; ".join(lines) or "what is missing lies in batches at other endpoints than the recipe's")
        if time.monotonic() - reported_at >= REPORT_EVERY_S:
            reported_at = time.monotonic()
            for line in lines:
                say(line)


def _still_open(endpoint: BatchEndpoint, job: BatchJob) -> str | None:
    """Return how a batch stands; None where it is time to look after it."""
    if job.batch_id is None:
        return None
    try:
        state = endpoint.retrieve(job.batch_id)
    except Trouble as trouble:
        return str(trouble) if trouble.fault.kind is FaultKind.TRANSIENT else None
    return None if state.finished else progress(job, state)
