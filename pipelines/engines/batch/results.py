"""What a batch's result files say: lines in any order, from a file that may hold anything, to completions.

Success:  {"custom_id": <request_id>, "response": {"status_code": 200, "body": {<chat completion>}}, "error": null}
Refused:  {"custom_id": .., "response": {"status_code": 400, "body": {"error": {..}}}, "error": null}
Never run: {"custom_id": .., "response": null, "error": {"code": "batch_expired", "message": ".."}}
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from pipelines.engines.batch.endpoint import BatchEndpoint
from pipelines.engines.faults import Broken, Fault, fault_of_break, fault_of_error, fault_of_status, json_of
from pipelines.engines.replies import parsed, read_reply
from schemas.generation import Completion, FaultKind
from schemas.recipe import ModelSection

MAX_LINE_BYTES = 8 * 2**20
READ_BYTES = 2**20
_CUSTOM_ID = re.compile(rb'"custom_id"\s*:\s*"([0-9a-f]{32})"')
NEVER_RUN = frozenset({"batch_expired", "batch_cancelled"})


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
        most_lines = 2 * len(self.wanted) + 100
        for number, (line, is_whole) in enumerate(_lines(path)):
            if number >= most_lines:
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
        """Return what a line says of its request."""
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
        fault = fault_of_break(self.endpoint.url, Broken.TOO_LARGE, has_answered=True)
        return self._odd_id(request_id) or self._failed(request_id, fault)

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
