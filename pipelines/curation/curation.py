"""The curation stage: the sets of all sources become one table, each kept once and in one split, or dropped by name.

A set that its source dropped stays dropped. Of the others leave, in this order: those of a licence that the recipe does
not allow, those that hold a benchmark's query (`contamination`), duplicates and contradictions, sets of a source that
leaks (`leak_downsampling`), and what is beyond a source's share. General rows leave for their licence, for holding a
benchmark's query, for being near to a test query, and as repeats.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import polars as pl
import pyarrow as pa

from pipelines.curation.contamination.comparing import Tier
from pipelines.curation.contamination.counting import contamination_check
from pipelines.curation.contamination.stage import Comparison, hits_in
from pipelines.curation.leak_downsampling import leaky_rows
from pipelines.curation.splits import splits_of
from pipelines.judging.prompt_length import fitted
from pipelines.sources.registry import SOURCES
from schemas.errors import RecipeError
from schemas.licenses import allowed_among, license_key, near
from schemas.preference import CONTAMINATION, SETS, DropReason, Split, sets_of, sets_table
from schemas.question import STEMS
from schemas.recipe import BuildSection, DecontaminateSection, GrmSection, LeaksSection, Recipe, SplitsSection
from schemas.record import content_id
from schemas.training import GENERAL
from storage.root import Root
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tables import read_frame, read_table

STAGE_VERSION = 2


@dataclass(frozen=True, slots=True)
class Rules:
    """What a recipe says of which sets stay."""

    build: BuildSection
    splits: SplitsSection
    leaks: LeaksSection
    grm: GrmSection
    decontaminate: DecontaminateSection
    max_shares: tuple[float, ...]
    """Of each source, in the recipe's order."""
    own: tuple[tuple[str, str], ...]
    """Of each source: its name, and the signature of its own rows where it is a benchmark, or else nothing."""


def rules_of(recipe: Recipe) -> Rules:
    """Return the part of a recipe that curation reads."""
    shares = tuple(source.max_share for source in recipe.sources)
    own = tuple((source.source, SOURCES[source.kind].signature) for source in recipe.sources)
    return Rules(recipe.build, recipe.splits, recipe.leaks, recipe.grm, recipe.decontaminate, shares, own)


def curate(rules: Rules, root: Root, sources: Sequence[Stage], general: Stage | None) -> Stage:
    """Return the stage with the tables `sets` (every readable set, dropped ones with their reason) and `general`.

    Both are sorted by (query_id, set_id, source, source_id). `sources` stand in the recipe's order: of equal sets the
    first source's is kept.
    """
    comparison = Comparison(rules.decontaminate, root)
    compared = [comparison.stage(source, own) for source, (_, own) in zip(sources, rules.own, strict=False)]
    compared_general = comparison.stage(general) if general else None
    hits = [stage for stage in (*compared, compared_general) if stage is not None]
    inputs = [*sources, *([general] if general else []), *hits]
    settings = _settings(rules, comparison)
    key = stage_key("curated", STAGE_VERSION, settings, [stage.content for stage in inputs])
    if found := find_stage(root, key):
        return found

    benchmarks = comparison.described
    del comparison  # with the index, which is large
    tables = [read_table(stage.paths("sets"), SETS) for stage in sources]
    if rules.grm.max_prompt_tokens is not None:
        tables = [sets_table([fitted(preference, rules.grm) for preference in sets_of(table)]) for table in tables]
    ranks = [rank for rank, table in enumerate(tables) for _ in range(table.num_rows)]
    sets = pa.concat_tables([SETS.empty_table(), *tables])
    chat = read_table(general.paths("general") if general else [], GENERAL)
    stems = pa.concat_tables([STEMS.empty_table(), *(read_table(stage.paths("stems"), STEMS) for stage in sources)])
    splits = splits_of(sets, chat, stems, rules.splits)
    sets, leaky = _decided(sets, ranks, splits, _hits(compared, tables), rules)
    chat, chat_hits = _decided_general(chat, sets, splits, hits_in(compared_general), rules)
    with TableWriter(root, key, "sets", SETS) as set_writer, TableWriter(root, key, "general", GENERAL) as chat_writer:
        set_writer.write(sets)
        chat_writer.write(chat)
    facts: dict[str, Any] = {"general": general.facts} if general else {}
    if leaky:
        facts["leaks"] = leaky
    own = {source: name for source, name in rules.own if name}
    facts["contamination"] = contamination_check(rules.decontaminate, benchmarks, own, sets, chat_hits)
    return finish_stage(root, key, {"sets": set_writer.files, "general": chat_writer.files}, facts, inputs)


def _settings(rules: Rules, comparison: Comparison) -> dict[str, Any]:
    """Return what the curated sets depend on, apart from their sources."""
    grm, leaks = rules.grm, rules.leaks
    bounded = grm.max_prompt_tokens is not None
    return {
        "licenses": rules.build.license_keys,
        "splits": rules.splits.model_dump(),
        "prompt": grm.model_dump(include={"max_prompt_tokens", "shown", "reference"}) if bounded else None,
        "max_share": list(rules.max_shares),
        "leaks": [leaks.threshold, grm.shown] if leaks.over == "downsample" else None,
        "decontaminate": [rules.decontaminate.over, *comparison.settings],
    }


def _hits(compared: Sequence[Stage | None], tables: Sequence[pa.Table]) -> pl.DataFrame:
    """Return the hits of all sources, by the number of the row among all sets."""
    starts = accumulate((table.num_rows for table in tables), initial=0)
    frames = [
        hits_in(stage).with_columns(pl.col("row") + start) for stage, start in zip(compared, starts, strict=False)
    ]
    return pl.concat([hits_in(None), *frames])


def _decided(
    sets: pa.Table, ranks: list[int], splits: pl.DataFrame, hits: pl.DataFrame, rules: Rules
) -> tuple[pa.Table, list[dict[str, Any]]]:
    """Return the sets, sorted, with what was decided of each; and what downsampling did to sources that leak."""
    columns = ["set_id", "query_id", "cluster", "source", "source_id", "license", "best", "label", "drop_reason"]
    frame = pl.DataFrame(sets.select(columns)).with_columns(source_rank=pl.Series(ranks, dtype=pl.Int64))
    frame = frame.with_columns(unit=pl.coalesce("cluster", "query_id")).drop("cluster")
    frame = frame.join(splits, left_on="unit", right_on="query_id", how="left", maintain_order="left")
    frame = _dropped(frame, _refused(frame["license"], rules.build.licenses), DropReason.LICENSE)
    # Before duplicates: a copy that leaves must not take an equal set along, which a benchmark may keep as its own.
    frame = _decontaminated(frame, hits, rules.decontaminate)
    frame = frame.with_columns(drop_reason=pl.coalesce("drop_reason", duplicate_reasons(frame)))
    leaks: list[dict[str, Any]] = []
    if rules.leaks.over == "downsample":
        leaving, leaks = leaky_rows(sets, frame, rules.grm.shown, rules.leaks.threshold)
        frame = _dropped(frame, pl.col("row").is_in(leaving), DropReason.LEAKY)
    frame = _dropped(frame, pl.col("row").is_in(_surplus_rows(frame, rules.max_shares)), DropReason.MAX_SHARE)
    frame = frame.sort("query_id", "set_id", "source", "source_id", "row")
    return _ordered(sets, frame, ["cluster", "split", "drop_reason", *CONTAMINATION]), leaks


def _decontaminated(frame: pl.DataFrame, hits: pl.DataFrame, section: DecontaminateSection) -> pl.DataFrame:
    """Return the frame with the number of each row, and what it holds of a benchmark; a test row only says so."""
    found = hits.rename({"benchmark": "contaminated_by", "benchmark_row": "contaminated_row"})
    frame = frame.with_row_index("row").cast({"row": pl.Int64}).join(found, on="row", how="left", maintain_order="left")
    leaves = (pl.col("tier") == Tier.DROP.value) & (pl.col("split") != Split.TEST.value)
    return _dropped(frame, leaves, DropReason.CONTAMINATED) if section.over == "drop" else frame


def _dropped(frame: pl.DataFrame, leaving: pl.Expr, reason: DropReason) -> pl.DataFrame:
    """Return the frame in which rows that leave have the reason, unless they have one."""
    return frame.with_columns(drop_reason=pl.coalesce("drop_reason", pl.when(leaving).then(pl.lit(reason.value))))


def _refused(licenses: pl.Series, allowed: Sequence[str] | None) -> pl.Expr:
    """Return whether the licence of a row is not among those that the recipe allows."""
    return pl.lit(False) if allowed is None else ~pl.col("license").is_in(allowed_among(licenses, allowed))


def _ordered(table: pa.Table, frame: pl.DataFrame, columns: Sequence[str]) -> pa.Table:
    """Return the table's rows in the order of the frame, with the frame's columns in place of its own."""
    ordered = table.take(frame["row"].to_arrow())
    for name in columns:
        position = table.schema.get_field_index(name)
        field = table.schema.field(position)
        ordered = ordered.set_column(position, field, frame[name].to_arrow().cast(field.type))
    return ordered


def duplicate_reasons(sets: pl.DataFrame) -> pl.Series:
    """Return, for each row, `duplicate`, `label_conflict` or null.

    `sets` has row (a number of its own for each), set_id, source_rank (order of the sources in the recipe), source_id,
    best, label and drop_reason; rows that have a drop_reason take no part. Since a set_id does not cover rewards, and
    responses stand in the order of their content, equal sets have comparable `best` whatever order their sources had.
    """
    verdict = pl.struct("best", "label").n_unique().over("set_id")
    rank = pl.struct("source_rank", "source_id", "row").rank("ordinal").over("set_id")
    kept = sets.filter(pl.col("drop_reason").is_null()).with_columns(
        reason=pl.when(verdict > 1)
        .then(pl.lit(DropReason.LABEL_CONFLICT.value))
        .when(rank > 1)
        .then(pl.lit(DropReason.DUPLICATE.value))
    )
    return sets.join(kept.select("row", "reason"), on="row", how="left", maintain_order="left")["reason"]


def _surplus_rows(sets: pl.DataFrame, shares: Sequence[float]) -> list[int]:
    """Return the rows beyond their source's share of all kept sets, chosen by hash."""
    kept = sets.filter(pl.col("drop_reason").is_null())
    of_source = [kept.filter(source_rank=rank).select("row", "set_id").rows() for rank in range(len(shares))]
    surplus: list[int] = []
    for rows, limit in zip(of_source, allowed_rows([len(rows) for rows in of_source], shares), strict=True):
        if limit < len(rows):
            rows.sort(key=lambda pair: content_id("share", pair[1]))
            surplus += (row for row, _ in rows[limit:])
    return surplus


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


def _decided_general(
    chat: pa.Table, sets: pa.Table, splits: pl.DataFrame, hits: pl.DataFrame, rules: Rules
) -> tuple[pa.Table, pl.DataFrame]:
    """Return the general rows, sorted, with their split, and of each what it holds of a benchmark, and its drop_reason.

    What holds a benchmark's query is dropped, what is near to a test query or to a set that is contaminated itself, and
    repeats.
    """
    frame = pl.DataFrame(chat.select(["query_id", "source", "source_id", "license", "drop_reason"]))
    frame = frame.join(splits, on="query_id", how="left", maintain_order="left")
    frame = _dropped(frame, _refused(frame["license"], rules.build.licenses), DropReason.LICENSE)
    frame = _decontaminated(frame, hits, rules.decontaminate)
    frame = frame.sort("query_id", "source", "source_id", "row")
    dropped_sets = pl.DataFrame(sets.select(["cluster", "drop_reason"]))
    benchmarks = dropped_sets.filter(drop_reason=DropReason.CONTAMINATED.value)["cluster"].unique().to_list()
    near_test = (pl.col("split") == Split.TEST.value) | pl.col("cluster").is_in(benchmarks)
    frame = _dropped(frame, near_test, DropReason.CONTAMINATED)
    repeated = pl.col("query_id").is_first_distinct().not_().over(pl.col("drop_reason").is_null())
    frame = _dropped(frame, repeated, DropReason.DUPLICATE)
    return _ordered(chat, frame, ["split", "drop_reason"]), frame


def license_warnings(allowed: Sequence[str] | None, curated: Stage) -> list[str]:
    """Return a line for every allowed licence that no row has though one has a name much like it.

    Raises RecipeError where not one set is left because of its licence: the list names what is not there.
    """
    if allowed is None:
        return []
    columns = ["license", "drop_reason"]
    sets = read_frame(curated.paths("sets"), SETS, columns)
    rows = pl.concat([sets, read_frame(curated.paths("general"), GENERAL, columns)])
    refused = rows.filter(drop_reason=DropReason.LICENSE.value)["license"].value_counts().sort("license")
    counts = dict(refused.iter_rows())
    lost = sets.filter(drop_reason=DropReason.LICENSE.value).height
    if 2 * lost >= sets.height > 0 and not sets["drop_reason"].null_count():
        raise RecipeError(
            f"build.licenses: no set is left; allowed are {', '.join(allowed)}, and the rows have "
            + ", ".join(f"{name} ({count:,})" for name, count in counts.items())
        )
    keys = {license_key(name) for name in rows["license"].unique()}
    meant = {name: near(name, counts) for name in allowed if license_key(name) not in keys}
    return [
        f"build.licenses: no row has {name!r}; {counts[found]:,} rows with {found!r} were left out: was that meant?"
        for name, found in meant.items()
        if found is not None
    ]
