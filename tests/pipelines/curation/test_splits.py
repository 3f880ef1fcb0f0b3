"""Splits: agreed by a cluster, won by official ones, and never given up by growth except to train."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipelines.curation.splits import BENCHMARK_TEST_SHARE, SPLIT, query_splits
from schemas.record import content_id, unit_interval

Query = tuple[int, int, str | None]


def splits_of(
    queries: list[Query], test: float = 0.2, validation: float = 0.2, benchmark: bool = False
) -> dict[str, str]:
    frame = pl.DataFrame(
        [
            {
                "query": (query_id := content_id("q", number)),
                "cluster": str(cluster),
                "benchmark": benchmark,
                "official": official,
                "hash": unit_interval("split", query_id),
            }
            for number, cluster, official in queries
        ],
        schema={"query": pl.String, "cluster": pl.String, "benchmark": pl.Boolean, "official": SPLIT, "hash": float},
    )
    return dict(query_splits(frame, test, validation).iter_rows())


CLUSTERED = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 30), st.none()), unique_by=lambda query: query[0])


@given(CLUSTERED, st.integers(0, 200))
def test_growth_only_ever_moves_rows_into_train(queries: list[Query], seen: int) -> None:
    before, after = splits_of(queries[:seen]), splits_of(queries)
    for query_id, split in before.items():
        assert after[query_id] in (split, "train")


@given(CLUSTERED)
def test_a_cluster_stands_in_one_split(queries: list[Query]) -> None:
    found = splits_of(queries)
    of_cluster: dict[int, set[str]] = {}
    for number, cluster, _ in queries:
        of_cluster.setdefault(cluster, set()).add(found[content_id("q", number)])
    assert all(len(splits) == 1 for splits in of_cluster.values())
    assert splits_of(queries[::-1]) == found


def test_official_splits_win_and_take_their_cluster_along() -> None:
    for official in ("train", "validation", "test"):
        assert set(splits_of([(1, 0, official), (2, 0, None), (3, 0, None)], test=1.0).values()) == {official}
    assert set(splits_of([(1, 0, "train"), (2, 0, "validation"), (3, 0, "test")]).values()) == {"test"}
    assert set(splits_of([(1, 0, "train"), (1, 0, "validation")]).values()) == {"validation"}


def test_shares_are_what_the_recipe_asks_for_and_benchmarks_keep_a_test_share() -> None:
    queries: list[Query] = [(number, number, None) for number in range(4_000)]
    found = list(splits_of(queries, 0.1, 0.05).values())
    assert abs(found.count("test") / 4_000 - 0.1) < 0.02
    assert abs(found.count("validation") / 4_000 - 0.05) < 0.015
    assert "test" not in splits_of(queries, 0.0, 0.05).values()
    kept = list(splits_of(queries, 0.0, 0.05, benchmark=True).values())
    assert abs(kept.count("test") / 4_000 - BENCHMARK_TEST_SHARE) < 0.02
    assert kept.count("validation") > 0
