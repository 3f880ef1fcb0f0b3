"""Batch jobs: what lies, or may lie, in an endpoint's batches. It is on disk before the endpoint hears of it.

    batches/<submission>/job.json           what is known of the batch; written anew at every step
    batches/<submission>/requests.parquet   its requests; they go once their answers are in the generations

A job takes its steps in one order, each on disk before the next begins: intended (its requests are written),
creating (their file is at the endpoint, and the call that costs money comes next), created (the batch has an id),
collected (its answers are in the generations), closed (no request is sent again because of it).
"""

import contextlib
import fcntl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
from pydantic import Field

from schemas.errors import StorageError
from schemas.generation import Request
from schemas.record import content_id, table_schema
from storage.files import remove_here, storage_errors
from storage.journal import new_run_id
from storage.root import KeptRecord, Root, read_record, write_record
from storage.tables import put_table, read_table

FOLDER = "batches"

REQUESTS = table_schema(
    "batch_requests",
    [
        pa.field("request_id", pa.string()),
        pa.field("query_id", pa.string()),
        pa.field("role", pa.string()),
        pa.field("sample_index", pa.int32()),
        pa.field("body", pa.string()),
        pa.field("tokens", pa.int64()),
        pa.field("cost_usd", pa.float64()),
        pa.field("prompt_tokens", pa.int64()),
    ],
)


class BatchJob(KeptRecord):
    """One batch, from the intention to its last answer. `job.json` holds exactly this."""

    submission: str
    """Our own name for it; it goes with the batch as metadata, so that a batch can be found without its id."""
    model: str
    """`ModelSection.name`"""
    endpoint: str
    requests: int
    intended_at: float
    """Seconds since 1970, as all times here."""
    file_id: str | None = None
    creating_at: float | None = None
    """When the call that creates the batch was about to be made; from here on it may exist."""
    batch_id: str | None = None
    collected_at: float | None = None
    status: str | None = None
    """The endpoint's last word on it."""
    answers: int = 0
    failed: dict[str, int] = Field(default_factory=dict)
    """Requests that failed for a passing reason, with the number of batches in which they did."""
    refused: tuple[str, ...] = ()
    """Requests that the endpoint refused for good."""
    queue_full: bool = False
    """The endpoint refused so many tokens at once; none of its requests was answered."""
    closed: bool = False

    @property
    def name(self) -> str:
        """The endpoint's name for it, ours where it has none yet."""
        return self.batch_id or f"submission {self.submission}"

    @property
    def key(self) -> str:
        """The folder of all that is known of it."""
        return f"{FOLDER}/{self.submission}"

    @property
    def file_key(self) -> str:
        return f"{self.key}/job.json"


@dataclass(frozen=True, slots=True)
class BatchedRequest:
    """A request in a batch, and the most that it may spend."""

    request: Request
    tokens: int
    cost_usd: float
    prompt_tokens: int


def intend(root: Root, model: str, endpoint: str, now: float, batched: Sequence[BatchedRequest]) -> BatchJob:
    """Write down that these requests are about to go into one batch."""
    job = BatchJob(submission=new_run_id(), model=model, endpoint=endpoint, requests=len(batched), intended_at=now)
    rows = [
        {
            "request_id": entry.request.request_id,
            "query_id": entry.request.query_id,
            "role": entry.request.role,
            "sample_index": entry.request.sample_index,
            "body": orjson.dumps(entry.request.body).decode(),
            "tokens": entry.tokens,
            "cost_usd": entry.cost_usd,
            "prompt_tokens": entry.prompt_tokens,
        }
        for entry in batched
    ]
    put_table(root, f"{job.key}/requests.parquet", pa.Table.from_pylist(rows, REQUESTS))
    return write_record(root, job)


def collected(root: Root, job: BatchJob, **changes: Any) -> BatchJob:
    """Mark a job whose answers are all in the generations; of its files, only this remains."""
    changed = write_record(root, job, **changes)
    for name in root.names(job.key):
        if name != "job.json":
            root.remove(f"{job.key}/{name}")
    for path in root.scratch(job.key).glob("*.jsonl"):
        path.unlink(missing_ok=True)
    return changed


def drop(root: Root, job: BatchJob) -> None:
    """Forget a job that was never created."""
    root.remove(job.file_key)  # first: without it, the rest of the folder counts for nothing
    root.remove_folder(job.key)
    remove_here(root.scratch(job.key))


def jobs_of(root: Root, model: str) -> list[BatchJob]:
    """Return a model's jobs that are not closed, oldest first. Raises StorageError for one that cannot be read."""
    keys = [f"{FOLDER}/{submission}/job.json" for submission in root.folders(FOLDER)]
    jobs = [read_job(root, key) for key in keys if root.exists(key)]  # a folder without it was never sent
    return [job for job in jobs if job.model == model and not job.closed]


def read_job(root: Root, key: str) -> BatchJob:
    way_out = (
        "it names a batch that may be paid for: look the batch up at the endpoint before you remove the folder, since "
        "its requests are then asked again"
    )
    return read_record(root, key, BatchJob, way_out)


def request_ids(root: Root, job: BatchJob) -> list[str]:
    """Return the ids of a job's requests."""
    return list(_table(root, job, ["request_id"]).column("request_id").to_pylist())


def requests_of(root: Root, job: BatchJob) -> Iterator[BatchedRequest]:
    """Yield a job's requests, in the order of its file."""
    for batch in _table(root, job, REQUESTS.names).to_batches(max_chunksize=4_096):
        for request_id, query_id, role, sample_index, body, *spends in zip(*batch.to_pydict().values(), strict=True):
            yield BatchedRequest(Request(request_id, query_id, role, orjson.loads(body), sample_index), *spends)


def reserved_by(root: Root, job: BatchJob) -> Iterator[tuple[int, float, int]]:
    """Yield (tokens, US dollars, prompt tokens) that each request of a job may spend."""
    yield from zip(*_table(root, job, ["tokens", "cost_usd", "prompt_tokens"]).to_pydict().values(), strict=True)


def _table(root: Root, job: BatchJob, columns: Sequence[str]) -> pa.Table:
    key = f"{job.key}/requests.parquet"
    if not root.exists(key):
        raise StorageError(
            f"{root.where(key)} is missing: what batch {job.name} was asked cannot be told; "
            f"remove {root.where(job.key)}"
        )
    return read_table([root.at(key)], REQUESTS, columns)


@contextlib.contextmanager
def one_at_a_time(root: Root, model: str, say: Callable[[str], None]) -> Iterator[None]:
    """Let one process at a time work on a model's batches: two would pay for the same requests."""
    path = root.scratch(f"{FOLDER}/{content_id('model', model)}.lock")
    with storage_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"another build is at the batches of {model}: waiting for its turn")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
