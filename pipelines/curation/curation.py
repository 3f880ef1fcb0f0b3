"""The curation stage: the sets of all sources become one table, each kept once and in one split, or dropped by name."""

from collections.abc import Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from pipelines.curation.clusters import clusters
from pipelines.curation.duplicates import duplicate_reasons
from pipelines.curation.leak_downsampling import leaky_rows
from pipelines.curation.splits import query_splits
from pipelines.judging.prompt_length import fitted
from schemas.errors import RecipeError
from schemas.licenses import allowed_among
from schemas.preference import SETS, DropReason, Split, sets_of, sets_table
from schemas.query import query_id, user
from schemas.question import STEMS
from schemas.recipe import GrmSection, Recipe
from schemas.record import content_id
from schemas.training import GENERAL
from storage.root import Root
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tables import read_table

STAGE_VERSION = 1


def curate(recipe: Recipe, root: Root, sources: Sequence[Stage], general: Stage | None) -> Stage:
    """Return the stage with the tables `sets` (every readable set, dropped ones with their reason) and `general`.

    Both are sorted by (query_id, set_id, source, source_id). `sources` stand in the recipe's order: of equal sets the
    first source's is kept.
    """
    bounded = recipe.grm.max_prompt_tokens is not None
    settings = {
        "licenses": recipe.build.license_keys,
        "splits": recipe.splits.model_dump(),
        "prompt": recipe.grm.model_dump(include={"max_prompt_tokens", "shown", "reference"}) if bounded else None,
        "max_share": [source.max_share for source in recipe.sources],
        "leaks": [recipe.leaks.threshold, recipe.grm.shown] if recipe.leaks.over == "downsample" else None,
    }
    inputs = [stage.content for stage in (*sources, *([general] if general else []))]
    key = stage_key("curated", STAGE_VERSION, settings, inputs)
    if found := find_stage(root, key):
        return found

    tables = [_fitted(read_table(stage.paths("sets"), SETS), recipe.grm) for stage in sources]
    ranks = [rank for rank, table in enumerate(tables) for _ in range(table.num_rows)]
    sets = pa.concat_tables([SETS.empty_table(), *tables])
    chat = read_table(general.paths("general") if general else [], GENERAL)
    stems = pa.concat_tables([STEMS.empty_table(), *(read_table(stage.paths("stems"), STEMS) for stage in sources)])
    splits = _splits(sets, chat, stems, recipe)
    sets, leaks = _decided(sets, ranks, splits, recipe)
    chat = _decontaminated(chat, sets, splits, recipe.build.licenses)
    with TableWriter(root, key, "sets", SETS) as set_writer, TableWriter(root, key, "general", GENERAL) as chat_writer:
        set_writer.write(sets)
        chat_writer.write(chat)
    facts: dict[str, Any] = {"general": general.facts} if general else {}
    if leaks:
        facts["leaks"] = leaks
    files = {"sets": set_writer.files, "general": chat_writer.files}
    return finish_stage(root, key, files, facts, [*sources, *([general] if general else [])])


def _fitted(table: pa.Table, grm: GrmSection) -> pa.Table:
    """Return the table with its sets fitted to the judge's prompt, where the recipe bounds it."""
    if grm.max_prompt_tokens is None:
        return table
    return sets_table([fitted(preference, grm) for preference in sets_of(table)])


def _frame(table: pa.Table, columns: Sequence[str]) -> pl.DataFrame:
    frame = pl.from_arrow(table.select(list(columns)))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _query_texts(table: pa.Table, column: str) -> pl.DataFrame:
    """Return query_id and all that each query of the table says."""
    return _frame(table, ["query_id", column]).select(
        "query_id", text=pl.col(column).list.eval(pl.element().struct.field("content")).list.join("\n")
    )


def _asked(sets: pa.Table, chat: pa.Table, stems: pa.Table) -> pl.DataFrame:
    """Return query_id, what each query asks (its stem, or else all it says), and the id of that as a query: `asked`.

    Forms of one question share `asked`, with each other and with the bare question.
    """
    said = pl.concat([_query_texts(sets, "query"), _query_texts(chat, "prompt")]).unique("query_id")
    stem = _frame(stems, ["query_id", "stem"]).group_by("query_id").agg(pl.col("stem").min())
    ids = pl.Series("asked", [query_id(user(text)) for text in stem["stem"]], pl.String)
    return said.join(stem.with_columns(ids), on="query_id", how="left").select(
        "query_id", asked=pl.coalesce("asked", "query_id"), text=pl.coalesce("stem", "text")
    )


def _splits(sets: pa.Table, chat: pa.Table, stems: pa.Table, recipe: Recipe) -> pl.DataFrame:
    """Return query_id, cluster and split of every query, those of general rows included: all by what they ask.

    Where a source knows a set's cluster, it stands in the query's place, and its split is the cluster's: such sets may
    share a query that says little of what they are about. General rows have no say in where a set stands: they go where
    their cluster's sets are, or else into train or validation, since nobody publishes a test set of them.
    """
    asked = _asked(sets, chat, stems)
    texts = asked.unique("asked").sort("asked")
    cluster_of = clusters(texts["asked"].to_list(), texts["text"].to_list())
    joined = pl.DataFrame({"query_id": list(cluster_of), "cluster": list(cluster_of.values())})
    asked = asked.select("query_id", "asked")
    queries = _by_asked(_frame(sets, ["query_id", "cluster", "benchmark", "split"]), asked)
    queries = queries.rename({"cluster": "own", "split": "official"}).join(joined, on="query_id")
    queries = queries.with_columns(
        query_id=pl.coalesce("own", "query_id"), cluster=pl.coalesce("own", "cluster"), near="cluster"
    )
    splits = query_splits(queries, recipe.splits.test, recipe.splits.validation)
    splits = splits.join(queries.select("query_id", "cluster").unique(), on="query_id").sort("query_id")
    cluster_split = queries.join(splits, on="query_id").select(cluster="near", official="split").unique()
    others = (
        _by_asked(_frame(chat, ["query_id"]), asked)
        .join(splits, on="query_id", how="anti")
        .join(joined, on="query_id")
        .join(cluster_split, on="cluster", how="left")
        .with_columns(benchmark=False)
    )
    splits = pl.concat([splits, query_splits(others, 0.0, recipe.splits.validation).join(joined, on="query_id")])
    by_query = asked.join(splits.rename({"query_id": "asked"}), on="asked").drop("asked")
    return pl.concat([by_query, splits.join(queries.select(query_id="own").unique(), on="query_id", how="semi")])


def _by_asked(frame: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with each query_id replaced by the id of what it asks."""
    return frame.join(asked, on="query_id").drop("query_id").rename({"asked": "query_id"})


def _decided(
    sets: pa.Table, ranks: list[int], splits: pl.DataFrame, recipe: Recipe
) -> tuple[pa.Table, list[dict[str, Any]]]:
    """Return the sets, sorted, with cluster, split and drop_reason; and what downsampling did to sources that leak."""
    columns = ["set_id", "query_id", "cluster", "source", "source_id", "license", "best", "label", "drop_reason"]
    frame = _frame(sets, columns).with_columns(pl.Series("source_rank", ranks, pl.Int64)).with_row_index("row")
    if recipe.build.licenses is not None:
        refused = ~pl.col("license").is_in(allowed_among(frame["license"], recipe.build.licenses))
        frame = frame.with_columns(drop_reason=_first_reason(pl.when(refused).then(pl.lit(DropReason.LICENSE.value))))
    frame = frame.with_columns(drop_reason=_first_reason(duplicate_reasons(frame)))
    frame = frame.with_columns(unit=pl.coalesce("cluster", "query_id")).drop("cluster")
    frame = frame.join(splits, left_on="unit", right_on="query_id", how="left", maintain_order="left")
    leaks: list[dict[str, Any]] = []
    if recipe.leaks.over == "downsample":
        leaving, leaks = leaky_rows(sets, frame, recipe.grm.shown, recipe.leaks.threshold)
        leaky = pl.when(pl.col("row").is_in(leaving)).then(pl.lit(DropReason.LEAKY.value))
        frame = frame.with_columns(drop_reason=_first_reason(leaky))
    frame = frame.with_columns(drop_reason=_first_reason(_share_reasons(frame, recipe)))
    frame = frame.sort("query_id", "set_id", "source", "source_id", "row")
    ordered = sets.take(frame["row"].to_arrow())
    for name in ("cluster", "split", "drop_reason"):
        position = SETS.get_field_index(name)
        ordered = ordered.set_column(position, SETS.field(position), frame[name].to_arrow().cast(pa.string()))
    return ordered, leaks


def _first_reason(further: pl.Expr | pl.Series) -> pl.Expr:
    """Return the drop_reason that stands, or the further one where there is none."""
    return pl.coalesce(pl.col("drop_reason"), further)


def _share_reasons(sets: pl.DataFrame, recipe: Recipe) -> pl.Series:
    """Return `max_share` for the sets beyond their source's share of all kept sets, chosen by hash, and null else."""
    shares = [source.max_share for source in recipe.sources]
    kept = sets.filter(pl.col("drop_reason").is_null())
    counts = [kept.filter(pl.col("source_rank") == rank).height for rank in range(len(shares))]
    allowed = allowed_rows(counts, shares)
    surplus: set[int] = set()
    for rank, limit in enumerate(allowed):
        if limit < counts[rank]:
            rows = kept.filter(pl.col("source_rank") == rank).select("row", "set_id").rows()
            rows.sort(key=lambda pair: content_id("share", pair[1]))
            surplus.update(row for row, _ in rows[limit:])
    reason = DropReason.MAX_SHARE.value
    return pl.Series("reason", [reason if row in surplus else None for row in sets["row"]], pl.String)


def allowed_rows(counts: Sequence[int], shares: Sequence[float]) -> list[int]:
    """Return how many rows each source may keep so that none exceeds its share of what is kept in all.

    Raises RecipeError when only capped sources are left and their shares do not add up to a whole.
    """
    limits = _rows_by_share(counts, shares)
    # Rounding down one source makes the whole smaller, and may put another one a row above its share of it.
    while over := [rank for rank, rows in enumerate(limits) if rows > shares[rank] * sum(limits) + 1e-9]:
        for rank in over:
            limits[rank] -= 1
    return limits


def _rows_by_share(counts: Sequence[int], shares: Sequence[float]) -> list[int]:
    capped: set[int] = set()
    while True:
        free = sum(count for rank, count in enumerate(counts) if rank not in capped)
        room = 1 - sum(shares[rank] for rank in capped)
        if capped and (room <= 0 or free == 0):
            raise RecipeError("sources: max_share of all sources together must leave room for one without it")
        total = free / room
        over = {rank for rank, count in enumerate(counts) if rank not in capped and count > shares[rank] * total + 1e-9}
        if not over:
            return [int(shares[rank] * total + 1e-9) if rank in capped else count for rank, count in enumerate(counts)]
        capped |= over


def _decontaminated(chat: pa.Table, sets: pa.Table, splits: pl.DataFrame, licenses: Sequence[str] | None) -> pa.Table:
    """Return the general rows, sorted, with their split; repeats, and what is near to a test query, are dropped.

    So is what is near to a set that is contaminated itself.
    """
    frame = _frame(chat, ["query_id", "source", "source_id", "license", "drop_reason"]).with_row_index("row")
    frame = frame.join(splits, on="query_id", how="left").sort("query_id", "source", "source_id", "row")
    benchmarks = _frame(sets, ["cluster", "drop_reason"]).filter(drop_reason=DropReason.CONTAMINATED.value)["cluster"]
    contaminated = (pl.col("split") == Split.TEST.value) | pl.col("cluster").is_in(benchmarks.unique().to_list())
    refused = pl.lit(False) if licenses is None else ~pl.col("license").is_in(allowed_among(frame["license"], licenses))
    frame = frame.with_columns(
        drop_reason=_first_reason(
            pl.when(refused)
            .then(pl.lit(DropReason.LICENSE.value))
            .when(contaminated)
            .then(pl.lit(DropReason.CONTAMINATED.value))
        )
    )
    repeated = pl.col("query_id").is_first_distinct().not_().over(pl.col("drop_reason").is_null())
    frame = frame.with_columns(drop_reason=_first_reason(pl.when(repeated).then(pl.lit(DropReason.DUPLICATE.value))))
    ordered = chat.take(frame["row"].to_arrow())
    for name in ("split", "drop_reason"):
        position = GENERAL.get_field_index(name)
        ordered = ordered.set_column(position, GENERAL.field(position), frame[name].to_arrow().cast(pa.string()))
    return ordered
