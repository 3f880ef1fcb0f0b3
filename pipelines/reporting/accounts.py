"""What a manifest counts: the rows of each source by where they ended, and what every model was asked and took."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.curation.contamination.counting import contamination_funnel
from pipelines.engines.asking import Product
from pipelines.judging.judging import Judged
from pipelines.rubrics.nearest import nearest_queries
from pipelines.synthesis.synthesis import QUESTIONS
from schemas.manifest import FunnelRow, Input, ModelUse
from schemas.preference import SETS
from schemas.recipe import Recipe
from schemas.record import bucket_of
from schemas.training import GENERAL
from storage.generations import Generations
from storage.root import Root
from storage.stages import Stage
from storage.tables import read_batches, read_table

_COLUMNS = ("source", "split", "drop_reason")
_ANSWERS = {
    "model": pl.String,
    "error": pl.String,
    "run_id": pl.String,
    "prompt_tokens": pl.Int64,
    "completion_tokens": pl.Int64,
    "cost_usd": pl.Float64,
}
"""The columns of answers about rubrics that are counted."""


def inputs_of(sources: Sequence[Stage], curated: Stage) -> list[Input]:
    """Return the manifest's inputs: each source's facts, with what curation kept and dropped of it.

    General rows, where the recipe mixes some in, are the last one.
    """
    sets = _ends(curated, "sets", SETS)
    rows = [(stage.facts, sets.filter(pl.col("source") == stage.facts["source"])) for stage in sources]
    if general := curated.facts.get("general"):
        rows.append((general, _ends(curated, "general", GENERAL)))
    return [
        Input(
            **{name: value for name, value in facts.items() if name in Input.model_fields},
            kept=int(ends.filter(pl.col("drop_reason").is_null())["rows"].sum()),
            dropped=int(ends.filter(pl.col("drop_reason").is_not_null())["rows"].sum()),
        )
        for facts, ends in rows
    ]


def drops_of(curated: Stage) -> dict[str, dict[str, int]]:
    """Return how many sets of each source were dropped for each reason, the commonest first."""
    drops = _ends(curated, "sets", SETS).drop_nulls("drop_reason").group_by("source", "drop_reason").agg(pl.sum("rows"))
    found: dict[str, dict[str, int]] = {}
    for source, reason, rows in drops.sort(["rows", "drop_reason"], descending=[True, False]).iter_rows():
        found.setdefault(source, {})[reason] = rows
    return found


def _ends(curated: Stage, table: str, schema: pa.Schema) -> pl.DataFrame:
    """Return how many rows of a table end where: source, split, drop_reason and rows."""
    ends = pl.DataFrame(schema=dict.fromkeys(_COLUMNS, pl.String) | {"rows": pl.Int64})
    for batch in read_batches(curated.paths(table), schema, _COLUMNS):
        more = pl.DataFrame(batch).with_columns(rows=pl.lit(1, pl.Int64))
        ends = pl.concat([ends, more]).group_by(_COLUMNS).agg(pl.col("rows").sum())
    return ends


def funnel_of(
    inputs: Sequence[Input], sources: Sequence[Stage], curated: Stage, assembled: Sequence[Mapping[str, Any]]
) -> list[FunnelRow]:
    """Return the whole funnel, in the order that rows travel."""
    synthesis = {stage.facts["source"]: _synthesis(stage).get("funnel", ()) for stage in sources}
    steps = [(source, synthesis.get(source.source, ())) for source in inputs]
    rows = [
        *(row for source, made in steps for row in _read(source, made)),
        *(row for source, made in steps for row in _synthesized(source, made)),
    ]
    decided = pl.concat([_ends(curated, "sets", SETS), _ends(curated, "general", GENERAL)]).with_columns(
        stage=pl.when(pl.col("drop_reason").is_null()).then(pl.lit("kept")).otherwise(pl.lit("dropped")),
        outcome=pl.coalesce("drop_reason", "split"),
    )
    counts = decided.group_by("source", "stage", "outcome").agg(pl.col("rows").sum())
    counts = counts.sort("source", "stage", "outcome")
    contaminated = contamination_funnel(curated.facts.get("contamination", {}))
    return [*rows, *(FunnelRow(**row) for row in (*counts.to_dicts(), *contaminated, *assembled))]


def _read(source: Input, synthesis: Sequence[Mapping[str, Any]]) -> Iterator[FunnelRow]:
    """Yield the rows read, which are questions where sets were made of some, and those that could not be read."""
    questions = _questions(synthesis)
    read = source.rows if questions is None else questions + source.unreadable
    yield FunnelRow(source=source.source, stage="read", outcome="rows", rows=read)
    for outcome, rows in source.passed_over.items():
        yield FunnelRow(source=source.source, stage="read", outcome=outcome, rows=rows)
    for reason in source.unreadable_reasons:
        yield FunnelRow(source=source.source, stage="read", outcome=f"unreadable: {reason.reason}", rows=reason.rows)


def _synthesized(source: Input, synthesis: Sequence[Mapping[str, Any]]) -> Iterator[FunnelRow]:
    """Yield what became of a source's questions, at last the sets."""
    yield from (FunnelRow(source=source.source, stage="synthesis", **step) for step in synthesis)
    if _questions(synthesis) is not None:
        yield FunnelRow(source=source.source, stage="synthesis", outcome="sets", rows=source.rows - source.unreadable)


def _questions(synthesis: Sequence[Mapping[str, Any]]) -> int | None:
    return synthesis[0]["rows"] if synthesis and synthesis[0]["outcome"] == QUESTIONS else None


def uses_of(
    recipe: Recipe, root: Root, sources: Sequence[Product], curated: Stage, judged: Sequence[Judged], run_id: str
) -> list[ModelUse]:
    """Return what was asked of every model to make the sets, their rubrics and the judgements."""
    made = [(source.bought, use) for source in sources for use in _synthesis(source.stage).get("uses", ())]
    return [
        *(ModelUse(**use, cached=max(0, use["requests"] - bought.get(use["role"], 0))) for bought, use in made),
        *_rubric_uses(recipe, root, curated, run_id),
        *map(_judged_use, judged),
    ]


def composition_of(sources: Sequence[Stage]) -> dict[str, Any]:
    """Return the check on how synthesised sets are made up, by source; nothing where none was synthesised."""
    made = {stage.facts["source"]: _synthesis(stage) for stage in sources}
    compositions = {source: facts["composition"] for source, facts in made.items() if "composition" in facts}
    return {"composition": compositions} if compositions else {}


def contamination_of(recipe: Recipe, root: Root, curated: Stage) -> dict[str, Any]:
    """Return the check on benchmarks in the rows."""
    if not (check := curated.facts.get("contamination")):
        return {}
    nearest = nearest_queries(recipe, root, curated)
    return {"contamination": check | ({"nearest": nearest} if nearest else {})}


def _synthesis(stage: Stage) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = stage.facts.get("synthesis", {})
    return facts


def _judged_use(judged: Judged) -> ModelUse:
    facts, job = judged.stage.facts, judged.job
    counts = {name: facts[name] for name in ("requests", "failed", "prompt_tokens", "completion_tokens", "cost_usd")}
    return ModelUse(role=job.role, engine=job.model.engine, model=job.model.name, cached=judged.cached, **counts)


def _rubric_uses(recipe: Recipe, root: Root, curated: Stage, run_id: str) -> list[ModelUse]:
    """Return what writing and trying rubrics took of each model, over all runs that asked about these questions.

    No stage counts it, since `grmforge rubrics build` asks for them. Nothing where no set's question has a rubric of
    its own. All but this run's answers are cached ones. The engine is that of the recipe's `[models.rubric]`; of a
    model that the recipe does not name, nobody knows it any more.
    """
    if not curated.rows("rubrics"):
        return []
    uses = (
        pl.DataFrame(list(_answers(root, curated)), orient="row", schema=_ANSWERS)
        .group_by("model")
        .agg(
            requests=pl.len(),
            cached=(pl.col("run_id") != run_id).sum(),
            failed=pl.col("error").is_not_null().sum(),
            prompt_tokens=pl.col("prompt_tokens").sum(),
            completion_tokens=pl.col("completion_tokens").sum(),
            cost_usd=pl.col("cost_usd").sum().round(6),
        )
    )
    model = recipe.models.rubric
    known = {model.model: (model.engine, model.name)} if model else {}
    rows = [(known.get(use["model"], ("unknown", use["model"])), use) for use in uses.sort("model").to_dicts()]
    return [ModelUse(**use | {"role": "rubric", "engine": engine, "model": name}) for (engine, name), use in rows]


def _answers(root: Root, curated: Stage) -> Iterator[tuple[Any, ...]]:
    """Yield a row of _ANSWERS for every answer about a rubric that was given to a question of these sets."""
    query_ids = pc.unique(read_table(curated.paths("sets"), SETS, ["query_id"]).column("query_id"))
    generations = Generations(root)
    columns = ["request", *(name for name in _ANSWERS if name != "model")]
    for bucket in sorted(set(map(bucket_of, query_ids.to_pylist()))):
        table = generations.answers([bucket], ["query_id", "role", *columns])
        is_about_them = pc.is_in(table.column("query_id"), value_set=query_ids)
        rows = table.filter(pc.and_(pc.equal(table.column("role"), "rubric"), is_about_them)).select(columns)
        for request, *counted in zip(*(column.to_pylist() for column in rows.columns), strict=True):
            yield orjson.loads(request)["model"], *counted
