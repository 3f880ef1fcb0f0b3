"""What is asked of a model and what comes back: one `Completion` a `Request`, stored as a generation."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pyarrow as pa

from schemas.question import Gold
from schemas.record import canonical_json, content_id, table_schema

REQUEST_VERSION = 1


class FaultKind(StrEnum):
    """What a failed request says about the next one."""

    TRANSIENT = "transient"
    """Another try may succeed: 429, 5xx, a reset, a time-out. Never stored."""
    REQUEST = "request"
    """This request will always fail: 400, content filter, context too long. Stored, never retried by itself."""
    ENGINE = "engine"
    """Every request will fail: 401, no such model, not an OpenAI-compatible server. The run stops."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What the simulated engine alone may see of the set behind a request; it never leaves the process."""

    set_id: str
    n_responses: int
    best_position: int | None
    """0-based, as shown; None for n = 1."""
    label: int | None
    hinted: bool


@dataclass(frozen=True, slots=True)
class AnswerTruth:
    """The same of the question behind a request for an answer."""

    question_id: str
    """The question's query_id: its answers go right or wrong together."""
    gold: Gold
    kept: str | None = None
    """The answer that a rewritten text must end in, right or wrong."""


@dataclass(frozen=True, slots=True)
class RephrasingTruth:
    """The same of the question behind a request to ask it in other words."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class RubricTruth:
    """The same of a request for a rubric, or for a judgement by one."""

    is_best: bool | None = None
    """Of the answer to be judged; None where a rubric is to be written."""
    criteria: tuple[tuple[str, bool], ...] = ()
    """(text, whether it is a pitfall) of each criterion to judge by."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call of one model. Make one with `request`, which seeds and identifies it."""

    request_id: str
    query_id: str
    role: str
    body: dict[str, Any]
    """The request as sent: model, messages, sampling settings, seed, and whatever `extra_body` adds."""
    sample_index: int
    truth: Truth | AnswerTruth | RephrasingTruth | RubricTruth | None = None
    repeat: int = 0
    """How many earlier samples of its set have the very same prompt: which of several imported answers is meant."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back for a request: an answer, or the error that stands in its place."""

    request_id: str
    text: str | None = None
    """The answer without its reasoning part; None when the request failed."""
    reasoning: str | None = None
    finish_reason: str | None = None
    """As the endpoint gives it; "refusal" where the endpoint says so in a field of its own."""
    error: str | None = None
    fault: FaultKind | None = None
    served_model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None


def request(
    *,
    role: str,
    identity: dict[str, Any],
    query_id: str,
    body: dict[str, Any],
    sample_index: int,
    truth: Truth | AnswerTruth | RephrasingTruth | RubricTruth | None = None,
) -> Request:
    """Return the request with its id and its sampling seed.

    The id covers a version, the role, the model's identity as the recipe gives it, the whole body and the sample index.
    The seed that is sent in the body is the id's first 31 bits, so the id covers it too, and equal requests are equal
    for ever. Orders and hints depend on the recipe's seed; what is asked twice in the same words is asked once.
    """
    request_id = content_id("request", REQUEST_VERSION, role, identity, body, sample_index)
    return Request(
        request_id=request_id,
        query_id=query_id,
        role=role,
        body={**body, "seed": int(request_id[:8], 16) & 0x7FFFFFFF},
        sample_index=sample_index,
        truth=truth,
    )


def body_json(body: dict[str, Any]) -> str:
    """Return a body as generations keep it: canonical JSON."""
    return canonical_json(body).decode()


GENERATIONS = table_schema(
    "generations",
    [
        pa.field("request_id", pa.string()),
        pa.field("query_id", pa.string()),
        pa.field("role", pa.string()),
        pa.field("request", pa.string()),
        pa.field("text", pa.string()),
        pa.field("reasoning", pa.string()),
        pa.field("finish_reason", pa.string()),
        pa.field("error", pa.string()),
        pa.field("served_model", pa.string()),
        pa.field("prompt_tokens", pa.int64()),
        pa.field("completion_tokens", pa.int64()),
        pa.field("cached_tokens", pa.int64()),
        pa.field("reasoning_tokens", pa.int64()),
        pa.field("cost_usd", pa.float64()),
        pa.field("created_at", pa.timestamp("us", tz="UTC")),
        pa.field("run_id", pa.string()),
    ],
)
