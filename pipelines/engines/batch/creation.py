"""One batch brought to the endpoint: intention, file, call and id, each on disk before the next step is taken.

The call that creates a batch costs money, and its answer may be lost. It is never made again before the endpoint has
been asked, by the name that we gave the batch, whether it is there.
"""

import time
from collections.abc import Sequence

import orjson

from pipelines.engines.batch.endpoint import COMPLETIONS, MAX_WAIT_S, BatchEndpoint, BatchState, Trouble
from schemas.errors import EngineError
from schemas.generation import FaultKind, Request
from storage.batch_jobs import BatchedRequest, BatchJob, drop, intend, save
from storage.files import storage_errors
from storage.root import Root

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
                file.writelines(batch_line(one.request) for one in batched)
            file_id = endpoint.upload(path, f"grmforge-{job.submission}.jsonl")
    except Trouble as trouble:
        drop(root, job)
        raise EngineError(f"a batch's file cannot be brought to the endpoint: {trouble}") from None
    created = _created(root, endpoint, job, file_id, settle_s)
    path.unlink(missing_ok=True)
    return created


def batch_line(request: Request) -> bytes:
    """Return a request as a line of the endpoint's file; the body is what a request of its own would send."""
    line = {"custom_id": request.request_id, "method": "POST", "url": COMPLETIONS, "body": request.body}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


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
    """Return what to say, and to do, about a job whose batch or results cannot be had."""
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
    error: Trouble | None = None
    for tried in range(CREATE_TRIES):
        job = save(root, job, file_id=file_id, creating_at=time.time())
        try:
            state = endpoint.create(file_id, job.submission)
        except Trouble as trouble:
            error = trouble
            found = _found_after(root, endpoint, job, trouble, settle_s) if trouble.may_have_worked else None
            if found is None and trouble.fault.kind is not FaultKind.TRANSIENT:
                break
            if found is None:
                if tried + 1 < CREATE_TRIES:
                    time.sleep(min(MAX_WAIT_S, trouble.fault.retry_after_s or 0.5 * 2**tried))
                continue
            state = found
        return save(root, job, batch_id=state.batch_id), state
    drop(root, job)
    raise EngineError(f"the endpoint does not take a batch: {error}")


def _found_after(
    root: Root, endpoint: BatchEndpoint, job: BatchJob, trouble: Trouble, settle_s: float
) -> BatchState | None:
    """Return the batch that a broken call created all the same. Raises EngineError where that cannot be told."""
    try:
        return find_batch(endpoint, job, settle_s)
    except Trouble as further:
        told = further if further.fault.kind is not FaultKind.TRANSIENT else trouble
        raise EngineError(trouble_line(root, job, told)) from None
