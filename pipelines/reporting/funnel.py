"""The funnel: how many rows of each source ended each stage in which outcome, from first to last."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from pipelines.synthesis.synthesis import QUESTIONS
from schemas.manifest import FunnelRow, Input
from schemas.preference import SETS
from schemas.training import GENERAL
from storage.stages import Stage
from storage.tables import read_table


def inputs_of(sources: Sequence[Stage], curated: Stage) -> list[Input]:
    """Return the manifest's inputs: each source's facts, with what curation kept and dropped of it.

    General rows, where the recipe mixes some in, are the last one.
    """
    decided = _decided(curated)
    inputs = []
    for stage in sources:
        here = decided.filter(pl.col("source") == stage.facts["source"])
        kept = here.filter(pl.col("drop_reason").is_null()).height
        facts = {name: value for name, value in stage.facts.items() if name in Input.model_fields}
        inputs.append(Input(**facts, kept=kept, dropped=here.height - kept))
    if general := curated.facts.get("general"):
        rows = _decided_general(curated)
        kept = rows.filter(pl.col("drop_reason").is_null()).height
        inputs.append(Input(**general, kept=kept, dropped=rows.height - kept))
    return inputs


def funnel_of(
    inputs: Sequence[Input], sources: Sequence[Stage], curated: Stage, assembled: Sequence[Mapping[str, Any]]
) -> list[FunnelRow]:
    """Return the whole funnel, in the order that rows travel."""
    funnels = {stage.facts["source"]: stage.facts.get("synthesis", {}).get("funnel", ()) for stage in sources}
    asked = {
        source: steps[0]["rows"] for source, steps in funnels.items() if steps and steps[0]["outcome"] == QUESTIONS
    }
    rows: list[FunnelRow] = []
    for one in inputs:
        read = asked[one.source] + one.unreadable if one.source in asked else one.rows
        rows.append(FunnelRow(source=one.source, stage="read", outcome="rows", rows=read))
        rows += [
            FunnelRow(source=one.source, stage="read", outcome=f"unreadable: {reason.reason}", rows=reason.rows)
            for reason in one.unreadable_reasons
        ]
    for one in inputs:
        rows += [FunnelRow(source=one.source, stage="synthesis", **outcome) for outcome in funnels.get(one.source, ())]
        if one.source in asked:
            rows.append(FunnelRow(source=one.source, stage="synthesis", outcome="sets", rows=one.rows - one.unreadable))
    counts = (
        pl.concat([_decided(curated), _decided_general(curated)])
        .with_columns(
            stage=pl.when(pl.col("drop_reason").is_null()).then(pl.lit("kept")).otherwise(pl.lit("dropped")),
            outcome=pl.coalesce("drop_reason", "split"),
        )
        .group_by("source", "stage", "outcome")
        .len("rows")
        .sort("source", "stage", "outcome")
    )
    rows += [FunnelRow(**row) for row in counts.to_dicts()]
    rows += [FunnelRow(**row) for row in assembled]
    return rows


def _decided(curated: Stage) -> pl.DataFrame:
    return _columns(curated, "sets", SETS)


def _decided_general(curated: Stage) -> pl.DataFrame:
    return _columns(curated, "general", GENERAL)


def _columns(curated: Stage, table: str, schema: pa.Schema) -> pl.DataFrame:
    frame = pl.from_arrow(read_table(curated.paths(table), schema, ["source", "split", "drop_reason"]))
    assert isinstance(frame, pl.DataFrame)
    return frame
