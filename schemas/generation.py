"""What is sent to a model and what comes back: one `Completion` a `Request`, stored as a generation."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from schemas.explained import Explained
from schemas.question import Gold
from schemas.record import canonical_json, content_id
from schemas.tables import Column, Int64, Table

REQUEST_VERSION = 1


class FaultKind(Explained):
    """What a failed request says about the next one."""

    TRANSIENT = "transient", "another try may succeed: 429, 5xx, a reset, a time-out; never stored"
    REQUEST = (
        "request",
        "this request will always fail: 400, content filter, context too long; stored, never retried by itself",
    )
    ENGINE = "engine", "every request will fail: 401, no such model, no OpenAI-compatible server; the run stops"


@dataclass(frozen=True, slots=True)
class Truth:
    """What the simulated engine alone may see of the set behind a request; it never leaves the process."""

    set_id: str
    n_responses: int
    best_position: int | None
    """0-based, as shown; None for n = 1."""
    label: int | None
    hinted: bool
    is_graded: bool = False
    """Whether a single response gets a grade of 1 to 10."""


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
class ScoreTruth:
    """The same of a request for the score of one text: a judgement, or a response."""

    is_right: bool


RequestTruth = ScoreTruth | Truth | AnswerTruth | RephrasingTruth | RubricTruth


@dataclass(frozen=True, slots=True)
class Request:
    """One call of one model. Make one with `request`, which seeds and identifies it."""

    request_id: str
    query_id: str
    role: str
    body: dict[str, Any]
    """The request as sent: model, messages, sampling settings, seed, and whatever `extra_body` adds."""
    sample_index: int
    truth: RequestTruth | None = None
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
    logprob: float | None = None
    """Mean log-probability of the answer's tokens, where it was asked for."""


def request(
    *,
    role: str,
    identity: dict[str, Any],
    query_id: str,
    body: dict[str, Any],
    sample_index: int,
    truth: RequestTruth | None = None,
    is_seeded: bool = True,
) -> Request:
    """Return the request with its id and its sampling seed; a scorer, which draws nothing, is sent no seed.

    The id covers a version, the role, the model's identity as the recipe gives it, the whole body and the sample index.
    The seed that is sent in the body is the id's first 31 bits, so the id covers it too, and equal requests are equal
    for ever. Orders and hints depend on the recipe's seed; equal bodies that are wanted twice are sent once.
    """
    request_id = content_id("request", REQUEST_VERSION, role, identity, body, sample_index)
    return Request(
        request_id=request_id,
        query_id=query_id,
        role=role,
        body={**body, "seed": int(request_id[:8], 16) & 0x7FFFFFFF} if is_seeded else body,
        sample_index=sample_index,
        truth=truth,
    )


@dataclass(frozen=True, slots=True)
class RequestIds:
    """The ids that `request` gives requests which differ in one text and in their sample index alone.

    What such requests share is made into JSON once, and what their texts begin with is hashed once. Make one with
    `request_ids`.
    """

    begun: Any
    """The hash of what stands before the text, or before what is left of it."""
    after: bytes
    """The JSON between the text and the sample index."""

    def following(self, text: str) -> "RequestIds":
        """Return the ids of those requests whose text begins with this one."""
        begun = self.begun.copy()
        begun.update(_inside_json(text))
        return RequestIds(begun, self.after)

    def of(self, text: str, sample_index: int) -> str:
        """Return the id of the request with this text, or with what is left of it."""
        hashed = self.begun.copy()
        hashed.update(b"%b%b%d]" % (_inside_json(text), self.after, sample_index))
        return str(hashed.hexdigest())


def request_ids(role: str, identity: dict[str, Any], body: Callable[[str], dict[str, Any]]) -> RequestIds:
    """Return the ids of a role's requests; `body` returns the body around a text, which stands in it once."""
    mark = content_id("text", role, identity)
    whole = canonical_json(["request", REQUEST_VERSION, role, identity, body(mark), 0])
    before, after = whole.removesuffix(b"0]").split(mark.encode())
    return RequestIds(blake2b(before, digest_size=16), after)


def _inside_json(text: str) -> bytes:
    """Return the bytes between the quotation marks: character by character, so that texts may be cut anywhere."""
    return canonical_json(text)[1:-1]


def body_json(body: dict[str, Any]) -> str:
    """Return a body as generations keep it: canonical JSON."""
    return canonical_json(body).decode()


GENERATIONS_TABLE = Table(
    "generations",
    (
        Column("request_id"),
        Column("query_id"),
        Column("role", str, "Role of the model in the recipe: `grm`, `difficulty`, `policy`."),
        Column("request", str, "The request body as sent, canonical JSON."),
        Column("text", str, "The answer; earlier versions kept some thoughts in it, which are split off when read."),
        Column("reasoning", str, "The reasoning part, where there is one."),
        Column("finish_reason", str, "As the endpoint gave it."),
        Column("error", str, "Why the request will always fail; null for an answer. Passing failures are not stored."),
        Column("served_model", str, "What the endpoint says it served."),
        Column("prompt_tokens"),
        Column("completion_tokens"),
        Column("cached_tokens", Int64, "Prompt tokens that the endpoint read from its cache."),
        Column("reasoning_tokens", Int64, "Tokens of the reasoning part."),
        Column("cost_usd", float, "Cost by the recipe's prices, in US dollars."),
        Column("logprob", float, "Mean log-probability of the answer's tokens; null unless it was asked for."),
        Column("created_at", datetime, "When the answer arrived."),
        Column("run_id", str, "Run that bought it."),
    ),
    "Every answer ever bought, once. It belongs to the root, not to a snapshot.",
    files="`<root>/generations/`: journals, then `bucket=<xx>/*.parquet`",
)
GENERATIONS = GENERATIONS_TABLE.schema
