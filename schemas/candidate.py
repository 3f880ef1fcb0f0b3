"""Candidates: graded answers to a question, of which synthesis composes sets; and the right ones as training traces."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from schemas.explained import Explained
from schemas.query import Messages
from schemas.question import Verdict
from schemas.tables import Column, Int64, Table, members_of, records_of, splits, table_of


class Origin(Explained):
    """How a candidate came about."""

    GIVEN = "given", "it came with the source"
    RESPONDER = "responder", "the responder's answer to the question"
    TEACHER = "teacher", "a teacher's own answer to a question that the responder never gets right"
    REWRITE = "rewrite", "a wrong response in the teacher's words, so that the author does not tell right from wrong"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer to a question, with what is known of it."""

    query_id: str
    origin: Origin
    sample_index: Annotated[int, "Number of the answer among those of its question and origin."]
    model: str | None
    verdict: Verdict
    text: str | None
    reasoning: str | None = None
    answer: Annotated[str | None, "The final answer as found in the text."] = None
    request_id: Annotated[str | None, "None for answers that came with the source."] = None
    tokens: int | None = None


CANDIDATES = Table("candidates", members_of(Candidate)).schema
"""Every answer to the questions of one source, whatever its verdict; a stage's table, not published as it is."""

candidates_table = partial(table_of, CANDIDATES)
"""Return the candidates, in the order given, as a table of CANDIDATES."""
candidates_of = partial(records_of, Candidate)
"""Return the records of a table of CANDIDATES, in its order."""

GRADED_TABLE = Table(
    "answers",
    (
        Column("answer_id", str, "Hash of the source, the query, and which answer to it this is."),
        Column("request_id", str, "The request that bought the answer; null where it came with the source."),
        Column("query_id"),
        Column("source"),
        Column("source_id", str, "Where the question stands in its source."),
        Column("license"),
        Column("domain"),
        Column("split", str, "Split of the question: `train` or `validation`."),
        Column(
            "origin",
            str,
            "`responder`, `teacher`, `rewrite` (wrong, in the teacher's words), or `given` with the source.",
        ),
        Column("model"),
        Column("sample_index", int, "Number of the answer among those of its question and origin."),
        Column("prompt", Messages, "The question as it was asked; of given and rewritten answers, the question alone."),
        Column("text", str, "The answer without its thoughts."),
        Column("reasoning", str, "The thoughts before it."),
        Column("answer", str, "The final answer that was read in the text."),
        Column("verdict", str, "`right`, `wrong` or `undecided`: the table's name."),
        Column("form", str, "How it was compared with the known answer: `math`, `number`, `option` or `text`."),
        Column("gold", str, "The known answer; of `option` the number of the right one, from 1."),
        Column("reference", str, "What a judge may be told: the known answer, with an explanation where there is one."),
        Column("completion_tokens", Int64, "Tokens of the answer, reasoning included, where they were counted."),
    ),
    "Every answer to a question with a known answer that a verifier graded, so that people can look at what was "
    "decided. Only builds that synthesise responses have them; those to test questions are not published.",
    {
        "right": "answers to questions that end in the known answer",
        "wrong": "answers to questions that end in another one",
        "undecided": "answers to questions of which the verifier could not tell: in no training set",
    },
)
GRADED = GRADED_TABLE.schema
"""Graded answers as they are published, one table a verdict, so that people can look at what was decided."""

GRADED_VERDICTS = (Verdict.RIGHT, Verdict.WRONG, Verdict.UNDECIDED)
"""Verdicts whose answers are published."""

TRACES_TABLE = Table(
    "traces",
    (
        Column("trace_id", str, "Hash of the query and the answer."),
        Column("prompt", Messages, "The question as the responder was asked it."),
        Column("completion", Messages, "One assistant message: the reasoning, if any, in `<think>`, then the answer."),
        Column("verified", bool, "True: a verifier found the final answer right. Others are not published."),
        Column(
            "verifier", str, "What found it right: the rule for `math`, `option`, `number` or `text`, or `teacher`."
        ),
        Column("model"),
        Column("origin", str, "`responder`, `teacher`, or `given` with the source."),
        Column("query_id"),
        Column("source"),
        Column("source_id", str, "Where the question stands in its source."),
        Column("license"),
        Column("domain"),
        Column("completion_tokens", Int64, "Tokens of the answer, reasoning included, where they were counted."),
        Column("pass_count", int, "How many of `pass_samples` are right: low for a hard question."),
        Column(
            "pass_samples",
            int,
            "Answers, of the responder or given with the source, that were graded right or wrong; a teacher's do not "
            "count.",
        ),
    ),
    "Verified answers, with the reasoning that led to them, for SFT distillation. Only builds that synthesise "
    "responses have them.",
    splits("verified answers with their reasoning, for SFT distillation"),
)
TRACES = TRACES_TABLE.schema
