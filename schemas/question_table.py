"""Questions as an Arrow table, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from schemas.columns import struct_lists
from schemas.preference import RESPONSES, DropReason, Response, Split
from schemas.query import messages_array, messages_of
from schemas.question import GOLD, QUESTIONS, STEMS, AnswerForm, Gold, Question

_PLAIN = [name for name in QUESTIONS.names if name not in ("query", "gold", "given")]


def questions_table(questions: Sequence[Question]) -> pa.Table:
    """Return the questions, in the order given, as a table of QUESTIONS."""
    given = [response for one in questions for response in one.given]
    arrays = {name: pa.array([getattr(one, name) for one in questions], QUESTIONS.field(name).type) for name in _PLAIN}
    arrays["query"] = messages_array([one.query for one in questions])
    arrays["gold"] = pa.array([asdict(one.gold) for one in questions], GOLD)
    arrays["given"] = struct_lists(
        RESPONSES,
        [len(one.given) for one in questions],
        [[getattr(response, field.name) for response in given] for field in RESPONSES.value_type],
    )
    return pa.table([arrays[name] for name in QUESTIONS.names], schema=QUESTIONS)


def questions_of(table: pa.Table) -> list[Question]:
    """Return the records of a table of QUESTIONS, in its order."""
    return [
        Question(
            query_id=row["query_id"],
            query=messages_of(row["query"]),
            gold=_gold_of(row["gold"]),
            source=row["source"],
            source_id=row["source_id"],
            source_revision=row["source_revision"],
            license=row["license"],
            domain=row["domain"],
            stem=row["stem"],
            reference=row["reference"],
            given=tuple(Response(**response) for response in row["given"]),
            benchmark=row["benchmark"],
            split=Split(row["split"]) if row["split"] else None,
            drop_reason=DropReason(row["drop_reason"]) if row["drop_reason"] else None,
        )
        for row in table.to_pylist()
    ]


def stems_table(questions: Sequence[Question]) -> pa.Table:
    """Return the stems of those questions that have one, as a table of STEMS sorted by (query_id, stem)."""
    stems = sorted({(one.query_id, one.stem) for one in questions if one.stem is not None})
    columns = zip(*stems, strict=True) if stems else ((), ())
    return pa.table([pa.array(column, pa.string()) for column in columns], schema=STEMS)


def _gold_of(row: Mapping[str, Any]) -> Gold:
    return Gold(AnswerForm(row["form"]), row["answer"], tuple(row["options"] or ()), row["tolerance"])
