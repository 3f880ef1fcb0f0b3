"""One batch brought to the endpoint: intention, file, call and id, each on disk before the next step is taken.

The call that creates a batch costs money, and its reply may be lost. It is never made again before the endpoint was
searched for the batch, by the name that we gave it.
"""

import time
from collections.abc import Sequence

import orjson

from pipelines.engines.batch.endpoint import MAX_WAIT_S, BatchEndpoint, BatchState, Trouble
from schemas.errors import EngineError
from schemas.generation import FaultKind, Request
from storage.batch_jobs import BatchedRequest, BatchJob, drop, intend
from storage.files import storage_errors
from storage.root import Root, write_record

SETTLE_S = 15.0
"""A batch that the endpoint does not list so long after the call that was to create it does not exist."""
CREATE_TRIES = 4


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
