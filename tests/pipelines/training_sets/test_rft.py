"""RFT: prompts without hints, general rows by ratio."""

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.judging.judging import judge
from pipelines.judging.meta_rm_text import canonical_answer
from pipelines.judging.prompts import score_range
from pipelines.judging.samples import sampling_job
from pipelines.judging.sampling import sample_sets, sampled_sets
from pipelines.training_sets.compact import short_ids
from pipelines.training_sets.rft import (
    chosen_general,
    general_ids,
    general_table,
    rft_table,
    training_prompt,
)
from schemas.query import wire
from schemas.training import GENERAL, RFT
from schemas.trajectory import JUDGED, Purpose
from storage.root import Root
from storage.tables import read_table
from tests.examples import a_recipe, a_run, a_set, curate, general_stage, source_stage


@pytest.mark.parametrize("reference", ["none", "prompt", "hint"])
def test_an_example_is_the_training_prompt_and_the_answer_and_never_the_hint(tmp_path: Path, reference: str) -> None:
    root, recipe = Root(tmp_path), a_recipe(grm={"reference": reference})
    sets = [a_set(number, n=1 + number % 4, reference="forty-two hertz") for number in range(12)]
    curated = curate(recipe, root, [source_stage(root, sets)], None)
    job = sampling_job(recipe, Purpose.RFT)
    assert job is not None
    run, _ = a_run(recipe)
    judged = read_table(judge(root, job, curated, sample_sets(root, run, job, curated)).paths("judged"), JUDGED)
    for name in ("pass_count", "pass_samples"):
        judged = judged.append_column(name, pc.cast(judged.column("sample_index"), "int32"))
    by_id = {one.set_id: one for _, found in sampled_sets(curated) for one in found}
    examples = rft_table(judged, by_id, job)
    assert examples.schema == RFT
    assert len(set(examples.column("example_id").to_pylist())) == judged.num_rows
    for row, sent in zip(examples.to_pylist(), judged.to_pylist(), strict=True):
        [prompt] = row["prompt"]
        expected = training_prompt(job, by_id[row["set_id"]], sent["order"], sent["has_reference"])
        assert row["prompt"] == wire(expected)
        assert "Hint" not in prompt["content"]
        assert ("forty-two hertz" in prompt["content"]) is (reference == "prompt") is row["has_reference"]
        expected_text = sent["text"]
        if sent["verdict_form"] == "forgiven":
            expected_text = canonical_answer(expected_text, sent["n_responses"], score_range(sent["n_responses"]))
            scores = ", ".join(f"{score:g}" for score in sent["scores"])
            assert expected_text.rpartition("\n")[2] == f"Scores: \\boxed{{{scores}}}"
        assert row["completion"] == [{"role": "assistant", "content": expected_text}]
        if sent["mode"] == "non_hinted":
            assert row["prompt"] == sent["prompt"]
        else:
            assert "#### Hint ####" in sent["prompt"][0]["content"]


def test_general_rows_are_examples_without_a_judgement(tmp_path: Path) -> None:
    stage = general_stage(Root(tmp_path), [("Hello?", "Hi."), ("Bye?", "Bye."), ("Why?", "So.")])
    table = read_table(stage.paths("general"), GENERAL)
    ids = general_ids(table)
    chosen = pl.Series(short_ids(ids[1:])).sort()
    rows, splits = general_table(table, chosen)
    assert rows.schema == RFT
    assert rows.column("example_id").to_pylist() == ids[1:]
    assert set(rows.column("mode").to_pylist()) == {"general"}
    assert rows.column("completion").to_pylist()[0][0]["role"] == "assistant"
    for name in ("set_id", "trajectory_id", "best_position", "scores", "n_responses"):
        assert rows.column(name).null_count == 2
    assert splits.to_pylist() == [None, None]


ROWS = st.lists(st.sampled_from(["train", "validation"]))


@given(ROWS, st.integers(0, 30), st.sampled_from([0.3, 1.0, 5.75]))
def test_general_rows_are_mixed_in_by_ratio_from_their_own_split(rows: list[Any], judged: int, ratio: float) -> None:
    general = pl.DataFrame(
        [{"example_id": n, "split": split} for n, split in enumerate(rows)],
        schema={"example_id": pl.UInt64, "split": pl.String},
    )
    chosen = chosen_general(general, {"train": judged}, ratio)
    there = general.filter(pl.col("split") == "train")
    assert len(chosen) == min(round(ratio * judged), there.height)
    assert set(chosen) <= set(there["example_id"])
    assert chosen.equals(chosen_general(general.reverse(), {"train": judged}, ratio))
