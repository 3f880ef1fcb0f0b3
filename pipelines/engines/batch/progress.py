"""How open batches stand: in words, and watched until one of them has ended."""

import time
from collections.abc import Callable, Sequence

from pipelines.engines.batch.endpoint import BatchEndpoint, BatchState, Trouble
from schemas.errors import Waiting
from schemas.generation import FaultKind
from schemas.recipe import ModelSection
from storage.batch_jobs import BatchJob, jobs_of
from storage.root import Root

OVERDUE_S = 48 * 3600.0
"""Twice the window that a batch was given."""
FIRST_POLL_S = 1.0
MAX_POLL_S = 60.0
REPORT_EVERY_S = 60.0


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
