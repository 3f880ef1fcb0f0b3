"""Questions with a known answer and no responses to compare: what synthesis makes preference sets of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Unpack

import pyarrow as pa

from schemas.explained import Explained
from schemas.preference import DropReason, Response, RowFacts, Split
from schemas.query import Messages, query_id
from schemas.tables import Column, Table, members_of, records_of, table_of


class AnswerForm(Explained):
    """How an answer is compared with the gold one."""

    MATH = "math", "mathematical equivalence; the gold is LaTeX or a plain expression"
    OPTION = "option", "multiple choice; the gold is the number of the right option, from 1"
    NUMBER = "number", "a number, with a unit where the gold has one, within a relative tolerance"
    TEXT = "text", "a short free text: what no rule can compare, a teacher does"


class Verdict(Explained):
    """What is known of one answer to a question."""

    RIGHT = "right", "the final answer is the known one"
    WRONG = "wrong", "the final answer is another one than the known one"
    NO_ANSWER = (
        "no_answer",
        "nothing in the text is a final answer",
        "the model does not end in the form that it is asked for: look at one with grmforge probe, and take another "
        "model",
    )
    UNDECIDED = (
        "undecided",
        "no rule can tell whether the final answer is the known one",
        "short answers need a [models.teacher] that compares them; others are in a notation that the verifier does not "
        "know",
    )
    TIMED_OUT = (
        "timed_out",
        "the verifier took too long over the answer, or too much memory",
        "look at what such answers say",
    )
    DISPUTED = (
        "disputed",
        "the source's own label and the verifier say different things, or a rewritten text changed its answer",
        "look at the source: one of the two is wrong",
    )
    EMPTY = (
        "empty",
        "the model wrote nothing, or nothing after its thoughts",
        "raise [synthesis] max_tokens, or see how the server splits reasoning from the answer",
    )
    TRUNCATED = (
        "truncated",
        "the answer broke off at the token limit",
        "raise [synthesis] max_tokens: models that reason aloud need 8,000 and more",
    )
    REFUSED = (
        "refused",
        "the model declined to answer",
        "choose a model that answers this material, or leave the source out",
    )
    FAILED = (
        "failed",
        "the request got no answer",
        "run grmforge doctor on the recipe, then build with --retry-failed",
    )


@dataclass(frozen=True, slots=True)
class Gold:
    """The right answer, and how others are compared with it."""

    form: AnswerForm
    answer: str
    options: Annotated[tuple[str, ...], "Texts of the options in the order asked, where there are some."] = ()
    tolerance: Annotated[float | None, "Relative, for numbers; None for the verifier's own."] = None


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
    query: Annotated[Messages, "What responders are asked and judges are shown."]
    gold: Gold
    source: str
    source_id: str
    source_revision: str
    license: str
    domain: str
    stem: Annotated[
        str | None,
        "What is asked, where the query asks it in another form: with its options, or reworded. Clusters and splits go "
        "by it, so that no form of a question is trained on while another one tests.",
    ] = None
    reference: Annotated[
        str | None, "What a judge may be told: the gold answer, with an explanation where there is one."
    ] = None
    given: Annotated[
        tuple[Response, ...],
        "Answers that come with the source; reward 1 or 0 where it labels them, None where it does not.",
    ] = ()
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
    stem: str | None = None,
    given: tuple[Response, ...] = (),
    **facts: Unpack[RowFacts],
) -> Question:
    """Return the question with the id of its query."""
    return Question(query_id=query_id(query), query=query, gold=gold, stem=stem, given=given, **facts)


QUESTIONS = Table("questions", members_of(Question)).schema
"""Questions of one source; a stage's table, not published as it is."""

questions_table = partial(table_of, QUESTIONS)
"""Return the questions, in the order given, as a table of QUESTIONS."""
questions_of = partial(records_of, Question)
"""Return the records of a table of QUESTIONS, in its order."""

STEMS = Table("stems", (Column("query_id", str), Column("stem", str))).schema
"""What queries ask that ask it in another form. A stage that makes sets of questions has it beside its `sets`."""


def stems_table(questions: Sequence[Question]) -> pa.Table:
    """Return the stems of those questions that have one, as a table of STEMS sorted by (query_id, stem)."""
    stems = sorted({(question.query_id, question.stem) for question in questions if question.stem is not None})
    return pa.table([pa.array(column, pa.string()) for column in zip(*stems, strict=True)] or [[], []], schema=STEMS)
