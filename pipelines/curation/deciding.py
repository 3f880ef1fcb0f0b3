"""What becomes of each set, as far as the sets of its own bucket and its query's split tell."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from pipelines.curation.contamination.comparing import Tier
from pipelines.curation.contamination.stage import hits_in
from pipelines.curation.splits import Splits
from pipelines.judging.prompt_length import fitted
from schemas.licenses import allowed_among
from schemas.preference import SETS, DropReason, Split, sets_of, sets_table
from schemas.recipe import BuildSection, DecontaminateSection, GrmSection, LeaksSection, SplitsSection
from schemas.training import GENERAL
from storage.stages import Stage
from storage.tables import BucketReader, bucket_ranges

_DECIDED_BY = ["set_id", "query_id", "cluster", "source", "source_id", "license", "best", "label", "drop_reason"]
_GENERAL_BY = ["query_id", "source", "source_id", "license", "drop_reason"]


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


class _Hits:
    """The hits of a source's rows, found by the numbers of the rows as these pass by."""

    def __init__(self, stage: Stage | None) -> None:
        self._hits = hits_in(stage).rename({"benchmark": "contaminated_by", "benchmark_row": "contaminated_row"})
        self._start = 0

    def next(self, rows: int) -> pl.DataFrame:
        """Return the hits of so many further rows, which are numbered from 0."""
        start, end = (self._hits["row"].search_sorted(row, "left") for row in (self._start, self._start + rows))
        found = self._hits[start:end].with_columns(pl.col("row") - self._start)
        self._start += rows
        return found


def decided_sets(
    rules: Rules, sources: Sequence[Stage], compared: Sequence[Stage | None], splits: Splits
) -> Iterator[tuple[pa.Table, pl.DataFrame]]:
    """Yield the sets of a range of buckets, and in the same order what is decided of each.

    That is `row`, its place in the table, and `number`, its place among all that were yielded; then its split, cluster,
    what it holds of a benchmark, and its drop_reason. All sources' equal sets stand in one table.
    """
    readers = [BucketReader(stage.paths("sets"), SETS) for stage in sources]
    hits = [_Hits(stage) for stage in compared]
    number = 0
    for buckets in bucket_ranges(sum(stage.rows("sets") for stage in sources)):
        tables = [reader.through(buckets[-1]) for reader in readers]
        frames, start = [hits_in(None).rename({"benchmark": "contaminated_by", "benchmark_row": "contaminated_row"})], 0
        for of_source, table in zip(hits, tables, strict=False):
            frames.append(of_source.next(table.num_rows).with_columns(pl.col("row") + start))
            start += table.num_rows
        if rules.grm.max_prompt_tokens is not None:
            tables = [sets_table([fitted(preference, rules.grm) for preference in sets_of(table)]) for table in tables]
        ranks = pl.Series([rank for rank, table in enumerate(tables) for _ in range(table.num_rows)], dtype=pl.Int64)
        table = pa.concat_tables([SETS.empty_table(), *tables])
        frame = splits.of(pl.DataFrame(table.select(_DECIDED_BY)).with_columns(source_rank=ranks))
        frame = _decided(frame, pl.concat(frames), rules)
        yield table, frame.with_columns(number=pl.col("row") + number)
        number += table.num_rows


def _decided(frame: pl.DataFrame, hits: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    frame = dropped(frame, _refused(frame["license"], rules.build.licenses), DropReason.LICENSE)
    # Before duplicates: a copy that leaves must not take an equal set along, which a benchmark may keep as its own.
    frame = _decontaminated(frame, hits, rules.decontaminate)
    return frame.with_columns(drop_reason=pl.coalesce("drop_reason", duplicate_reasons(frame)))


def decided_general(
    rules: Rules, general: Stage | None, compared: Stage | None, splits: Splits, benchmarks: Sequence[str]
) -> Iterator[tuple[pa.Table, pl.DataFrame]]:
    """Yield the general rows of a range of buckets, and what is decided of each, both sorted.

    What holds a benchmark's query is dropped, what is near to a test query or to a set that is contaminated itself, and
    repeats. `benchmarks` are the clusters of such sets.
    """
    if general is None:
        return
    reader, hits = BucketReader(general.paths("general"), GENERAL), _Hits(compared)
    for buckets in bucket_ranges(general.rows("general")):
        table = reader.through(buckets[-1])
        frame = pl.DataFrame(table.select(_GENERAL_BY)).with_columns(cluster=pl.lit(None, pl.String))
        frame = splits.of(frame)
        frame = dropped(frame, _refused(frame["license"], rules.build.licenses), DropReason.LICENSE)
        frame = _decontaminated(frame, hits.next(table.num_rows), rules.decontaminate)
        frame = frame.sort("query_id", "source", "source_id", "row")
        near_test = (pl.col("split") == Split.TEST.value) | pl.col("cluster").is_in(benchmarks)
        frame = dropped(frame, near_test, DropReason.CONTAMINATED)
        repeated = pl.col("query_id").is_first_distinct().not_().over(pl.col("drop_reason").is_null())
        frame = dropped(frame, repeated, DropReason.DUPLICATE)
        yield ordered(table, frame, ["split", "drop_reason"]), frame


def _decontaminated(frame: pl.DataFrame, hits: pl.DataFrame, section: DecontaminateSection) -> pl.DataFrame:
    """Return the frame with the place of each row, and what it holds of a benchmark; a test row only says so."""
    frame = frame.with_row_index("row").cast({"row": pl.Int64}).join(hits, on="row", how="left", maintain_order="left")
    leaves = (pl.col("tier") == Tier.DROP.value) & (pl.col("split") != Split.TEST.value)
    return dropped(frame, leaves, DropReason.CONTAMINATED) if section.over == "drop" else frame


def dropped(frame: pl.DataFrame, leaving: pl.Expr, reason: DropReason) -> pl.DataFrame:
    """Return the frame in which rows that leave have the reason, unless they have one."""
    return frame.with_columns(drop_reason=pl.coalesce("drop_reason", pl.when(leaving).then(pl.lit(reason.value))))


def _refused(licenses: pl.Series, allowed: Sequence[str] | None) -> pl.Expr:
    """Return whether the licence of a row is not among those that the recipe allows."""
    return pl.lit(False) if allowed is None else ~pl.col("license").is_in(allowed_among(licenses, allowed))


def ordered(table: pa.Table, frame: pl.DataFrame, columns: Sequence[str]) -> pa.Table:
    """Return the table's rows in the order of the frame, with the frame's columns in place of its own."""
    rows = table.take(frame["row"].to_arrow())
    for name in columns:
        position = table.schema.get_field_index(name)
        field = table.schema.field(position)
        rows = rows.set_column(position, field, frame[name].to_arrow().cast(field.type))
    return rows


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
