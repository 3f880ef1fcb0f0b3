"""What the rubrics of a snapshot's questions took: no stage counts it, since `grmforge rubrics build` asks for them."""

from collections.abc import Iterator
from typing import Any

import orjson
import polars as pl
import pyarrow.compute as pc

from schemas.manifest import ModelUse
from schemas.preference import SETS
from schemas.recipe import Recipe
from schemas.record import bucket_of
from storage.generations import Generations
from storage.root import Root
from storage.stages import Stage
from storage.tables import read_table

_ROLE = "rubric"
_COUNTED = ("error", "run_id", "prompt_tokens", "completion_tokens", "cost_usd")
_SCHEMA = {
    "model": pl.String,
    "error": pl.String,
    "run_id": pl.String,
    "prompt_tokens": pl.Int64,
    "completion_tokens": pl.Int64,
    "cost_usd": pl.Float64,
}


def rubric_uses(recipe: Recipe, root: Root, curated: Stage, run_id: str) -> list[ModelUse]:
    """Return what writing and trying rubrics took of each model, over all runs that asked about these questions.

    Nothing where no set's question has a rubric of its own. All but this run's answers are cached ones. The engine is
    that of the recipe's `[models.rubric]`; of a model that the recipe does not name, nobody knows it any more.
    """
    if not curated.rows("rubrics"):
        return []
    answers = pl.DataFrame(list(_answers(root, curated)), orient="row", schema=_SCHEMA)
    uses = answers.group_by("model").agg(
        requests=pl.len(),
        cached=(pl.col("run_id") != run_id).sum(),
        failed=pl.col("error").is_not_null().sum(),
        prompt_tokens=pl.col("prompt_tokens").sum(),
        completion_tokens=pl.col("completion_tokens").sum(),
        cost_usd=pl.col("cost_usd").sum().round(6),
    )
    model = recipe.models.rubric
    engines = {model.model: model.engine} if model else {}
    names = {model.model: model.name} if model else {}
    return [
        ModelUse(role=_ROLE, engine=engines.get(sent, "unknown"), model=names.get(sent, sent), **figures)
        for sent, figures in ((row.pop("model"), row) for row in uses.sort("model").to_dicts())
    ]


def _answers(root: Root, curated: Stage) -> Iterator[tuple[Any, ...]]:
    """Yield a row of _SCHEMA for every answer about a rubric that was given to a question of these sets."""
    query_ids = pc.unique(read_table(curated.paths("sets"), SETS, ["query_id"]).column("query_id"))
    generations = Generations(root)
    for bucket in sorted(set(map(bucket_of, query_ids.to_pylist()))):
        table = generations.answers([bucket], ["query_id", "role", "request", *_COUNTED])
        of_rubrics = pc.and_(
            pc.equal(table.column("role"), _ROLE), pc.is_in(table.column("query_id"), value_set=query_ids)
        )
        rows = table.filter(of_rubrics).select(["request", *_COUNTED])
        for request, *counted in zip(*(column.to_pylist() for column in rows.columns), strict=True):
            yield orjson.loads(request)["model"], *counted
