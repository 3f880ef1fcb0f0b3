"""An endpoint's batch interface: files and batches over HTTP, every reply bounded in bytes and in seconds.

What it says is read by hand from plain JSON: ids, a status, counts. A call that fails raises `Trouble`, with the fault
and whether the call may have taken effect all the same; only creating a batch must never be repeated blindly.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2
import orjson

from pipelines.engines.faults import Broken, Fault, fault_of_break, fault_of_status, snippet
from schemas.generation import FaultKind

MAX_REPLY_BYTES = 8 * 2**20
CONNECT_TIMEOUT_S = 15.0
TRIES = 4
MAX_WAIT_S = 30.0
DOWNLOAD_S = 6 * 3600.0
"""A results file that takes longer than this is not being sent."""
PAGES = 100
"""Of 100 batches each, newest first: so far back a lost batch is looked for."""
CLOCK_SLACK_S = 86_400.0

SUBMISSION_KEY = "grmforge_submission"
COMPLETIONS = "/v1/chat/completions"
FINISHED = frozenset({"completed", "failed", "expired", "cancelled"})
MAX_ID = 512

_Result = TypeVar("_Result")


class Trouble(Exception):
    """A call failed. `may_have_worked`: nobody knows whether the endpoint did what was asked."""

    def __init__(self, fault: Fault, may_have_worked: bool) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.may_have_worked = may_have_worked


@dataclass(frozen=True, slots=True)
class BatchState:
    """What an endpoint says of one batch."""

    batch_id: str
    status: str
    done: int
    total: int
    files: tuple[str, ...]
    """Of answers and of errors, as far as there are any."""
    errors: str
    """Why the batch as a whole failed, in one line."""
    queue_full: bool
    """It failed only because too many tokens stood in the endpoint's queue."""

    @property
    def finished(self) -> bool:
        return self.status in FINISHED


class BatchEndpoint:
    """One base_url's /files and /batches. Use as a context manager."""

    def __init__(self, url: str, key: str | None, timeout_s: float) -> None:
        self.url = url
        self._key = key
        self._timeout_s = timeout_s
        self._client = httpx2.Client(
            headers={"Authorization": f"Bearer {key or 'none'}", "Accept-Encoding": "identity"},
            timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
        )

    def __enter__(self) -> "BatchEndpoint":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def upload(self, path: Path, name: str) -> str:
        """Return the id of a JSONL file brought to the endpoint. A file costs nothing, so it may be sent again."""

        def sent() -> Mapping[str, Any]:
            with path.open("rb") as file:
                form = {"data": {"purpose": "batch"}, "files": {"file": (name, file, "application/jsonl")}}
                return self._object("POST", "/files", **form)

        return self._id(self._persistently(sent))

    def create(self, file_id: str, submission: str) -> BatchState:
        """Create the batch: this call costs money, and is never made twice blindly. Raises Trouble."""
        body = {
            "input_file_id": file_id,
            "endpoint": COMPLETIONS,
            "completion_window": "24h",
            "metadata": {SUBMISSION_KEY: submission},
        }
        # Endpoints that know the header create no second batch, whatever else goes wrong.
        return self._state(self._object("POST", "/batches", json=body, headers={"Idempotency-Key": submission}))

    def find(self, submission: str, file_id: str, since: float) -> BatchState | None:
        """Return the batch of a submission, by its metadata or its input file; None where there is none.

        Raises Trouble where the endpoint does not list its batches, or lists more than can be looked through.
        """
        query = {"limit": "100"}
        for _ in range(PAGES):
            page = self._persistently(lambda: self._object("GET", "/batches", params=dict(query)))
            entries = page.get("data")
            if not isinstance(entries, list):
                raise self._unreadable(str(page))
            known = [entry for entry in entries if isinstance(entry, dict)]
            for entry in known:
                metadata = entry.get("metadata")
                named = metadata.get(SUBMISSION_KEY) if isinstance(metadata, dict) else None
                if named == submission or entry.get("input_file_id") == file_id:
                    return self._state(entry)
            times = [created for entry in known if isinstance(created := entry.get("created_at"), int | float)]
            if page.get("has_more") is not True or not known:
                return None
            if len(times) == len(known) and max(times) < since - CLOCK_SLACK_S:
                return None
            query["after"] = str(known[-1].get("id"))
        raise Trouble(
            Fault(FaultKind.ENGINE, f"{self.url}: lists more than {100 * PAGES:,} batches, ours not among them"), True
        )

    def retrieve(self, batch_id: str) -> BatchState:
        """Return what the endpoint says of a batch. Raises Trouble."""
        return self._state(self._persistently(lambda: self._object("GET", f"/batches/{quote(batch_id, safe='')}")))

    def download(self, file_id: str, path: Path, most_bytes: int) -> bool:
        """Write a results file to a path; False where it goes on past `most_bytes` and was cut. Raises Trouble."""

        def fetched() -> bool:
            written = 0
            with path.open("wb") as file:
                for chunk in self._chunks("GET", f"/files/{quote(file_id, safe='')}/content", DOWNLOAD_S):
                    written += len(chunk)
                    if written > most_bytes:
                        return False
                    file.write(chunk)
            return True

        return self._persistently(fetched)

    def _persistently(self, call: Callable[[], _Result]) -> _Result:
        """Make a call that does no harm twice, again after a passing fault."""
        for tried in range(1, TRIES):
            try:
                return call()
            except Trouble as trouble:
                if trouble.fault.kind is not FaultKind.TRANSIENT:
                    raise
                asked = trouble.fault.retry_after_s
                time.sleep(min(MAX_WAIT_S, 0.25 * 2**tried if asked is None else asked))
        return call()

    def _object(self, method: str, path: str, **sent: Any) -> Mapping[str, Any]:
        """Return the JSON object that a call is answered with. Raises Trouble."""
        read = bytearray()
        for chunk in self._chunks(method, path, self._timeout_s, **sent):
            read += chunk
            if len(read) > MAX_REPLY_BYTES:
                raise Trouble(Fault(FaultKind.ENGINE, f"{self.url}{path}: {Broken.TOO_LARGE.value}"), True)
        try:
            tree = orjson.loads(bytes(read))
        except orjson.JSONDecodeError:
            tree = None
        if not isinstance(tree, dict):
            raise self._unreadable(bytes(read[:200]).decode("utf-8", "replace"))
        return tree

    def _chunks(self, method: str, path: str, within_s: float, **sent: Any) -> Iterator[bytes]:
        """Yield the body of a good reply as it comes. Raises Trouble."""
        started: float | None = None
        try:
            with self._client.stream(method, self.url + path, **sent) as response:
                started = time.monotonic()
                if response.status_code >= 300:
                    self._refuse(response)
                for chunk in response.iter_bytes():
                    yield chunk
                    if time.monotonic() - started > within_s:
                        raise httpx2.ReadTimeout("the reply does not come to an end")
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
            broken = _broken_by(error)
            detail = "" if broken is Broken.TIMEOUT else self.without_key(str(error))
            fault = fault_of_break(self.url, broken, detail, has_answered=True)
            raise Trouble(fault, broken not in _NEVER_SENT) from None

    def _refuse(self, response: httpx2.Response) -> None:
        """Raise the Trouble that a status speaks of."""
        body = b""
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > 2**16:
                break
        said = self.without_key(body.decode("utf-8", "replace"))
        fault = fault_of_status(self.url, response.status_code, said, response.headers.get("retry-after"))
        raise Trouble(fault, response.status_code >= 500 or response.status_code in (408, 409))

    def _unreadable(self, said: str) -> Trouble:
        return Trouble(fault_of_break(self.url, Broken.HALF, self.without_key(said), has_answered=True), True)

    def _id(self, tree: Mapping[str, Any]) -> str:
        found = tree.get("id")
        if not isinstance(found, str) or not 0 < len(found) <= MAX_ID or found in (".", ".."):
            raise self._unreadable(str(tree)[:200])
        return found

    def _state(self, tree: Mapping[str, Any]) -> BatchState:
        """Return what a batch object says, whatever else it holds. Raises Trouble where it names no batch."""
        counts = tree.get("request_counts")
        counts = counts if isinstance(counts, dict) else {}
        files = [name for key in ("output_file_id", "error_file_id") if isinstance(name := tree.get(key), str) and name]
        errors = tree.get("errors")
        data = errors.get("data") if isinstance(errors, dict) else None
        told = [error for error in data if isinstance(error, dict)] if isinstance(data, list) else []
        codes = {str(error.get("code")) for error in told}
        return BatchState(
            batch_id=self._id(tree),
            status=snippet(self.without_key(str(tree.get("status")))),
            done=_count(counts, "completed") + _count(counts, "failed"),
            total=_count(counts, "total"),
            files=tuple(dict.fromkeys(files)),
            errors=snippet(self.without_key("; ".join(str(error.get("message") or error) for error in told[:3]))),
            queue_full=bool(codes) and codes <= {"token_limit_exceeded"},
        )

    def without_key(self, text: str) -> str:
        """Return a foreign text with our key, which some endpoints repeat, struck out."""
        return text.replace(self._key, "***") if self._key else text


_NEVER_SENT = frozenset({Broken.REFUSED, Broken.UNKNOWN_HOST, Broken.CERTIFICATE, Broken.NOT_TLS})


def _broken_by(error: BaseException) -> Broken:
    """Return how an exchange broke off, by the deepest cause that tells."""
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case ssl.SSLCertVerificationError():
                return Broken.CERTIFICATE
            case ssl.SSLError():
                return Broken.NOT_TLS
            case socket.gaierror():
                return Broken.UNKNOWN_HOST
        cause = cause.__cause__ or cause.__context__
    match error:
        case httpx2.ConnectError() | httpx2.ConnectTimeout():
            return Broken.REFUSED
        case httpx2.TimeoutException():
            return Broken.TIMEOUT
        case httpx2.UnsupportedProtocol() | httpx2.InvalidURL() | httpx2.LocalProtocolError():
            return Broken.NOT_HTTP
    return Broken.RESET


def _count(counts: Mapping[str, Any], name: str) -> int:
    value = counts.get(name)
    return value if type(value) is int and 0 <= value < 2**53 else 0
