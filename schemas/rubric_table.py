"""Rubrics as an Arrow table, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from schemas.columns import struct_lists
from schemas.record import table_schema
from schemas.rubric import Criterion, CriterionDrop, CriterionKind, Origin, Rubric, RubricDrop

CRITERIA = pa.list_(
    pa.struct(
        [
            pa.field("criterion_id", pa.string()),
            pa.field("text", pa.string()),
            pa.field("points", pa.int32()),
            pa.field("kind", pa.string()),
            pa.field("tags", pa.list_(pa.string())),
            pa.field("origin", pa.string()),
            pa.field("hit_rate", pa.float64()),
            pa.field("label_consistency", pa.float64()),
            pa.field("drop_reason", pa.string()),
        ]
    )
)

RUBRICS = table_schema(
    "rubrics",
    [
        pa.field("rubric_id", pa.string()),
        pa.field("query_id", pa.string()),
        pa.field("cluster", pa.string()),
        pa.field("case", pa.string()),
        pa.field("domain", pa.string()),
        pa.field("source", pa.string()),
        pa.field("license", pa.string()),
        pa.field("origin", pa.string()),
        pa.field("criteria", CRITERIA),
        pa.field("panel", pa.int32()),
        pa.field("label_consistency", pa.float64()),
        pa.field("trial", pa.string()),
        pa.field("rests_on", pa.list_(pa.string())),
        pa.field("drop_reason", pa.string()),
    ],
)
"""Criteria stand inside their rubric's row: a rubric is written whole or not at all."""


def rubrics_table(rubrics: Sequence[Rubric]) -> pa.Table:
    """Return the rubrics, in the order given, as a table of RUBRICS."""
    flat = [criterion for one in rubrics for criterion in one.criteria]
    criteria = struct_lists(
        CRITERIA,
        [len(one.criteria) for one in rubrics],
        [[getattr(criterion, field.name) for criterion in flat] for field in CRITERIA.value_type],
    )
    plain = {name: [getattr(one, name) for one in rubrics] for name in RUBRICS.names if name != "criteria"}
    return pa.table(
        [criteria if f.name == "criteria" else pa.array(plain[f.name], f.type) for f in RUBRICS], schema=RUBRICS
    )


def rubrics_of(table: pa.Table) -> list[Rubric]:
    """Return the records of a table of RUBRICS, in its order."""
    return [_rubric_of(row) for row in table.to_pylist()]


def _rubric_of(row: Mapping[str, Any]) -> Rubric:
    criteria = tuple(
        Criterion(
            **{
                **given,
                "kind": CriterionKind(given["kind"]),
                "tags": tuple(given["tags"] or ()),
                "drop_reason": CriterionDrop(given["drop_reason"]) if given["drop_reason"] else None,
            }
        )
        for given in row["criteria"]
    )
    reason = RubricDrop(row["drop_reason"]) if row["drop_reason"] else None
    read = {"criteria": criteria, "origin": Origin(row["origin"]), "drop_reason": reason}
    return Rubric(**{**row, **read, "rests_on": tuple(row["rests_on"] or ())})
