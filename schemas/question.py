"""Questions with a known answer and no responses to compare: what synthesis makes preference sets of."""

from dataclasses import dataclass, replace
from enum import StrEnum

import pyarrow as pa

from schemas.preference import RESPONSES, DropReason, Response, Split
from schemas.query import MESSAGES, Messages, query_id
from schemas.record import table_schema


class AnswerForm(StrEnum):
    """How an answer is compared with the gold one."""

    MATH = "math"
    """Mathematical equivalence; the gold is LaTeX or a plain expression."""
    OPTION = "option"
    """Multiple choice; the gold is the number of the right option, from 1."""
    NUMBER = "number"
    """A number, with a unit where the gold has one, within a relative tolerance."""
    TEXT = "text"
    """A short free text: what no rule can compare, a teacher does."""


class Verdict(StrEnum):
    """What is known of one answer to a question."""

    RIGHT = "right"
    WRONG = "wrong"
    NO_ANSWER = "no_answer"
    """Nothing in the text is an answer."""
    UNDECIDED = "undecided"
    """The verifier cannot tell."""
    TIMED_OUT = "timed_out"
    """The verifier took too long, or too much memory."""
    DISPUTED = "disputed"
    """The source's own label says otherwise, or a rewritten text ends in another answer than it should."""
    EMPTY = "empty"
    """The model wrote nothing, or nothing after its thoughts."""
    TRUNCATED = "truncated"
    """The answer broke off at its longest."""
    REFUSED = "refused"
    FAILED = "failed"
    """The request itself failed."""


@dataclass(frozen=True, slots=True)
class Gold:
    """The right answer, and how others are compared with it."""

    form: AnswerForm
    answer: str
    options: tuple[str, ...] = ()
    """Texts of the options in the order asked, where there are some."""
    tolerance: float | None = None
    """Relative, for numbers; None for the verifier's own."""


@dataclass(frozen=True, slots=True)
class Grade:
    """What a verifier says of one text."""

    verdict: Verdict
    answer: str | None = None
    """The final answer as found in the text."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its gold answer. Make one with `question`, which identifies it."""

    query_id: str
    query: Messages
    """What responders are asked and judges are shown."""
    gold: Gold
    source: str
    source_id: str
    source_revision: str
    license: str
    domain: str
    stem: str | None = None
    """What is asked, where the query asks it in another form: with its options, or reworded. Clusters and splits go by
    it, so that no form of a question is trained on while another one tests."""
    reference: str | None = None
    """What a judge may be told: the gold answer, with an explanation where there is one."""
    given: tuple[Response, ...] = ()
    """Answers that come with the source; reward 1 or 0 where it labels them, None where it does not."""
    benchmark: bool = False
    split: Split | None = None
    drop_reason: DropReason | None = None

    def dropped(self, reason: DropReason) -> "Question":
        """Return the question with its first reason for being set aside."""
        return self if self.drop_reason else replace(self, drop_reason=reason)


def question(
    *,
    query: Messages,
    gold: Gold,
    source: str,
    source_id: str,
    source_revision: str,
    license: str,
    domain: str,
    stem: str | None = None,
    reference: str | None = None,
    given: tuple[Response, ...] = (),
    benchmark: bool = False,
    split: Split | None = None,
    drop_reason: DropReason | None = None,
) -> Question:
    """Return the question with the id of its query."""
    return Question(
        query_id=query_id(query),
        query=query,
        gold=gold,
        source=source,
        source_id=source_id,
        source_revision=source_revision,
        license=license,
        domain=domain,
        stem=stem,
        reference=reference,
        given=given,
        benchmark=benchmark,
        split=split,
        drop_reason=drop_reason,
    )


GOLD = pa.struct(
    [
        pa.field("form", pa.string()),
        pa.field("answer", pa.string()),
        pa.field("options", pa.list_(pa.string())),
        pa.field("tolerance", pa.float64()),
    ]
)

QUESTIONS = table_schema(
    "questions",
    [
        pa.field("query_id", pa.string()),
        pa.field("query", MESSAGES),
        pa.field("gold", GOLD),
        pa.field("source", pa.string()),
        pa.field("source_id", pa.string()),
        pa.field("source_revision", pa.string()),
        pa.field("license", pa.string()),
        pa.field("domain", pa.string()),
        pa.field("stem", pa.string()),
        pa.field("reference", pa.string()),
        pa.field("given", RESPONSES),
        pa.field("benchmark", pa.bool_()),
        pa.field("split", pa.string()),
        pa.field("drop_reason", pa.string()),
    ],
)
"""Questions of one source; a stage's table, not published as it is."""

STEMS = table_schema("stems", [pa.field("query_id", pa.string()), pa.field("stem", pa.string())])
"""What queries ask that ask it in another form. A stage that makes sets of questions has it beside its `sets`."""
