"""TeleMath: 500 telecom problems whose answer is a number (arXiv 2506.10674).

    {"question": "A base station transmits 43 dBm .. what is the received power in dBm?", "answer": -61.5,
     "category": "Telecom. Engineering", "tags": ["link budget"], "difficulty": "basic"}

It is gated: accept its terms on the hub and set HF_TOKEN. It is a benchmark: a share is always test. The traps:

* the answer is a bare number, as a number or as text; what unit it has is in the question, if anywhere. So answers are
  compared as numbers, and a unit that a response writes is not held against it;
* a row whose answer is no number is unreadable (`no_answer`);
* answers are rounded somewhere: `tolerance`, relative, says how far off one may be.
"""

from typing import Annotated

from pydantic import Field

from pipelines.sources.source import Origin, Source
from pipelines.sources.text import Row, RowError, filled_text, number, shown
from schemas.query import user
from schemas.question import AnswerForm, Gold, Question, question
from schemas.recipe import Number, SourceSection


class TeleMath(SourceSection):
    """Keys of a `telemath` section."""

    tolerance: Annotated[Number, Field(ge=0, le=0.5)] = 0.01
    """How far from the right number an answer may be, relative to it."""


def _question_of(section: TeleMath, row: Row, origin: Origin) -> Question:
    answer = row.get("answer")
    if number(answer) is None:
        raise RowError("no_answer", f"the answer is {shown(answer)}, not a number")
    gold = answer.strip() if isinstance(answer, str) else repr(answer)
    return question(
        query=user(filled_text(row.get("question"), "question").strip()),
        gold=Gold(AnswerForm.NUMBER, gold, tolerance=section.tolerance),
        reference=gold,
        **origin,
    )


SOURCE = Source(
    kind="telemath",
    section=TeleMath,
    hub="netop/TeleMath",
    patterns=("*.parquet", "*.jsonl", "*.jsonl.gz", "*.json"),
    license="MIT",
    domain="telecom",
    benchmark=True,
    signature="telemath",
    unit="problem",
    rows=500,
    gives="questions",
    needs_answers=True,
    make=_question_of,
)
