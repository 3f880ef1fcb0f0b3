"""A finished batch's answers, brought into the generations; only then is its job marked as collected.

A line of its results files, which come in any order and may hold anything, is one of these:

    success    {"custom_id": <request_id>, "response": {"status_code": 200, "body": {<completion>}}, "error": null}
    refused    {"custom_id": .., "response": {"status_code": 400, "body": {"error": {..}}}, "error": null}
    never run  {"custom_id": .., "response": null, "error": {"code": "batch_expired", "message": ".."}}
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from pipelines.engines.batch.endpoint import BatchEndpoint, BatchState
from pipelines.engines.faults import Broken, Fault, fault_of_break, fault_of_error, fault_of_status, json_of, reason_of
from pipelines.engines.protocol import Observer
from pipelines.engines.refusals import REFUSALS
from pipelines.engines.replies import parsed, read_reply
from schemas.generation import Completion, FaultKind
from schemas.recipe import ModelSection
from storage.batch_jobs import BatchedRequest, BatchJob, collected, requests_of
from storage.files import storage_errors
from storage.journal import JournalWriter
from storage.root import Root

MAX_LINE_BYTES = 8 * 2**20
READ_BYTES = 2**20
_CUSTOM_ID = re.compile(rb'"custom_id"\s*:\s*"([0-9a-f]{32})"')
NEVER_RUN = frozenset({"batch_expired", "batch_cancelled"})
RESULT_BYTES_A_REQUEST = 2**20
RESULT_BYTES = 64 * 2**20
"""A results file may be so long, and so much longer for each request: an answer of 8 MB is rare."""

Settle = Callable[[BatchedRequest, Completion, bool], None]
"""Called once a request, with what became of it and whether its answer broke off."""


class Odd(StrEnum):
    """Lines that no answer comes from."""

    UNREADABLE = "cannot be read"
    UNKNOWN = "answer nothing that was asked"
    TWICE = "answer what was answered before"
    BEYOND = "come after all that were to be expected"


@dataclass
class Results:
    """What the files of one batch came to."""

    wanted: Collection[str]
    """The ids of its requests."""
    model: ModelSection
    endpoint: BatchEndpoint
    final: set[str] = field(default_factory=set)
    """Requests with an answer, or refused for good."""
    passing: dict[str, Completion] = field(default_factory=dict)
    """Requests that failed for a passing reason, and have no answer in another line."""
    broke_off: set[str] = field(default_factory=set)
    """Requests whose answer began and ends in an error: it may be billed."""
    odd: Counter[Odd] = field(default_factory=Counter)

    def read(self, path: Path) -> Iterator[Completion]:
        """Yield each request's first answer, or refusal for good, in a file."""
        for number, (line, is_whole) in enumerate(_lines(path)):
            if number >= 2 * len(self.wanted) + 100:
                self.odd[Odd.BEYOND] += 1
                return
            try:
                outcome = self._outcome(line) if is_whole else self._too_large(line)
            except RecursionError:  # of a line with a thousand levels
                outcome = Odd.UNREADABLE
            if isinstance(outcome, Odd):
                self.odd[outcome] += 1
            elif outcome.fault in (FaultKind.TRANSIENT, FaultKind.ENGINE):
                self.passing[outcome.request_id] = outcome
            else:
                self.final.add(outcome.request_id)
                self.passing.pop(outcome.request_id, None)
                yield outcome

    def _outcome(self, line: bytes) -> Completion | Odd:
        try:
            tree = parsed(line)
        except ValueError:
            return Odd.UNREADABLE
        request_id = tree.get("custom_id") if isinstance(tree, dict) else None
        if not isinstance(request_id, str):
            return Odd.UNREADABLE
        if odd := self._odd_id(request_id):
            return odd
        response, url = tree.get("response"), self.endpoint.url
        if not isinstance(response, dict):
            return self._failed(request_id, _fault_without_response(url, tree.get("error")))
        status, body = response.get("status_code"), json_of(response.get("body"))
        if type(status) is int and not 200 <= status < 300:
            # In a batch no gateway waits for an answer that is being written: a 504 here is not billed.
            return self._failed(request_id, replace(fault_of_status(url, status, body), broke_off=False))
        outcome = read_reply(body, request_id, self.model, url, has_answered=True)
        return self._failed(request_id, outcome) if isinstance(outcome, Fault) else outcome

    def _too_large(self, start: bytes) -> Completion | Odd:
        """Return the refusal of an answer that is too large: it would be paid for again."""
        match = _CUSTOM_ID.search(start)
        if match is None:
            return Odd.UNREADABLE
        request_id = match[1].decode()
        return self._odd_id(request_id) or self._failed(
            request_id, fault_of_break(self.endpoint.url, Broken.TOO_LARGE, has_answered=True)
        )

    def _odd_id(self, request_id: str) -> Odd | None:
        if request_id not in self.wanted:
            return Odd.UNKNOWN
        return Odd.TWICE if request_id in self.final else None

    def _failed(self, request_id: str, fault: Fault) -> Completion:
        if fault.broke_off:
            self.broke_off.add(request_id)
        return replace(fault, message=self.endpoint.without_key(fault.message)).completion(request_id)


def _lines(path: Path) -> Iterator[tuple[bytes, bool]]:
    """Yield (line, True) of a file's lines; of one that is too long, (its beginning, False)."""
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            if len(line) <= MAX_LINE_BYTES:
                if line.strip():
                    yield line, True
                continue
            yield line[:READ_BYTES], False
            while not line.endswith(b"\n") and (line := file.readline(READ_BYTES)):
                pass


def _fault_without_response(url: str, error: Any) -> Fault:
    code = error.get("code") if isinstance(error, dict) else None
    if error is None or code in NEVER_RUN:
        reason = f" ({code})" if code else ""
        return Fault(FaultKind.TRANSIENT, f"{url}: the batch ended before this request{reason}")
    return fault_of_error(url, error)


@dataclass(frozen=True)
class Collector:
    """Stores every answer, and every refusal for good, of finished batches of one model."""

    root: Root
    run_id: str
    model: ModelSection
    endpoint: BatchEndpoint
    observer: Observer

    def collect(
        self, job: BatchJob, state: BatchState, tries: Mapping[str, int], settle: Settle
    ) -> tuple[BatchJob, str | None]:
        """Store what a batch holds; return its job, and what stops the build, if anything does.

        What was stored before a crash is stored again. `tries` counts the earlier batches in which a request failed for
        a passing reason. Raises Trouble and StorageError.
        """
        batched = {entry.request.request_id: entry for entry in requests_of(self.root, job)}
        results = Results(batched.keys(), self.model, self.endpoint)
        answers, too_large, refused = self._stored(job, state, results, batched, settle)
        # All were refused by the fault of the recipe or the account, and not of any row: then none is stored.
        all_refused = not answers and len(refused) >= REFUSALS
        final = [] if all_refused else refused
        missing = [request_id for request_id in batched if request_id not in results.final]
        for request_id in missing:
            no_answer = Completion(request_id, error="no answer", fault=FaultKind.TRANSIENT)
            settle(batched[request_id], results.passing.get(request_id, no_answer), request_id in results.broke_off)
        never_began = state.status == "failed" and not results.final and not results.passing
        job = collected(
            self.root,
            job,
            collected_at=time.time(),
            status=state.status,
            answers=answers,
            failed={} if never_began else {request_id: tries.get(request_id, 0) + 1 for request_id in missing},
            refused=(*too_large, *(completion.request_id for completion in final)),
            queue_full=never_began and state.queue_full,
        )
        self.observer.said(
            f"{job.name} {state.status}: {answers:,} of {len(batched):,} answered, "
            f"{len(too_large) + len(refused):,} refused, {len(missing):,} to be asked again"
        )
        for odd, lines in sorted(results.odd.items()):
            self.observer.warn(f"{job.name}: {lines:,} lines of its results {odd}; they count for nothing")
        return job, _problem(job, state, results, never_began, refused if all_refused else [])

    def _stored(
        self,
        job: BatchJob,
        state: BatchState,
        results: Results,
        batched: Mapping[str, BatchedRequest],
        settle: Settle,
    ) -> tuple[int, list[str], list[Completion]]:
        """Bring the answers to the disk, then the refusals, unless all were refused.

        Returns how many answers there are, which were too large, and what was refused.
        """
        answers = 0
        too_large: list[str] = []  # refused, since an answer that is too large is paid for
        refused: list[Completion] = []
        with JournalWriter(self.root, self.run_id) as journal:
            for completion in self._completions(job, state, results):
                entry = batched[completion.request_id]
                settle(entry, completion, False)
                if completion.error is None:
                    answers += 1
                elif reason_of(completion.error) == Broken.TOO_LARGE:
                    too_large.append(completion.request_id)
                else:
                    refused.append(completion)
                    continue
                journal.append(entry.request, completion)
            for completion in refused if answers or len(refused) < REFUSALS else ():
                journal.append(batched[completion.request_id].request, completion)
        return answers, too_large, refused

    def _completions(self, job: BatchJob, state: BatchState, results: Results) -> Iterator[Completion]:
        """Yield what a batch's results files hold, from local copies of them."""
        most = RESULT_BYTES + RESULT_BYTES_A_REQUEST * job.requests
        paths = [self.root.scratch(f"{job.key}/results-{number}.jsonl") for number in range(len(state.files))]
        for file_id, path in zip(state.files, paths, strict=True):
            with storage_errors(str(path)):
                if not self.endpoint.download(file_id, path, most):
                    self.observer.warn(
                        f"{job.name}: its results go on past {most:,} bytes; what comes later is left unread"
                    )
        for path in paths:
            with storage_errors(str(path)):
                yield from results.read(path)


def _problem(
    job: BatchJob, state: BatchState, results: Results, never_began: bool, all_refused: Sequence[Completion]
) -> str | None:
    """Return why a batch without a single answer must stop the build, if it must."""
    if never_began and job.queue_full and job.requests > 1:
        return None  # the next one is smaller
    if never_began:
        return f"{job.name}: the endpoint refused it as a whole: {state.errors or 'it does not say why'}"
    if all_refused:
        return (
            f"{job.name}: all of its requests were refused: {all_refused[0].error}; check the account, extra_body, "
            "max_tokens and temperature, then run again: none of them is kept as refused"
        )
    errors = [completion.error for completion in results.passing.values() if completion.fault is FaultKind.ENGINE]
    return f"{job.name}: {errors[0]}" if errors and not results.final else None
