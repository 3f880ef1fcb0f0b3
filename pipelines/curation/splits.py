"""Splits: which queries stand together, and in which of train, validation and test.

Equal and near-duplicate queries are one cluster, by MinHash. A query's own hash decides its split, its whole cluster
must agree, and official splits win.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import rensa

from schemas.preference import Split
from schemas.query import query_id, user
from schemas.recipe import SplitsSection
from schemas.record import unit_interval

BENCHMARK_TEST_SHARE = 0.1  # sources that are benchmarks always keep a test share
THRESHOLD = 0.7
"""Jaccard similarity of character 5-grams; on TeleQnA it joins 398 rows, of which the 26 without a question are one
cluster. Too much joined costs little: a cluster only has to stand in one split."""
_PERMUTATIONS = 128
_BANDS = 32  # 32 bands of 4 rows find a pair at the threshold with a probability above .999
_REPRESENTATIVES = 8
"""Members of a band's group that further ones are compared with, each of another cluster. Queries made from one
template fall into one group: comparing all of them with each other would take time in proportion to their square."""
_SHINGLE = 5
_BLANKS = re.compile(r"\s+")
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5], np.uint64)

Hashes = npt.NDArray[np.uint32]


def splits_of(sets: pa.Table, chat: pa.Table, stems: pa.Table, shares: SplitsSection) -> pl.DataFrame:
    """Return query_id, cluster and split of every query, those of general rows included: all by what they ask.

    Where a source knows a set's cluster, it stands in the query's place, and its split is the cluster's: such sets may
    share a query that says little of what they are about. General rows have no say in where a set stands: they go where
    their cluster's sets are, or else into train or validation, since nobody publishes a test set of them.
    """
    asks = _what_is_asked(sets, chat, stems)
    texts = asks.unique("asks").sort("asks")
    cluster_of = clusters(texts["asks"].to_list(), texts["text"].to_list())
    near = pl.DataFrame(list(cluster_of.items()), schema={"query_id": pl.String, "near": pl.String}, orient="row")
    asks = asks.select("query_id", "asks")
    queries = _by_what_is_asked(sets.select(["query_id", "cluster", "benchmark", "split"]), asks)
    queries = (
        queries.rename({"cluster": "own", "split": "official"})
        .join(near, on="query_id")
        .with_columns(query_id=pl.coalesce("own", "query_id"), cluster=pl.coalesce("own", "near"))
    )
    splits = query_splits(queries, shares.test, shares.validation)
    splits = splits.join(queries.select("query_id", "cluster").unique(), on="query_id").sort("query_id")
    split_of_near = queries.join(splits, on="query_id").select("near", official="split").unique()
    others = (
        _by_what_is_asked(chat.select(["query_id"]), asks)
        .join(splits, on="query_id", how="anti")
        .join(near, on="query_id")
        .join(split_of_near, on="near", how="left")
        .with_columns(benchmark=False, cluster="near")
    )
    near = near.rename({"near": "cluster"})
    splits = pl.concat([splits, query_splits(others, 0.0, shares.validation).join(near, on="query_id")])
    by_query = asks.join(splits.rename({"query_id": "asks"}), on="asks").drop("asks")
    return pl.concat([by_query, splits.join(queries.select(query_id="own").unique(), on="query_id", how="semi")])


def _what_is_asked(sets: pa.Table, chat: pa.Table, stems: pa.Table) -> pl.DataFrame:
    """Return query_id, what each query asks (its stem, or else all it says), and the id of that as a query: `asks`.

    Forms of one question share `asks`, with each other and with the bare question.
    """
    texts = [
        pl.DataFrame(table.select(["query_id", column])).select(
            "query_id", text=pl.col(column).list.eval(pl.element().struct.field("content")).list.join("\n")
        )
        for table, column in ((sets, "query"), (chat, "prompt"))
    ]
    stem = pl.DataFrame(stems).group_by("query_id").agg(pl.col("stem").min())
    ids = pl.Series("asks", [query_id(user(text)) for text in stem["stem"]], pl.String)
    return (
        pl.concat(texts)
        .unique("query_id")
        .join(stem.with_columns(ids), on="query_id", how="left")
        .select("query_id", asks=pl.coalesce("asks", "query_id"), text=pl.coalesce("stem", "text"))
    )


def _by_what_is_asked(table: pa.Table, asks: pl.DataFrame) -> pl.DataFrame:
    """Return the table with each query_id replaced by the id of what it asks."""
    return pl.DataFrame(table).join(asks, on="query_id").drop("query_id").rename({"asks": "query_id"})


def query_splits(queries: pl.DataFrame, test: float, validation: float) -> pl.DataFrame:
    """Return query_id and split for every query.

    `queries` has query_id, cluster, benchmark (bool) and official (train, validation, test or null), a row a query or
    more. A query's hash falls into the test range, the validation range, or neither. A cluster is test or validation
    only if every member's hash says so, so that growth only ever moves rows into train. Where a member has an official
    split, the whole cluster takes it; test before validation before train. Hashes depend on nothing but the query: not
    on the recipe's seed, so that a test query stays one for good.
    """
    order = [split.value for split in (Split.TEST, Split.VALIDATION, Split.TRAIN)]
    members = queries.group_by("query_id").agg(
        pl.col("cluster").first(),
        pl.col("benchmark").any(),
        *((pl.col("official") == split).any().alias(f"official_{split}") for split in order),
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
    official = [pl.when(pl.col(f"official_{split}").any().over("cluster")).then(pl.lit(split)) for split in order]
    split_column = pl.coalesce(*official, pl.when(agreed).then(pl.col("own")), pl.lit(Split.TRAIN.value))
    return members.select("query_id", split=split_column).sort("query_id")


def clusters(query_ids: Sequence[str], texts: Sequence[str]) -> dict[str, str]:
    """Return, for each query_id, the smallest query_id of its cluster.

    `texts[i]` is all that query i says. The result does not depend on the order of the queries.
    """
    text_of = dict(zip(query_ids, texts, strict=True))
    ids = sorted(text_of)
    hashes = _hashes([text_of[query_id] for query_id in ids])
    parents = list(range(len(ids)))
    for group in _groups(hashes):
        _join_similar(parents, hashes, group)
    return {query_id: ids[_root_of(parents, number)] for number, query_id in enumerate(ids)}


def _hashes(texts: Sequence[str]) -> Hashes:
    """Return the MinHash of each text, a row a text."""
    rows = np.empty((len(texts), _PERMUTATIONS), np.uint32)
    for number, text in enumerate(texts):
        folded = _BLANKS.sub(" ", text.lower()).strip()
        shingles = {folded[start : start + _SHINGLE] for start in range(max(1, len(folded) - _SHINGLE + 1))}
        minhash = rensa.RMinHash(num_perm=_PERMUTATIONS, seed=42)
        minhash.update(list(shingles))
        rows[number] = minhash.digest()
    return rows


def _groups(hashes: Hashes) -> Iterator[list[int]]:
    """Yield, band by band, the rows that agree in a whole band, in ascending order."""
    width = _PERMUTATIONS // _BANDS
    for start in range(0, _PERMUTATIONS, width):
        keys = (hashes[:, start : start + width].astype(np.uint64) * _MIX).sum(axis=1, dtype=np.uint64)
        order = np.argsort(keys, kind="stable")
        starts = np.concatenate([[0], np.flatnonzero(np.diff(keys[order])) + 1, [len(order)]])
        for group in np.flatnonzero(np.diff(starts) > 1):
            yield order[starts[group] : starts[group + 1]].tolist()


def _join_similar(parents: list[int], hashes: Hashes, group: list[int]) -> None:
    """Join each row of a group to the first representative it resembles; one that resembles none becomes one."""
    representatives: list[int] = []
    for number in group:
        for other in representatives:
            first, second = sorted((_root_of(parents, number), _root_of(parents, other)))
            if first == second or np.count_nonzero(hashes[number] == hashes[other]) >= THRESHOLD * _PERMUTATIONS:
                parents[second] = first  # the smaller stays the root, so that the smallest query_id names the cluster
                break
        else:
            if len(representatives) < _REPRESENTATIVES:
                representatives.append(number)


def _root_of(parents: list[int], number: int) -> int:
    while parents[number] != number:
        parents[number] = parents[parents[number]]
        number = parents[number]
    return number
