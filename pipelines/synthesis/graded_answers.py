"""Graded answers, right, wrong and undecided, as people look at them: the answer, what was read of it, the gold."""

from collections.abc import Iterable

import pyarrow as pa

from pipelines.synthesis.grading import Answered
from pipelines.synthesis.traces import prompt_of
from schemas.candidate import GRADED, GRADED_VERDICTS
from schemas.query import messages_array
from schemas.record import content_id


def graded_answers_table(answered: Iterable[Answered]) -> pa.Table:
    """Return the answers whose verdict is published, in the order given, as a table of GRADED; splits come later."""
    both = [
        (question, candidate)
        for question, candidates in answered
        for candidate in candidates
        if candidate.verdict in GRADED_VERDICTS
    ]
    columns = {
        "answer_id": [
            content_id(
                "answer", question.source, question.query_id, one.origin, one.request_id, one.sample_index, one.text
            )
            for question, one in both
        ],
        "form": [question.gold.form for question, _ in both],
        "gold": [question.gold.answer for question, _ in both],
        "split": [None] * len(both),
        "completion_tokens": [one.tokens for _, one in both],
        **{
            name: [getattr(question, name) for question, _ in both]
            for name in ("query_id", "source", "source_id", "license", "domain", "reference")
        },
        **{
            name: [getattr(one, name) for _, one in both]
            for name in ("request_id", "origin", "model", "sample_index", "text", "reasoning", "answer", "verdict")
        },
    }
    arrays = {name: pa.array(values, GRADED.field(name).type) for name, values in columns.items()}
    arrays["prompt"] = messages_array([prompt_of(*one) for one in both])
    return pa.table([arrays[name] for name in GRADED.names], schema=GRADED)
