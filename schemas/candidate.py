"""Candidates: graded answers to a question, of which synthesis composes sets; and the right ones as training traces."""

from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

from schemas.query import MESSAGES
from schemas.question import Verdict
from schemas.record import table_schema


class Origin(StrEnum):
    """How a candidate came about."""

    GIVEN = "given"
    """It came with the source."""
    RESPONDER = "responder"
    TEACHER = "teacher"
    """A teacher's own answer to a question that the responder never gets right."""
    REWRITE = "rewrite"
    """A wrong response in the teacher's words, so that the author does not tell right from wrong."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer to a question, with what is known of it."""

    query_id: str
    origin: Origin
    sample_index: int
    """Number of the answer among those of its question and origin."""
    model: str | None
    verdict: Verdict
    text: str | None
    reasoning: str | None = None
    answer: str | None = None
    """The final answer as found in the text."""
    request_id: str | None = None
    """None for answers that came with the source."""
    tokens: int | None = None


CANDIDATES = table_schema(
    "candidates",
    [
        pa.field("query_id", pa.string()),
        pa.field("origin", pa.string()),
        pa.field("sample_index", pa.int32()),
        pa.field("model", pa.string()),
        pa.field("verdict", pa.string()),
        pa.field("text", pa.string()),
        pa.field("reasoning", pa.string()),
        pa.field("answer", pa.string()),
        pa.field("request_id", pa.string()),
        pa.field("tokens", pa.int32()),
    ],
)
"""Every answer to the questions of one source, whatever its verdict; a stage's table, not published as it is."""

GRADED = table_schema(
    "answers",
    [
        pa.field("answer_id", pa.string()),
        pa.field("request_id", pa.string()),
        pa.field("query_id", pa.string()),
        pa.field("source", pa.string()),
        pa.field("source_id", pa.string()),
        pa.field("license", pa.string()),
        pa.field("domain", pa.string()),
        pa.field("split", pa.string()),
        pa.field("origin", pa.string()),
        pa.field("model", pa.string()),
        pa.field("sample_index", pa.int32()),
        pa.field("prompt", MESSAGES),
        pa.field("text", pa.string()),
        pa.field("reasoning", pa.string()),
        pa.field("answer", pa.string()),
        pa.field("verdict", pa.string()),
        pa.field("form", pa.string()),
        pa.field("gold", pa.string()),
        pa.field("reference", pa.string()),
        pa.field("completion_tokens", pa.int64()),
    ],
)
"""Graded answers as they are published, one table a verdict, so that people can look at what was decided."""

GRADED_VERDICTS = (Verdict.RIGHT, Verdict.WRONG, Verdict.UNDECIDED)
"""Verdicts whose answers are published."""

TRACES = table_schema(
    "traces",
    [
        pa.field("trace_id", pa.string()),
        pa.field("prompt", MESSAGES),
        pa.field("completion", MESSAGES),
        pa.field("verified", pa.bool_()),
        pa.field("verifier", pa.string()),
        pa.field("model", pa.string()),
        pa.field("origin", pa.string()),
        pa.field("query_id", pa.string()),
        pa.field("source", pa.string()),
        pa.field("source_id", pa.string()),
        pa.field("license", pa.string()),
        pa.field("domain", pa.string()),
        pa.field("completion_tokens", pa.int64()),
        pa.field("pass_count", pa.int32()),
        pa.field("pass_samples", pa.int32()),
    ],
)
