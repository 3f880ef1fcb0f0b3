"""Preference sets as an Arrow table, and back."""

from collections.abc import Sequence

import pyarrow as pa

from schemas.columns import struct_lists
from schemas.preference import RESPONSES, SETS, DropReason, LabelSource, PreferenceSet, Response, Split
from schemas.query import messages_array, messages_of

_PLAIN = [name for name in SETS.names if name not in ("query", "responses")]


def sets_table(sets: Sequence[PreferenceSet]) -> pa.Table:
    """Return the sets, in the order given, as a table of SETS."""
    responses = [response for one in sets for response in one.responses]
    columns = {name: [getattr(one, name) for one in sets] for name in _PLAIN}
    arrays = {
        "query": messages_array([one.query for one in sets]),
        "responses": struct_lists(
            RESPONSES,
            [one.n_responses for one in sets],
            [[getattr(response, field.name) for response in responses] for field in RESPONSES.value_type],
        ),
    }
    return pa.table(
        [arrays[f.name] if f.name in arrays else pa.array(columns[f.name], f.type) for f in SETS], schema=SETS
    )


def sets_of(table: pa.Table) -> list[PreferenceSet]:
    """Return the records of a table of SETS, in its order."""
    return [
        PreferenceSet(
            set_id=row["set_id"],
            query_id=row["query_id"],
            query=messages_of(row["query"]),
            responses=tuple(Response(**response) for response in row["responses"]),
            source=row["source"],
            source_id=row["source_id"],
            source_revision=row["source_revision"],
            license=row["license"],
            domain=row["domain"],
            label_source=LabelSource(row["label_source"]),
            best=row["best"],
            label=row["label"],
            margin=row["margin"],
            reference=row["reference"],
            benchmark=row["benchmark"],
            split=Split(row["split"]) if row["split"] else None,
            cluster=row["cluster"],
            drop_reason=DropReason(row["drop_reason"]) if row["drop_reason"] else None,
            retagged_best=row["retagged_best"],
            votes=None if row["votes"] is None else tuple(row["votes"]),
        )
        for row in table.to_pylist()
    ]
