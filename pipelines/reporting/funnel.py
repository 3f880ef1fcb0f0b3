"""The funnel: how many rows of each source ended each stage in which outcome, from first to last."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from pipelines.synthesis.synthesis import QUESTIONS
from schemas.manifest import FunnelRow, Input
from schemas.preference import SETS
from schemas.training import GENERAL
from storage.stages import Stage
from storage.tables import read_frame

_COLUMNS = ("source", "split", "drop_reason")


def inputs_of(sources: Sequence[Stage], curated: Stage) -> list[Input]:
    """Return the manifest's inputs: each source's facts, with what curation kept and dropped of it.

    General rows, where the recipe mixes some in, are the last one.
    """
    sets = read_frame(curated.paths("sets"), SETS, _COLUMNS)
    rows = [(stage.facts, sets.filter(pl.col("source") == stage.facts["source"])) for stage in sources]
    if general := curated.facts.get("general"):
        rows.append((general, read_frame(curated.paths("general"), GENERAL, _COLUMNS)))
    return [
        Input(
            **{name: value for name, value in facts.items() if name in Input.model_fields},
            kept=frame["drop_reason"].null_count(),
            dropped=frame["drop_reason"].count(),
        )
        for facts, frame in rows
    ]


def funnel_of(
    inputs: Sequence[Input], sources: Sequence[Stage], curated: Stage, assembled: Sequence[Mapping[str, Any]]
) -> list[FunnelRow]:
    """Return the whole funnel, in the order that rows travel."""
    synthesis = {stage.facts["source"]: stage.facts.get("synthesis", {}).get("funnel", ()) for stage in sources}
    rows = [
        *(row for source in inputs for row in _read(source, synthesis.get(source.source, ()))),
        *(row for source in inputs for row in _synthesized(source, synthesis.get(source.source, ()))),
    ]
    decided = pl.concat(
        [
            read_frame(curated.paths("sets"), SETS, _COLUMNS),
            read_frame(curated.paths("general"), GENERAL, _COLUMNS),
        ]
    ).with_columns(
        stage=pl.when(pl.col("drop_reason").is_null()).then(pl.lit("kept")).otherwise(pl.lit("dropped")),
        outcome=pl.coalesce("drop_reason", "split"),
    )
    counts = decided.group_by("source", "stage", "outcome").len("rows").sort("source", "stage", "outcome")
    return [*rows, *(FunnelRow(**row) for row in (*counts.to_dicts(), *assembled))]


def _read(source: Input, synthesis: Sequence[Mapping[str, Any]]) -> Iterator[FunnelRow]:
    """Yield the rows read, which are questions where sets were made of some, and those that could not be read."""
    questions = _questions(synthesis)
    read = source.rows if questions is None else questions + source.unreadable
    yield FunnelRow(source=source.source, stage="read", outcome="rows", rows=read)
    for reason in source.unreadable_reasons:
        yield FunnelRow(source=source.source, stage="read", outcome=f"unreadable: {reason.reason}", rows=reason.rows)


def _synthesized(source: Input, synthesis: Sequence[Mapping[str, Any]]) -> Iterator[FunnelRow]:
    """Yield what became of a source's questions, at last the sets."""
    for step in synthesis:
        yield FunnelRow(source=source.source, stage="synthesis", **step)
    if _questions(synthesis) is not None:
        rows = source.rows - source.unreadable
        yield FunnelRow(source=source.source, stage="synthesis", outcome="sets", rows=rows)


def _questions(synthesis: Sequence[Mapping[str, Any]]) -> int | None:
    return synthesis[0]["rows"] if synthesis and synthesis[0]["outcome"] == QUESTIONS else None
