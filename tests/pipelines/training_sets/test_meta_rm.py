"""Meta RM: as many right as wrong of each set and policy, so that the set alone tells little."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from pipelines.training_sets.meta_rm import choose_meta_rm, meta_rm_candidates, set_alone_auc
from tests.pipelines.judging.decisions import frame, samples

OUTCOMES = st.lists(st.sampled_from(["correct", "correct", "incorrect", "tied", "truncated", "failed"]), max_size=8)
SETS = st.lists(OUTCOMES).map(
    lambda found: [
        (outcomes, ("grm", "policy")[number % 2], ("train", "train", "validation")[number // 2 % 3])
        for number, outcomes in enumerate(found)
    ]
)
"""Two policies a set; every third set is for validation."""


def trajectories(sets: list[Any]) -> pl.DataFrame:
    parts = [
        frame(samples(f"set {number // 2}", outcomes, "correct", split=split)).with_columns(
            pl.lit(model).alias("model"), pl.concat_str("trajectory_id", pl.lit(str(number)))
        )
        for number, (outcomes, model, split) in enumerate(sets)
    ]
    return pl.concat([frame([]).with_columns(pl.lit("").alias("model")), *parts])


def test_only_readable_samples_without_a_hint_enter() -> None:
    found = meta_rm_candidates(trajectories([(["correct", "tied", "truncated", "failed", "refused"], "grm", "train")]))
    assert found["outcome"].to_list() == ["correct", "tied"]
    assert found["right"].to_list() == [True, False]
    assert found["set_correct"].to_list() == [1, 1]
    assert found["set_readable"].to_list() == [2, 2]


@given(SETS, st.sampled_from([0.0, 0.1, 0.2, 0.5]))
def test_right_and_wrong_are_even_within_each_set_and_policy(sets: list[Any], share: float) -> None:
    candidates = meta_rm_candidates(trajectories(sets))
    chosen = choose_meta_rm(candidates, share)
    assert chosen["trajectory_id"].is_unique().all()
    counts = chosen.group_by("set_id", "model").agg(right=pl.col("right").sum(), wrong=(~pl.col("right")).sum())
    mixed = counts.filter((pl.col("right") > 0) & (pl.col("wrong") > 0))
    assert mixed.filter(pl.col("right") != pl.col("wrong")).height == 0
    single = counts.filter((pl.col("right") == 0) | (pl.col("wrong") == 0))
    assert single.filter(pl.col("right") + pl.col("wrong") > 1).height == 0
    for split in ("train", "validation"):
        here = chosen.filter(split=split)
        one_label = here.filter(pl.col("set_correct").is_in([0]) | (pl.col("set_correct") == pl.col("set_readable")))
        assert one_label.height <= share * here.height + 1e-9
        assert here.filter("right").height == here.filter(~pl.col("right")).height
    assert chosen.filter(~pl.col("right")).height * 2 == chosen.height
    shuffled = choose_meta_rm(candidates.reverse(), share)
    assert set(shuffled["trajectory_id"]) == set(chosen["trajectory_id"])


def test_two_policies_are_balanced_apart() -> None:
    sets = [(["correct", "incorrect", "correct"], "grm", "train"), (["correct"] * 3, "policy", "train")]
    chosen = choose_meta_rm(meta_rm_candidates(trajectories(sets)), 0.2)
    assert chosen.group_by("model", "right").len().sort("right").rows() == [("grm", False, 1), ("grm", True, 1)]


def test_the_set_alone_tells_much_before_and_little_after() -> None:
    sets = [(["correct"] * (number % 5) + ["incorrect"] * (4 - number % 5), "grm", "train") for number in range(200)]
    candidates = meta_rm_candidates(trajectories(sets))
    before, after = set_alone_auc(candidates), set_alone_auc(choose_meta_rm(candidates, 0.2))
    assert before is not None
    assert after is not None
    assert before > 0.75
    assert after < 0.65
    even = set_alone_auc(choose_meta_rm(candidates, 0.0))
    assert even is not None
    assert even == pytest.approx(0.5, abs=0.01)


@given(SETS)
def test_the_auc_is_scikit_learns(sets: list[Any]) -> None:
    candidates = meta_rm_candidates(trajectories(sets))
    found = set_alone_auc(candidates)
    if candidates["right"].n_unique() < 2:
        assert found is None
        return
    scores = candidates["set_correct"] / candidates["set_readable"]
    assert found == pytest.approx(roc_auc_score(candidates["right"], scores))
