"""Judging: stored answers become sorted trajectories, and no model is called."""

from pathlib import Path

import polars as pl

from pipelines.engines.asking import Answers
from pipelines.judging.judging import find_judged, judge
from pipelines.judging.samples import SamplingJob, sampling_job
from pipelines.judging.sampling import sample_sets
from schemas.generation import GENERATIONS
from schemas.recipe import Recipe
from schemas.trajectory import JUDGED, Outcome, Purpose
from storage.generations import Generations
from storage.root import Root
from storage.stages import Stage
from storage.tables import read_frame
from tests.examples import a_recipe, a_run, a_set, curate, simulated, source_stage

FAULTS = {
    "tied": 0.1, "truncated": 0.1, "wrong_count": 0.1, "out_of_range": 0.1, "unparsed": 0.1, "refused": 0.1,
    "failed": 0.1, "thinks_aloud": 0.5, "hint_leak": 0.5,
}  # fmt: skip


def the_job(recipe: Recipe) -> SamplingJob:
    job = sampling_job(recipe, Purpose.RFT)
    assert job is not None
    return job


def sampled(root: Root, recipe: Recipe, count: int = 40) -> Stage:
    sets = [a_set(number, n=1 + number % 5) for number in range(count)]
    curated = curate(recipe, root, [source_stage(root, sets)], None)
    run, _ = a_run(recipe)
    assert sample_sets(root, run, the_job(recipe), curated).given_up == {}
    return curated


def trajectories(stage: Stage) -> pl.DataFrame:
    return read_frame(stage.paths("judged"), JUDGED, JUDGED.names)


def test_trajectories_are_sorted_and_their_ids_are_their_own(tmp_path: Path) -> None:
    root, recipe = Root(tmp_path), a_recipe()
    frame = trajectories(judge(root, the_job(recipe), sampled(root, recipe)))
    assert frame.equals(frame.sort("query_id", "set_id", "trajectory_id"))
    assert frame["trajectory_id"].is_unique().all()
    assert frame.height == 40 * 4


def test_every_answer_is_a_row_whatever_it_is(tmp_path: Path) -> None:
    root = Root(tmp_path)
    recipe = a_recipe(models={"grm": simulated(**FAULTS), "difficulty": simulated()})
    curated = sampled(root, recipe)
    stage = judge(root, the_job(recipe), curated)
    frame = trajectories(stage)
    assert frame.height == sum(Generations(root).table(bucket).num_rows for bucket in range(256))
    assert set(frame["outcome"]) == {outcome.value for outcome in Outcome} - {"contradictory"}
    readable = pl.col("outcome").is_in(["correct", "incorrect", "tied"])
    assert frame.filter(readable & (pl.col("scores").list.len() != pl.col("n_responses"))).height == 0
    assert frame.filter(~readable)["scores"].null_count() == frame.filter(~readable).height
    assert frame.filter(outcome="failed")["text"].null_count() == frame.filter(outcome="failed").height
    best = pl.col("scores").list.get(pl.col("best_position"))
    correct = frame.filter((pl.col("outcome") == "correct") & (pl.col("n_responses") > 1))
    assert correct.filter(best != pl.col("scores").list.max()).height == 0
    assert correct.filter(pl.col("margin") < 1).height == 0
    assert frame.filter(mode="non_hinted")["hint_leak"].any() is False
    assert frame.filter(pl.col("text").str.contains("<think>")).height == 0
    facts = stage.facts
    assert facts["requests"] == frame.height == sum(row["rows"] for row in facts["outcomes"])
    assert facts["failed"] == frame.filter(outcome="failed").height


def test_a_set_has_no_more_readable_samples_than_it_wants(tmp_path: Path) -> None:
    root = Root(tmp_path)
    recipe = a_recipe(models={"grm": simulated(**FAULTS | {"failed": 0.0}), "difficulty": simulated()})
    frame = trajectories(judge(root, the_job(recipe), sampled(root, recipe)))
    readable = frame.filter(pl.col("outcome").is_in(["correct", "incorrect", "tied"]))
    counts = readable.group_by("set_id", "mode").len()
    assert counts.filter(mode="non_hinted")["len"].max() == 3
    assert counts.filter(mode="hinted")["len"].max() == 1
    for (_, _), rows in frame.group_by("set_id", "mode"):
        assert sorted(rows["sample_index"]) == list(range(rows.height))


def test_the_same_answers_are_the_same_bytes_and_the_truth_is_in_no_prompt(tmp_path: Path) -> None:
    root, recipe = Root(tmp_path), a_recipe()
    curated = sampled(root, recipe)
    first, second = (judge(root, the_job(recipe), curated) for _ in range(2))
    assert first.content == second.content
    assert find_judged(root, the_job(recipe), curated) == first
    prompts = trajectories(first).filter(mode="non_hinted")["prompt"].list.first().struct.field("content")
    assert not prompts.str.contains("Hint").any()


def test_answers_that_were_given_up_are_failed_now_and_asked_by_the_next_build(tmp_path: Path) -> None:
    root, recipe = Root(tmp_path), a_recipe()
    curated = sampled(root, recipe)
    for path in (tmp_path / "generations").rglob("*.parquet"):
        path.unlink()
    stage = judge(root, the_job(recipe), curated, Answers(given_up={"one": "503", "two": "503"}))
    assert set(trajectories(stage)["outcome"]) == {"failed"}
    assert find_judged(root, the_job(recipe), curated) is None
    assert Generations(root).table(0).schema == GENERATIONS


def test_failed_requests_are_judged_again_when_told_to(tmp_path: Path) -> None:
    root = Root(tmp_path)
    recipe = a_recipe(models={"grm": simulated(failed=0.3), "difficulty": simulated()})
    curated = sampled(root, recipe)
    stage = judge(root, the_job(recipe), curated)
    assert find_judged(root, the_job(recipe), curated) == stage
    assert find_judged(root, the_job(recipe), curated, retry_failed=True) is None
