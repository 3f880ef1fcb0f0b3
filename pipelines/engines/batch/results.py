"""What a batch's result files say: lines in any order, from a file that may hold anything, to completions.

Success:  {"custom_id": <request_id>, "response": {"status_code": 200, "body": {<chat completion>}}, "error": null}
Refused:  {"custom_id": .., "response": {"status_code": 400, "body": {"error": {..}}}, "error": null}
Never run: {"custom_id": .., "response": null, "error": {"code": "batch_expired", "message": ".."}}
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from pipelines.engines.faults import Broken, Fault, fault_of_break, fault_of_error, fault_of_status
from pipelines.engines.live.wire import read_answer
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
    final: set[str] = field(default_factory=set)
    """Requests with an answer, or refused for good."""
    passing: dict[str, Completion] = field(default_factory=dict)
    """Requests that failed for a passing reason, and have no answer in another line."""
    broke_off: set[str] = field(default_factory=set)
    """Requests whose answer began and ends in an error: it may be billed."""
    odd: Counter[Odd] = field(default_factory=Counter)

    def read(self, path: Path, url: str, model: ModelSection) -> Iterator[Completion]:
        """Yield each request's first answer, or refusal for good, in a file of the endpoint at `url`."""
        most_lines = 2 * len(self.wanted) + 100
        for number, (line, whole) in enumerate(_lines(path)):
            if number >= most_lines:
                self.odd[Odd.BEYOND] += 1
                return
            found = _completion(line, url, model, self.broke_off) if whole else _too_large(line, url)
            if found is None:
                self.odd[Odd.UNREADABLE] += 1
            elif found.request_id not in self.wanted:
                self.odd[Odd.UNKNOWN] += 1
            elif found.request_id in self.final:
                self.odd[Odd.TWICE] += 1
            elif found.fault in (FaultKind.TRANSIENT, FaultKind.ENGINE):
                self.passing[found.request_id] = found
            else:
                self.final.add(found.request_id)
                self.passing.pop(found.request_id, None)
                yield found


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


def _too_large(start: bytes, url: str) -> Completion | None:
    """Return the refusal of an answer that is too large: asking again would pay for it again."""
    found = _CUSTOM_ID.search(start)
    if found is None:
        return None
    return _failed(found[1].decode(), fault_of_break(url, Broken.TOO_LARGE, has_answered=True))


def _completion(line: bytes, url: str, model: ModelSection, broke_off: set[str]) -> Completion | None:
    """Return what a line says of its request; None where it says nothing that can be read.

    A request whose answer broke off is added to `broke_off`.
    """
    try:
        tree = _parsed(line)
    except (ValueError, RecursionError):
        return None
    request_id = tree.get("custom_id") if isinstance(tree, dict) else None
    if not isinstance(request_id, str):
        return None
    response, error = tree.get("response"), tree.get("error")
    if not isinstance(response, dict):
        return _failed(request_id, _fault_without_response(url, error))
    status = response.get("status_code")
    body = _dumped(response.get("body"))
    if type(status) is int and not 200 <= status < 300:
        return _failed(request_id, fault_of_status(url, status, body))
    answer = read_answer(body, request_id, model)
    if isinstance(answer, Completion):
        return answer
    if answer.broke_off:
        broke_off.add(request_id)
    if answer.error is not None:
        failed = _failed(request_id, fault_of_error(url, answer.error))
    else:
        failed = _failed(request_id, fault_of_break(url, answer.broken, answer.detail, has_answered=True))
    return replace(failed, prompt_tokens=answer.prompt_tokens, completion_tokens=answer.completion_tokens)


def _fault_without_response(url: str, error: Any) -> Fault:
    code = error.get("code") if isinstance(error, dict) else None
    if error is None or code in NEVER_RUN:
        said = f" ({code})" if code else ""
        return Fault(FaultKind.TRANSIENT, f"{url}: the batch ended before this request{said}")
    return fault_of_error(url, error)


def _failed(request_id: str, fault: Fault) -> Completion:
    return Completion(request_id, error=fault.message, fault=fault.kind)


def _parsed(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except ValueError:
        # The standard parser also takes lone surrogates and wrong UTF-8, as in `wire`.
        return json.loads(line.decode("utf-8", "replace"))


def _dumped(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # a lone surrogate, or a number beyond 64 bits
        return json.dumps(value).encode()
