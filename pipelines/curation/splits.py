"""Splits: which queries stand together, and in which of train, validation and test.

Equal and near-duplicate queries are one cluster (`clusters`). A query's own hash decides its split, its whole cluster
must agree, and official splits win. Texts pass by a range of buckets at a time; in memory are some 60 bytes a query.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.curation.clusters import Signatures, clusters
from schemas.preference import SETS, Split
from schemas.query import query_id, user
from schemas.question import STEMS
from schemas.recipe import SplitsSection
from schemas.record import unit_interval
from schemas.training import GENERAL
from storage.root import Root
from storage.stages import Stage
from storage.tables import BucketReader, bucket_ranges

BENCHMARK_TEST_SHARE = 0.1  # sources that are benchmarks always keep a test share
SPLIT = pl.Enum([split.value for split in Split])
_TRAIN, _VALIDATION, _TEST = (list(Split).index(split) for split in (Split.TRAIN, Split.VALIDATION, Split.TEST))


def key_of(column: str, start: int = 0) -> pl.Expr:
    """Return 64 bits of an id, as numbers that stand in the order of the ids: the first ones, or those from a digit."""
    digits = pl.col(column).str.slice(start, 16)
    return digits.str.decode("hex").bin.reinterpret(dtype=pl.UInt64, endianness="big")


@dataclass(frozen=True)
class Splits:
    """Where every query stands; ids are numbers (`key_of`)."""

    queries: pl.DataFrame
    """query, split and cluster (the first and the last half of its id) of each query, ascending."""
    own: pl.DataFrame
    """own (a number for a cluster that a source itself names) and split."""

    def of(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows with their split and their cluster.

        They are of a few neighbouring buckets, and have query_id and cluster: null where the source names none.
        """
        rows = rows.with_columns(query=key_of("query_id"), own=pl.col("cluster").hash())
        least, most = rows.select(pl.col("query").min().alias("least"), pl.col("query").max().alias("most")).row(0)
        start = self.queries["query"].search_sorted(least, "left") if rows.height else 0
        end = self.queries["query"].search_sorted(most, "right") if rows.height else 0
        found = rows.join(self.queries[start:end], on="query", how="left", maintain_order="left")
        found = found.join(self.own, on="own", how="left", maintain_order="left", suffix="_of_own")
        names = [
            None if first is None else f"{first:016x}{last:016x}"
            for first, last in found.select("cluster_first", "cluster_last").iter_rows()
        ]
        is_own = pl.col("cluster").is_not_null()
        return found.with_columns(
            cluster=pl.coalesce("cluster", pl.Series(names, dtype=pl.String)),
            split=pl.when(is_own).then("split_of_own").otherwise("split").cast(pl.String),
        ).drop("query", "own", "split_of_own", "cluster_first", "cluster_last")


def splits_of(sources: Sequence[Stage], general: Stage | None, shares: SplitsSection, root: Root) -> Splits:
    """Return the split of every query, those of general rows included: all by what they ask.

    Where a source knows a set's cluster, it stands in the query's place, and its split is the cluster's: such sets may
    share a query that says little of what they are about. General rows have no say in where a set stands: they go where
    their cluster's sets are, or else into train or validation, since nobody publishes a test set of them.
    """
    with Signatures(root) as signatures:
        asked = _asked(sources, general, signatures)
        _, order = np.unique(asked.texts["first"].to_numpy(), return_index=True)
        roots = clusters(signatures, order)
    ids = asked.texts[order]
    named = ids[roots].select(cluster_first="first", cluster_last="last")
    del order, roots
    near = pl.concat([ids.select(asks="first"), named.select(near="cluster_first")], how="horizontal")
    sets = asked.sets.join(near, on="asks", how="left").select(
        "near", "benchmark", "official", "hash", query=pl.coalesce("own", "asks"), cluster=pl.coalesce("own", "near")
    )
    splits = query_splits(sets, shares.test, shares.validation)
    if asked.general.height:
        split_of_near = sets.join(splits, on="query").select("near", official="split").unique()
        others = (
            asked.general.join(splits, on="query", how="anti")
            .join(near, left_on="query", right_on="asks")
            .join(split_of_near, on="near", how="left")
            .with_columns(benchmark=False, cluster="near")
        )
        splits = pl.concat([splits, query_splits(others, 0.0, shares.validation)])
    own = splits.join(asked.sets.select(query="own").drop_nulls().unique(), on="query", how="semi")
    del near, sets
    clusters_of = pl.concat([ids.select(asks="first"), named], how="horizontal")
    by_query = asked.queries.join(splits, left_on="asks", right_on="query").join(clusters_of, on="asks").drop("asks")
    return Splits(by_query.sort("query"), own.rename({"query": "own"}))


@dataclass(frozen=True)
class _Asked:
    """What all queries ask. `asks` is the id, as a query, of what is asked: forms of one question share it."""

    queries: pl.DataFrame
    """query and asks of each query."""
    texts: pl.DataFrame
    """first and last half of the id of each text that has a signature, in their order."""
    sets: pl.DataFrame
    """asks, own, benchmark, official and hash of each set, once for those that are alike."""
    general: pl.DataFrame
    """query and hash of what each general row asks."""


@dataclass(frozen=True)
class _Parts:
    """The same, a range of buckets after the other."""

    queries: list[pl.DataFrame] = field(default_factory=list)
    texts: list[pl.DataFrame] = field(default_factory=list)
    sets: list[pl.DataFrame] = field(default_factory=list)
    general: list[pl.DataFrame] = field(default_factory=list)


def _asked(sources: Sequence[Stage], general: Stage | None, signatures: Signatures) -> _Asked:
    """Return what all queries ask, with a signature of each text."""
    columns = ["query_id", "query", "cluster", "benchmark", "split"]
    of_sets = [BucketReader(stage.paths("sets"), SETS, columns) for stage in sources]
    of_stems = [BucketReader(stage.paths("stems"), STEMS) for stage in sources]
    of_general = BucketReader(general.paths("general") if general else [], GENERAL, ["query_id", "prompt"])
    rows = sum(stage.rows("sets") for stage in sources) + (general.rows("general") if general else 0)
    parts = _Parts()
    for buckets in bucket_ranges(rows):
        sets, stems = (
            pl.DataFrame(pa.concat_tables([reader.through(buckets[-1]) for reader in readers]))
            for readers in (of_sets, of_stems)
        )
        chat = pl.DataFrame(of_general.through(buckets[-1]))
        asks = _what_is_asked(sets, chat, stems)
        texts = asks.unique("asks").sort("asks")
        signatures.add(texts["text"].to_list())
        parts.texts.append(texts.select(first=key_of("asks"), last=key_of("asks", 16)))
        parts.queries.append(asks.select(query=key_of("query_id"), asks=key_of("asks")))
        asks = asks.select("query_id", "asks")
        parts.sets.append(_of_sets(sets.drop("query").join(asks, on="query_id")))
        others = chat.select("query_id").unique().join(asks, on="query_id").select("asks").unique()
        parts.general.append(others.select(query=key_of("asks"), hash=_hashes(others["asks"])))
    return _Asked(*(pl.concat(part) for part in (parts.queries, parts.texts, parts.sets, parts.general)))


def _what_is_asked(sets: pl.DataFrame, chat: pl.DataFrame, stems: pl.DataFrame) -> pl.DataFrame:
    """Return query_id, what each query asks (its stem, or else all it says), and the id of that as a query: `asks`.

    Forms of one question share `asks`, with each other and with the bare question.
    """
    texts = [
        frame.select("query_id", text=pl.col(column).list.eval(pl.element().struct.field("content")).list.join("\n"))
        for frame, column in ((sets, "query"), (chat, "prompt"))
    ]
    stem = stems.group_by("query_id").agg(pl.col("stem").min())
    ids = pl.Series("asks", [query_id(user(text)) for text in stem["stem"]], pl.String)
    return (
        pl.concat(texts)
        .unique("query_id")
        .join(stem.with_columns(ids), on="query_id", how="left")
        .select("query_id", asks=pl.coalesce("asks", "query_id"), text=pl.coalesce("stem", "text"))
    )


def _of_sets(sets: pl.DataFrame) -> pl.DataFrame:
    """Return asks, own, benchmark, official and hash of sets, once for those that are alike."""
    alike = sets.select(
        "asks", "cluster", "benchmark", official=pl.col("split").cast(SPLIT), stands_for=pl.coalesce("cluster", "asks")
    ).unique()
    hashes = _hashes(alike["stands_for"])
    return alike.select(
        key_of("asks").alias("asks"), pl.col("cluster").hash().alias("own"), "benchmark", "official", hashes
    ).with_columns(own=pl.when(alike["cluster"].is_not_null()).then("own"))


def _hashes(ids: pl.Series) -> pl.Series:
    return pl.Series("hash", [unit_interval("split", one) for one in ids], pl.Float64)


def query_splits(queries: pl.DataFrame, test: float, validation: float) -> pl.DataFrame:
    """Return query and split for every query.

    `queries` has query, cluster, benchmark (bool), official (train, validation, test or null) and hash, in [0, 1) and
    of nothing but the query; a row a query or more. A query's hash falls into the test range, the validation range, or
    neither. A cluster is test or validation only if every member's hash says so, so that growth only ever moves rows
    into train. Where a member has an official split, the whole cluster takes it; test before validation before train.
    Hashes do not depend on the recipe's seed, so that a test query stays one for good.
    """
    ids, query = np.unique(queries["query"].to_numpy(), return_inverse=True)
    names, cluster = np.unique(queries["cluster"].to_numpy(), return_inverse=True)
    cluster_of, hashes, is_benchmark = np.zeros(len(ids), np.int64), np.zeros(len(ids)), np.zeros(len(ids), np.bool_)
    cluster_of[query], hashes[query] = cluster, queries["hash"].to_numpy()
    is_benchmark[query[queries["benchmark"].to_numpy()]] = True
    tests = np.where(is_benchmark, max(test, BENCHMARK_TEST_SHARE), test)
    own = np.select([hashes < tests, hashes < tests + validation], [_TEST, _VALIDATION], _TRAIN).astype(np.uint8)
    least, most = np.full(len(names), len(SPLIT.categories), np.uint8), np.zeros(len(names), np.uint8)
    np.minimum.at(least, cluster_of, own)
    np.maximum.at(most, cluster_of, own)
    splits = np.where(least == most, least, _TRAIN)
    for code in (_TRAIN, _VALIDATION, _TEST):  # the last one to be set wins
        splits[cluster[(queries["official"] == SPLIT.categories[code]).fill_null(False).to_numpy()]] = code
    split = pl.Series(SPLIT.categories, dtype=SPLIT).gather(splits[cluster_of])
    return pl.DataFrame({"query": ids, "split": split}, schema_overrides={"query": queries.schema["query"]})
