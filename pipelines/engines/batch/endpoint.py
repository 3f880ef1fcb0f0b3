"""An endpoint's files and batches through the `openai` package: every reply is bounded in bytes and in seconds.

The package sends; what comes back is read here from plain JSON: ids, a status, counts. A call that fails raises
`Trouble`, with the fault and whether the call may have taken effect even so. Creating a batch must never be repeated
blindly, so the package itself repeats nothing.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import openai
import orjson

from pipelines.engines.faults import Broken, Fault, causes, fault_of_break, fault_of_status, snippet, without_key
from pipelines.engines.protocol import OPENAI_URL
from schemas.errors import EngineError
from schemas.generation import FaultKind
from schemas.recipe import ModelSection

MAX_REPLY_BYTES = 8 * 2**20
MAX_ERROR_BYTES = 2**16
CONNECT_TIMEOUT_S = 15.0
TRIES = 4
MAX_WAIT_S = 30.0
DOWNLOAD_S = 6 * 3600.0
"""A results file that takes longer than this is not being sent."""
PAGES = 100
"""Of 100 batches each, newest first: so far back a lost batch is looked for."""
CLOCK_SLACK_S = 86_400.0

SUBMISSION_KEY = "grmforge_submission"
FINISHED = frozenset({"completed", "failed", "expired", "cancelled"})
MAX_ID = 512

Call = Callable[[], AbstractContextManager[openai.APIResponse[Any]]]
_Result = TypeVar("_Result")


class Trouble(Exception):
    """A call failed. `may_have_worked`: nobody knows whether the endpoint did what was wanted."""

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
    files: tuple[str, ...]
    """Of answers and of errors, as far as there are any."""
    errors: str
    """Why the batch as a whole failed, in one line."""
    queue_full: bool
    """It failed only because too many tokens stood in the endpoint's queue."""

    @property
    def finished(self) -> bool:
        return self.status in FINISHED


def open_client(url: str, key: str | None, timeout_s: float, **hooks: list[Callable[..., None]]) -> openai.OpenAI:
    """Return a client that repeats nothing, follows no redirect, and takes only proxies from the environment.

    Raises EngineError where the address makes no sense.
    """
    headers: dict[str, Any] = {
        "Accept-Encoding": "identity",
        "OpenAI-Organization": openai.omit,
        "OpenAI-Project": openai.omit,
    }
    try:
        client = openai.OpenAI(
            base_url=url,
            api_key=key or "none",
            max_retries=0,
            timeout=openai.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
            default_headers=headers,
            http_client=openai.DefaultHttpxClient(follow_redirects=False, event_hooks=hooks),
        )
    except httpx2.InvalidURL as error:
        raise EngineError(f"base_url {url!r} is no address: {error}") from None
    client._custom_headers = headers  # without OPENAI_CUSTOM_HEADERS, which may hold another key
    return client


class BatchEndpoint(AbstractContextManager["BatchEndpoint"]):
    """One base_url's /files and /batches. Use as a context manager."""

    def __init__(self, url: str, key: str | None, timeout_s: float) -> None:
        self.url = url
        self._key = key
        self._timeout_s = timeout_s
        self._client = open_client(url, key, timeout_s, response=[self._refuse])
        self._files = self._client.files.with_streaming_response
        self._batches = self._client.batches.with_streaming_response

    @classmethod
    def of(cls, model: ModelSection, key: str | None) -> "BatchEndpoint":
        """Return the endpoint where a model's batches are."""
        return cls((model.base_url[0] if model.base_url else OPENAI_URL).rstrip("/"), key, model.timeout_s)

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def upload(self, path: Path, name: str) -> str:
        """Return the id of a JSONL file brought to the endpoint. A file costs nothing, so it may be sent again."""

        @contextmanager
        def sent() -> Iterator[openai.APIResponse[Any]]:
            with (
                path.open("rb") as file,
                self._files.create(file=(name, file, "application/jsonl"), purpose="batch") as response,
            ):
                yield response

        return self._id(self._persistently(lambda: self._object(sent)))

    def create(self, file_id: str, submission: str) -> BatchState:
        """Create the batch: this call costs money, and is never made twice blindly. Raises Trouble."""
        return self._state(
            self._object(
                lambda: self._batches.create(
                    input_file_id=file_id,
                    endpoint="/v1/chat/completions",
                    completion_window="24h",
                    metadata={SUBMISSION_KEY: submission},
                    # Endpoints that know the header create no second batch, whatever else goes wrong.
                    extra_headers={"Idempotency-Key": submission},
                )
            )
        )

    def find(self, submission: str, file_id: str, since: float) -> BatchState | None:
        """Return the batch of a submission, by its metadata or its input file; None where there is none.

        Raises Trouble where the endpoint does not list its batches, or lists more than can be looked through.
        """
        after: str | openai.Omit = openai.omit
        for _ in range(PAGES):
            page = self._persistently(partial(self._object, partial(self._batches.list, limit=100, after=after)))
            entries = page.get("data")
            if not isinstance(entries, list):
                raise self._unreadable(str(page))
            batches = [entry for entry in entries if isinstance(entry, dict)]
            for batch in batches:
                metadata = batch.get("metadata")
                name = metadata.get(SUBMISSION_KEY) if isinstance(metadata, dict) else None
                if name == submission or batch.get("input_file_id") == file_id:
                    return self._state(batch)
            if page.get("has_more") is not True or not batches:
                return None
            times = [batch.get("created_at") for batch in batches]
            if all(isinstance(created, int | float) and created < since - CLOCK_SLACK_S for created in times):
                return None
            after = str(batches[-1].get("id"))
        message = f"{self.url}: lists more than {100 * PAGES:,} batches, ours not among them"
        raise Trouble(Fault(FaultKind.ENGINE, message), True)

    def retrieve(self, batch_id: str) -> BatchState:
        """Return what the endpoint says of a batch. Raises Trouble."""
        return self._state(self._persistently(partial(self._object, lambda: self._batches.retrieve(batch_id))))

    def download(self, file_id: str, path: Path, most_bytes: int) -> bool:
        """Write a results file to a path; False where it goes on past `most_bytes` and was cut. Raises Trouble."""

        def fetched() -> bool:
            written = 0
            with path.open("wb") as file:
                for chunk in self._chunks(lambda: self._files.content(file_id), DOWNLOAD_S):
                    written += len(chunk)
                    if written > most_bytes:
                        return False
                    file.write(chunk)
            return True

        return self._persistently(fetched)

    def without_key(self, text: str) -> str:
        """Return a foreign text with our key struck out."""
        return without_key(text, self._key)

    def _persistently(self, call: Callable[[], _Result]) -> _Result:
        """Make a call that does no harm twice, again after a passing fault."""
        for tried in range(1, TRIES):
            try:
                return call()
            except Trouble as trouble:
                if trouble.fault.kind is not FaultKind.TRANSIENT:
                    raise
                wait_s = trouble.fault.retry_after_s
                time.sleep(min(MAX_WAIT_S, 0.25 * 2**tried if wait_s is None else wait_s))
        return call()

    def _object(self, call: Call) -> Mapping[str, Any]:
        """Return the JSON object that answers a call. Raises Trouble."""
        content = bytearray()
        for chunk in self._chunks(call, self._timeout_s):
            content += chunk
            if len(content) > MAX_REPLY_BYTES:
                raise Trouble(Fault(FaultKind.ENGINE, f"{self.url}: {Broken.TOO_LARGE.value}"), True)
        try:
            tree = orjson.loads(content)
            orjson.dumps(tree)  # fails where it has so many levels that it cannot even be shown
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):
            tree = None
        if not isinstance(tree, dict):
            raise self._unreadable(content[:200].decode("utf-8", "replace"))
        return tree

    def _chunks(self, call: Call, within_s: float) -> Iterator[bytes]:
        """Yield the body of a good reply as it comes. Raises Trouble."""
        try:
            with call() as response:
                started = time.monotonic()
                for chunk in response.iter_bytes():
                    yield chunk
                    if time.monotonic() - started > within_s:
                        raise httpx2.ReadTimeout("the reply does not come to an end")
        except (openai.APIConnectionError, httpx2.HTTPError, httpx2.StreamError, OSError, UnicodeError) as error:
            broken = _broken_by(error)
            detail = "" if broken is Broken.TIMEOUT else self.without_key(str(error.__cause__ or error))
            raise Trouble(
                fault_of_break(self.url, broken, detail, has_answered=True), broken not in _NEVER_SENT
            ) from None

    def _refuse(self, response: httpx2.Response) -> None:
        """Raise Trouble for a status that is not good. The package calls this before it would read the whole reply."""
        if response.status_code < 300:
            return
        started, body = time.monotonic(), b""
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MAX_ERROR_BYTES or time.monotonic() - started > self._timeout_s:
                break
        text = self.without_key(body.decode("utf-8", "replace"))
        fault = fault_of_status(self.url, response.status_code, text, response.headers.get("retry-after"))
        raise Trouble(fault, response.status_code >= 500 or response.status_code in (408, 409))

    def _unreadable(self, text: str) -> Trouble:
        return Trouble(fault_of_break(self.url, Broken.HALF, self.without_key(text), has_answered=True), True)

    def _id(self, tree: Mapping[str, Any], name: str = "id") -> str:
        value = tree.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= MAX_ID or value in (".", ".."):
            raise self._unreadable(str(tree)[:200])
        return value

    def _state(self, tree: Mapping[str, Any]) -> BatchState:
        """Return what a batch object says, whatever else it holds. Raises Trouble where it names no batch."""
        counts = tree.get("request_counts")
        done = [counts.get(name) for name in ("completed", "failed")] if isinstance(counts, dict) else []
        files = [self._id(tree, name) for name in ("output_file_id", "error_file_id") if tree.get(name)]
        errors = tree.get("errors")
        data = errors.get("data") if isinstance(errors, dict) else None
        reasons = [error for error in data if isinstance(error, dict)] if isinstance(data, list) else []
        codes = {str(error.get("code")) for error in reasons}
        return BatchState(
            batch_id=self._id(tree),
            status=snippet(self.without_key(str(tree.get("status")))),
            done=sum(number for number in done if type(number) is int and 0 <= number < 2**53),
            files=tuple(dict.fromkeys(files)),
            errors=snippet(self.without_key("; ".join(str(error.get("message") or error) for error in reasons[:3]))),
            queue_full=bool(codes) and codes <= {"token_limit_exceeded"},
        )


_NEVER_SENT = frozenset({Broken.REFUSED, Broken.UNKNOWN_HOST, Broken.CERTIFICATE, Broken.NOT_TLS})
_BREAKS: tuple[tuple[type[BaseException], Broken], ...] = (
    (ssl.SSLCertVerificationError, Broken.CERTIFICATE),
    (ssl.SSLError, Broken.NOT_TLS),
    (socket.gaierror, Broken.UNKNOWN_HOST),
    (UnicodeError, Broken.UNKNOWN_HOST),
    (httpx2.ConnectError, Broken.REFUSED),
    (httpx2.ConnectTimeout, Broken.REFUSED),
    (httpx2.TimeoutException, Broken.TIMEOUT),
    (httpx2.UnsupportedProtocol, Broken.NOT_HTTP),
    (httpx2.LocalProtocolError, Broken.NOT_HTTP),
)
"""How an exchange broke off, by what is among the causes of its error. The first that is there counts."""


def _broken_by(error: BaseException) -> Broken:
    chain = tuple(causes(error))
    breaks = (broken for kind, broken in _BREAKS if any(isinstance(cause, kind) for cause in chain))
    return next(breaks, Broken.RESET)
