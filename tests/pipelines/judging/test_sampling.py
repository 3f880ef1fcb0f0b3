"""Sampling: what is asked, what is never asked, and what is never asked twice."""

from dataclasses import replace
from pathlib import Path

from pipelines.judging.judging import judge
from pipelines.judging.samples import SamplingJob, sampling_job
from pipelines.judging.sampling import sample_sets, sampled_sets, wanted_answers
from schemas.preference import PreferenceSet, Response, Split
from schemas.recipe import Recipe
from schemas.trajectory import JUDGED, Purpose
from storage.generations import Generations
from storage.root import Root
from storage.stages import Stage
from storage.tables import read_table
from tests.examples import a_recipe, a_run, a_set, curate, simulated, source_stage


def the_job(recipe: Recipe) -> SamplingJob:
    job = sampling_job(recipe, Purpose.RFT)
    assert job is not None
    return job


def the_sets(root: Root, sets: list[PreferenceSet], recipe: Recipe | None = None) -> Stage:
    return curate(recipe or a_recipe(), root, [source_stage(root, sets)], None)


def faulty(**settings: float) -> Recipe:
    return a_recipe(models={"grm": simulated(**settings), "difficulty": simulated()})


def test_every_set_gets_its_samples_and_nothing_is_asked_twice(tmp_path: Path) -> None:
    root, recipe = Root(tmp_path), a_recipe()
    curated = the_sets(root, [a_set(number) for number in range(30)])
    run, watcher = a_run(recipe)
    assert sample_sets(root, run, the_job(recipe), curated).given_up == {}
    assert watcher.bought == wanted_answers(the_job(recipe), curated) == 30 * 4
    run, watcher = a_run(recipe)
    sample_sets(root, run, the_job(recipe), curated)
    assert (watcher.bought, watcher.stored) == (0, 120)


def test_test_sets_and_dropped_sets_are_never_sampled(tmp_path: Path) -> None:
    root, recipe = Root(tmp_path), a_recipe()
    sets = [replace(a_set(number), split=split) for number, split in enumerate((Split.TEST, Split.TRAIN) * 5)]
    sets.append(a_set(50, responses=[Response("same", 1.0), Response("other", 1.0)]))
    curated = the_sets(root, sets)
    run, watcher = a_run(recipe)
    sample_sets(root, run, the_job(recipe), curated)
    allowed = {one.query_id for one in sets if one.split is Split.TRAIN}
    asked = {row for bucket in range(256) for row in Generations(root).table(bucket).column("query_id").to_pylist()}
    assert asked == allowed
    assert {one.query_id for _, found in sampled_sets(curated) for one in found} == allowed
    assert watcher.bought == len(allowed) * 4


def test_unreadable_answers_are_asked_again_at_most_as_often_as_the_recipe_says(tmp_path: Path) -> None:
    root = Root(tmp_path)
    curated = the_sets(root, [a_set(number) for number in range(20)])
    for resample, least, most in ((0, 80, 80), (2, 240, 240)):
        recipe = a_recipe(
            models={"grm": simulated(unparsed=1.0, seed=resample), "difficulty": simulated()},
            grm={"resample_unreadable": resample},
        )
        run, watcher = a_run(recipe, keep_going=True)
        sample_sets(root, run, the_job(recipe), curated)
        assert least <= watcher.bought <= most
    recipe = faulty(truncated=0.3)
    run, watcher = a_run(recipe)
    sample_sets(root, run, the_job(recipe), curated)
    assert 80 < watcher.bought < 160
    assert watcher.outcomes.count("truncated") >= watcher.bought - 80


def test_more_samples_a_set_pay_for_the_new_ones_alone(tmp_path: Path) -> None:
    root = Root(tmp_path)
    curated = the_sets(root, [a_set(number) for number in range(20)])
    for n, bought in ((3, 80), (5, 40), (4, 0)):
        recipe = a_recipe(grm={"n_rft": n})
        run, watcher = a_run(recipe)
        sample_sets(root, run, the_job(recipe), curated)
        assert watcher.bought == bought


def test_a_refused_request_is_stored_and_asked_again_only_when_told_to(tmp_path: Path) -> None:
    root, recipe = Root(tmp_path), faulty(failed=0.3)
    curated = the_sets(root, [a_set(number) for number in range(20)])
    run, watcher = a_run(recipe)
    assert sample_sets(root, run, the_job(recipe), curated).given_up == {}
    refused = watcher.outcomes.count("failed")
    assert refused > 0
    assert watcher.bought == 80  # none was sampled again under another index
    for retry_failed, bought in ((False, 0), (True, refused)):
        run, watcher = a_run(recipe, retry_failed)
        sample_sets(root, run, the_job(recipe), curated)
        assert watcher.bought == bought


def test_sets_that_look_alike_in_the_prompt_share_an_answer(tmp_path: Path) -> None:
    root, recipe = Root(tmp_path), faulty(latency_s=0.2)  # so that both are in flight at once
    sets = [
        a_set(
            number % 5,
            source_id=f"row {number}",
            responses=[
                Response("yes", 1.0, reasoning=f"because {number}"),
                Response("no", 0.0, reasoning=f"why {number}"),
            ],
        )
        for number in range(60)
    ]
    curated = the_sets(root, sets)
    run, watcher = a_run(recipe)
    sampled = sample_sets(root, run, the_job(recipe), curated)
    assert watcher.bought < 60 * 4
    judged = judge(root, the_job(recipe), curated, sampled)
    outcomes = read_table(judged.paths("judged"), JUDGED, ["outcome"]).column("outcome").to_pylist()
    assert len(outcomes) == 60 * 4
    assert "failed" not in outcomes
