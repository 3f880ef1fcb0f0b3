"""RL: no set that is too easy, ground truths that are the order's, and best positions dealt out equally."""

import json
import re
from collections import Counter
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipelines.judging.samples import sampling_job
from pipelines.training_sets.rejection import pass_counts
from pipelines.training_sets.rl import RlRow, decide_rl, filter_fault, order_with_best_at, rl_table
from schemas.preference import Split
from schemas.trajectory import Purpose
from tests.examples import a_recipe, a_set
from tests.pipelines.judging.decisions import frame, samples


def sets(count: int, n: int = 3, split: str = "train") -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "set_id": f"{number:05}",
                "query_id": f"{number * 7 % 100:03}",
                "source": "own",
                "split": split,
                "n_responses": n,
                "label": number % 2 if n == 1 else None,
            }
            for number in range(count)
        ],
        schema_overrides={"n_responses": pl.Int32, "label": pl.Int32},
    )


def difficulty(outcomes: dict[str, list[str]]) -> pl.DataFrame:
    return frame([row for set_id, found in outcomes.items() for row in samples(set_id, found)])


def test_what_a_weaker_model_gets_right_every_time_is_removed_and_nothing_else() -> None:
    outcomes = {
        "00000": ["correct"] * 3,
        "00001": ["correct", "correct", "incorrect"],
        "00002": ["correct", "unparsed", "correct", "correct"],
        "00003": ["correct", "correct", "refused"],
        "00004": ["tied"] * 3,
    }
    decided = decide_rl(sets(6), pass_counts(difficulty(outcomes)), 3).sort("set_id")
    assert decided["reject_reason"].to_list() == ["too_easy", None, "too_easy", "undecided", None, "undecided"]
    assert decided["pass_count"].to_list() == [3, 2, 3, 2, 0, 0]
    assert decided["pass_samples"].to_list() == [3, 3, 3, 2, 3, 0]
    assert decided["best_position"].is_null().to_list() == [True, False, True, True, False, True]


@given(st.integers(1, 200), st.integers(2, 6), st.integers(0, 99))
def test_positions_are_dealt_equally_whatever_the_order_of_rows(count: int, n: int, seed: int) -> None:
    answers = difficulty({f"{number:05}": ["correct", "tied", "correct"] for number in range(count)})
    decided = decide_rl(sets(count, n), pass_counts(answers), 3)
    counts = Counter(decided["best_position"])
    dealt = [counts[position] for position in range(n)]
    assert sum(dealt) == count
    assert max(dealt) - min(dealt) <= 1
    shuffled = sets(count, n).sample(fraction=1.0, shuffle=True, seed=seed)
    assert decide_rl(shuffled, pass_counts(answers), 3).equals(decided)
    assert decided.equals(decided.sort("query_id", "set_id"))


def test_labels_of_single_responses_are_balanced() -> None:
    lopsided = sets(100, 1).with_columns(label=(pl.int_range(100) % 5 == 0).cast(pl.Int32))
    answers = difficulty({f"{number:05}": ["incorrect"] * 3 for number in range(100)})
    decided = decide_rl(lopsided, pass_counts(answers), 3)
    kept = Counter(decided.filter(pl.col("reject_reason").is_null())["label"])
    assert kept == {0: 30, 1: 20}
    assert set(decided["reject_reason"].drop_nulls()) == {"label_balance"}
    assert decided["best_position"].null_count() == 100


def test_a_difficulty_model_that_cannot_hold_the_format_filters_nothing() -> None:
    answers = {f"{number:05}": ["correct"] * 7 + ["unparsed"] * 3 for number in range(4)}
    fault = filter_fault(difficulty(answers), a_recipe())
    assert fault is not None
    assert re.match(r"only 70% of the difficulty model's answers could be read.*\[grm\] structured_output", fault)
    assert filter_fault(difficulty({"00000": ["incorrect"] * 8 + ["unparsed"] * 2}), a_recipe()) is None


def test_what_helps_a_filter_is_nothing_that_the_recipe_has() -> None:
    recipe = a_recipe(
        grm={"structured_output": "json_schema", "max_tokens": 300},
        models={"grm": {"engine": "simulated"}, "difficulty": {"same_as_grm": True}},
    )
    fault = filter_fault(difficulty({"00000": ["unparsed"] * 3}), recipe)
    assert fault is not None and "of the GRM's answers" in fault and "max_tokens than 300" in fault
    assert "structured_output" not in fault and "difficulty" not in fault


@given(st.integers(0, 1_000), st.integers(2, 8), st.data())
def test_an_order_shows_the_best_where_it_is_wanted(number: int, n: int, data: Any) -> None:
    preference = a_set(number, n=n, best=number % n)
    position = data.draw(st.integers(0, n - 1))
    order = order_with_best_at(preference, position, seed=3)
    assert sorted(order) == list(range(n))
    assert order[position] == preference.best
    assert order == order_with_best_at(preference, position, seed=3)


def test_the_others_are_shuffled_too() -> None:
    rest = Counter(order_with_best_at(a_set(number, n=3, best=0), 0, seed=1)[1:] for number in range(400))
    best = Counter(a_set(number, n=3, best=0).best for number in range(400))
    assert len(rest) == 2 * len(best)


def test_rows_are_as_verl_reads_them() -> None:
    job = sampling_job(a_recipe(), Purpose.RFT)
    assert job is not None
    preferences = [a_set(1, n=4, best=2, split=Split.TRAIN), a_set(3, n=1, split=Split.TRAIN)]
    rows = rl_table(preferences, [RlRow(3, 0, 2, 3), RlRow(None, 1, 0, 3)], job, "weak").to_pylist()
    assert [json.loads(row["reward_model"]["ground_truth"]) for row in rows] == [
        {"n": 4, "best": 3},
        {"n": 1, "label": 1},
    ]
    for row, preference in zip(rows, preferences, strict=True):
        extra = row["extra_info"]
        assert row["data_source"] == "grmforge/own"
        assert row["reward_model"]["style"] == "rule"
        assert (extra["set_id"], extra["split"], extra["difficulty_model"]) == (preference.set_id, "train", "weak")
        [message] = row["prompt"]
        assert list(message) == ["role", "content"]
        blocks = message["content"].split("[The Begin of Response ")[-preference.n_responses :]
        for position, block in enumerate(blocks):
            assert preference.responses[extra["order"][position]].text in block
        assert extra["prompt_tokens"] == -(-len(message["content"].encode()) // 4)
        assert "Hint" not in message["content"]
