"""Benchmarks for reward models are refused wherever training rows are read."""

from typing import Any

import pytest

from pipelines.evaluation.benchmarks.registry import BENCHMARKS
from schemas.benchmarks import REWARD_BENCHMARKS, benchmark_of_hub
from schemas.errors import RecipeError
from tests.examples import a_recipe


def sets(**section: Any) -> dict[str, Any]:
    return {"sources": [{"kind": "preference_sets", "name": "mine"} | section]}


@pytest.mark.parametrize(
    ("sections", "benchmark"),
    [
        (sets(hub="allenai/reward-bench"), "rewardbench"),
        (sets(hub="AllenAI/Reward-Bench-2"), "rewardbench2"),
        (sets(hub="thu-keg/rm-bench"), "rm_bench"),
        (sets(hub="ScalerLab/JudgeBench"), "judgebench"),
        (sets(hub="lmarena-ai/PPE-MATH-Best-of-K"), "ppe"),
        (sets(path="/data/datasets--allenai--reward-bench/snapshots/abc/data"), "rewardbench"),
        (sets(path="copies/ScalerLab/JudgeBench"), "judgebench"),
        (sets(hub="someone/Reward_Bench-2"), "rewardbench2"),
        (sets(hub="someone/rmb"), "rmb"),
        (sets(path="copies/RM-Bench/total_dataset.json"), "rm_bench"),
        (sets(path="copies/llmbar"), "llmbar"),
        (sets(path="copies/JudgeBench.train.jsonl"), "judgebench"),
        ({"general": {"hub": "allenai/reward-bench"}}, "rewardbench"),
        ({"general": {"path": "x/rewardbench.jsonl"}}, "rewardbench"),
        ({"sources": [{"kind": "llmbar", "path": "x"}]}, "llmbar"),
        ({"sources": [{"kind": "RM-Bench", "path": "x"}]}, "rm_bench"),
        ({"sources": [{"kind": "RewardBench 2", "path": "x"}]}, "rewardbench2"),
        ({"sources": [{"kind": "skywork", "hub": "allenai/reward-bench"}]}, "rewardbench"),
    ],
)
def test_a_benchmark_for_reward_models_is_refused_with_the_way_out(sections: dict[str, Any], benchmark: str) -> None:
    with pytest.raises(RecipeError, match=rf'{benchmark}, a benchmark for reward models.*kind = "{benchmark}"'):
        a_recipe(**sections)


@pytest.mark.parametrize(
    ("place", "same", "other"),
    [
        ({"path": "held_out.jsonl"}, {"path": "./held_out.jsonl"}, {"path": "train.jsonl"}),
        ({"hub": "us/held_out"}, {"hub": "Us/held_out"}, {"hub": "us/held_out", "revision": "train"}),
    ],
)
def test_rows_that_stand_for_a_benchmark_are_no_training_rows(
    place: dict[str, str], same: dict[str, str], other: dict[str, str]
) -> None:
    evaluate = {"benchmarks": [{"kind": "judgebench", "name": "ours", **place}]}

    with pytest.raises(RecipeError, match=r"'mine': evaluate\.benchmarks 'ours' is read from .*held_out.*, too"):
        a_recipe(**sets(**same), evaluate=evaluate)
    a_recipe(**sets(**other), evaluate=evaluate)
    own = {"benchmarks": [{"kind": "preference_sets", "name": "ours", **place}]}
    assert a_recipe(**sets(**same), evaluate=own).sources, "sets of one's own may be both"


@pytest.mark.parametrize("hub", ["NCSOFT/offsetbias", "allenai/reward-bench-like", "me/judgebench-answers"])
def test_other_data_sets_are_read(hub: str) -> None:
    a_recipe(**sets(hub=hub))
    a_recipe(**sets(path=f"{hub}/rmb/ppe.jsonl"))


def test_the_names_are_those_that_are_evaluated_on() -> None:
    assert REWARD_BENCHMARKS.keys() <= BENCHMARKS.keys()
    for name in REWARD_BENCHMARKS:
        assert {benchmark_of_hub(hub) for hub in BENCHMARKS[name].hubs} <= {name}
