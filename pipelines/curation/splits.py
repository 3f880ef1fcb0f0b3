"""Splits: a query's own hash decides, its whole cluster must agree, and official splits win."""

import polars as pl

from schemas.preference import Split
from schemas.record import unit_interval

BENCHMARK_TEST_SHARE = 0.1
"""Sources that are benchmarks always keep a test share."""


def query_splits(queries: pl.DataFrame, test: float, validation: float) -> pl.DataFrame:
    """Return query_id and split for every query.

    `queries` has query_id, cluster, benchmark (bool) and official (train, validation, test or null), a row a query or
    more. A query's hash falls into the test range, the validation range, or neither. A cluster is test or validation
    only if every member's hash says so, so that growth only ever moves rows into train. Where a member has an official
    split, the whole cluster takes it; test before validation before train. Hashes depend on nothing but the query: not
    on the recipe's seed, so that a test query stays one for good.
    """
    members = queries.group_by("query_id").agg(
        pl.col("cluster").first(),
        pl.col("benchmark").any(),
        *((pl.col("official") == split.value).any().alias(f"official_{split.value}") for split in Split),
    )
    hashes = pl.Series("hash", [unit_interval("split", query_id) for query_id in members["query_id"]], pl.Float64)
    test_share = pl.when("benchmark").then(max(test, BENCHMARK_TEST_SHARE)).otherwise(test)
    members = members.with_columns(hashes).with_columns(
        own=pl.when(pl.col("hash") < test_share)
        .then(pl.lit(Split.TEST.value))
        .when(pl.col("hash") < test_share + validation)
        .then(pl.lit(Split.VALIDATION.value))
        .otherwise(pl.lit(Split.TRAIN.value))
    )
    agreed = pl.col("own").n_unique().over("cluster") == 1
    official = [
        pl.when(pl.col(f"official_{split.value}").any().over("cluster")).then(pl.lit(split.value))
        for split in (Split.TEST, Split.VALIDATION, Split.TRAIN)
    ]
    split_column = pl.coalesce(*official, pl.when(agreed).then(pl.col("own")), pl.lit(Split.TRAIN.value))
    return members.select("query_id", split=split_column).sort("query_id")
