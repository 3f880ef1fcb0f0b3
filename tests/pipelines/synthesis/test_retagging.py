"""Re-tagging: which sets are judged again, what the votes decide, and that both labels stay."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.engines.answering import Run
from pipelines.judging.judging import judge
from pipelines.judging.prompt_length import fitted
from pipelines.judging.samples import sampling_job
from pipelines.sources.ingestion import ingest
from pipelines.steps import build
from pipelines.synthesis.retagging import Retag, Votes, decided, retag, retag_job, uncertain_sets, votes_of
from schemas.errors import EngineError, RecipeError, Waiting
from schemas.preference import SETS, DropReason, LabelSource, PreferenceSet, Response, sets_of
from schemas.recipe import GrmSection, Recipe
from schemas.trajectory import JUDGED, Mode, Purpose
from storage.generations import Generations
from storage.root import Root
from storage.stages import Stage
from storage.tables import read_table
from tests.examples import a_recipe, a_run, a_set, question, simulated, write_rows
from tests.pipelines.engines.stand_in_batches import BatchStandIn
from tests.pipelines.engines.stand_in_server import StandIn, judged, server_error
from tests.pipelines.sources.test_ultrafeedback import completion, row

UNCERTAIN = [("good", "4", "4", "4", "5"), ("fair", "4"), ("poor", "2")]
SURE = [("good", "5"), ("fair", "3")]
TIE = [("good", "4"), ("fair", "4"), ("poor", "1")]


def write_feedback(path: Path, uncertain: int = 60, repeats: int = 0) -> None:
    """Write so many uncertain rows, and nearly half as many that are tied or sure, in turns."""
    rows = []
    for number in range(uncertain * 29 // 20):
        kind = UNCERTAIN if number < uncertain else SURE if number % 2 else TIE
        responses = [completion(f"{text} answer to {number}", *ratings) for text, *ratings in kind]
        rows.append(row(*responses, instruction=question(number)))
    write_rows(path / "feedback.jsonl", [*rows, *rows[:repeats]])


def feedback_recipe(path: Path, votes: int = 3, teacher: dict[str, Any] | None = None, **sections: Any) -> Recipe:
    source = {"kind": "ultrafeedback", "path": "feedback.jsonl", "retag_votes": votes}
    models = {
        "grm": simulated(),
        "difficulty": simulated(model="weak", accuracy=0.6, seed=1),
        "teacher": teacher or simulated(model="wise", accuracy=0.7, seed=2),
    }
    return a_recipe(path, **{"sources": [source], "models": models} | sections)


def read(stage: Stage) -> list[PreferenceSet]:
    return sets_of(read_table(stage.paths("sets"), SETS))


def retagged(recipe: Recipe, root: Root, run: Run | None = None) -> tuple[Stage, Stage]:
    """Return the source's stage, and the one after its uncertain sets were judged again."""
    section = recipe.sources[0]
    source = ingest(recipe, root, section)
    job = retag_job(recipe, section)
    assert job is not None
    return source, retag(job, recipe.build, root, run or a_run(recipe)[0], source).stage


def test_without_votes_nothing_is_judged_again(tmp_path: Path) -> None:
    recipe = feedback_recipe(tmp_path, votes=0)
    assert retag_job(recipe, recipe.sources[0]) is None


def test_only_uncertain_sets_are_judged_again_and_all_others_stay_byte_for_byte(tmp_path: Path) -> None:
    write_feedback(tmp_path)
    recipe, root = feedback_recipe(tmp_path), Root(tmp_path)
    run, watcher = a_run(recipe)
    source, after = retagged(recipe, root, run)
    assert watcher.bought == 60 * 3
    before, now = read(source), read(after)
    assert [one.set_id for one in before] == [one.set_id for one in now]
    assert Counter(one.drop_reason for one in before) == {DropReason.UNCERTAIN: 60, None: 13, DropReason.TIE: 14}
    for old, new in zip(before, now, strict=True):
        if old.drop_reason is not DropReason.UNCERTAIN:
            assert new == old
            assert new.votes is None and new.retagged_best is None


def test_both_labels_stay_and_only_those_that_agree_are_kept(tmp_path: Path) -> None:
    write_feedback(tmp_path)
    _, after = retagged(feedback_recipe(tmp_path), Root(tmp_path))
    again = [one for one in read(after) if one.votes is not None]
    funnel = {one["outcome"]: one["rows"] for one in after.facts["synthesis"]["funnel"]}
    kept = [one for one in again if one.drop_reason is None]
    assert min(funnel.values()) > 0, "the simulated teacher agrees, disagrees and is torn"
    assert funnel == {
        "judged again: confirmed": len(kept),
        "judged again: refuted": sum(one.retagged_best not in (None, one.best) for one in again),
        "judged again: undecided": sum(one.retagged_best is None for one in again),
    }
    for one in again:
        assert one.votes is not None and one.best is not None
        assert one.responses[one.best].text.startswith("good"), "the old label is the source's own top"
        assert (one.drop_reason is None) == (one.retagged_best == one.best)
        assert one.drop_reason in (None, DropReason.RETAG_DISAGREEMENT)
        assert one.margin == 0.25
        assert one.label_source is LabelSource.MODEL
        if one.retagged_best is not None:
            assert one.votes[one.retagged_best] == max(one.votes) >= 2


def test_votes_are_ordinary_judgements_in_shuffled_orders(tmp_path: Path) -> None:
    write_feedback(tmp_path)
    recipe, root = feedback_recipe(tmp_path), Root(tmp_path)
    source, _ = retagged(recipe, root)
    job = retag_job(recipe, recipe.sources[0])
    assert job is not None
    uncertain = uncertain_sets(recipe.build, root, source)
    assert all(job.modes_of(one) == (Mode.NON_HINTED,) for one in read(uncertain))
    rows = read_table(judge(root, job, uncertain).paths("judged"), JUDGED).to_pylist()
    assert len(rows) == 180
    assert all("Hint" not in one["prompt"][0]["content"] for one in rows)
    places = Counter(one["best_position"] for one in rows)
    assert max(places.values()) < 2 * min(places.values())
    rft = sampling_job(recipe, Purpose.RFT)
    assert rft is not None and job.template == rft.template
    roles = {role for bucket in range(256) for role in Generations(root).table(bucket).column("role").to_pylist()}
    assert roles == {"teacher"}


def test_nothing_is_asked_twice_and_more_votes_pay_for_the_new_ones_alone(tmp_path: Path) -> None:
    write_feedback(tmp_path)
    root = Root(tmp_path)
    for votes, bought in ((3, 180), (3, 0), (5, 120), (1, 0)):
        recipe = feedback_recipe(tmp_path, votes)
        run, watcher = a_run(recipe)
        _, after = retagged(recipe, root, run)
        assert watcher.bought == bought
        [use] = after.facts["synthesis"]["uses"]
        assert (use["role"], use["model"], use["requests"], use["failed"]) == ("teacher", "wise", 60 * votes, 0)


@given(st.lists(st.integers(0, 6), min_size=2, max_size=5), st.integers(0, 6), st.integers(1, 15))
def test_a_label_needs_most_of_the_readable_votes_and_most_votes_readable(
    counts: list[int], shared: int, wanted: int
) -> None:
    votes = Votes(sum(counts) + shared, tuple(counts))
    label = votes.label(wanted)
    if label is None:
        assert 2 * votes.readable <= wanted or 2 * max(counts) <= votes.readable
    else:
        assert 2 * votes.readable > wanted
        assert counts[label] > votes.readable - counts[label]
        assert all(counts[label] > other for index, other in enumerate(counts) if index != label)


@pytest.mark.parametrize(
    ("readable", "by_response", "verdict"),
    [
        (3, (3, 0, 0), Retag.CONFIRMED),
        (3, (2, 1, 0), Retag.CONFIRMED),
        (3, (1, 2, 0), Retag.REFUTED),
        (3, (1, 1, 1), Retag.UNDECIDED),
        (2, (2, 0, 0), Retag.CONFIRMED),
        (2, (1, 1, 0), Retag.UNDECIDED),
        (3, (1, 0, 0), Retag.UNDECIDED),  # two votes share their highest score between responses
        (1, (1, 0, 0), Retag.UNDECIDED),  # too few could be read
        (0, (0, 0, 0), Retag.UNDECIDED),
    ],
)
def test_the_verdicts_of_three_votes(readable: int, by_response: tuple[int, ...], verdict: Retag) -> None:
    responses = [Response("a", 4.25), Response("b", 4.0), Response("c", 1.0)]
    uncertain = a_set(1, responses=responses, min_margin=0.5)
    assert uncertain.drop_reason is DropReason.UNCERTAIN
    made, found = decided(uncertain, Votes(readable, by_response), 3)
    assert found is verdict
    assert (made.best, made.votes) == (0, by_response)
    assert (made.drop_reason is None) == (verdict is Retag.CONFIRMED)


def test_a_teacher_who_cannot_hold_the_format_decides_nothing(tmp_path: Path) -> None:
    write_feedback(tmp_path, uncertain=20)
    _, after = retagged(feedback_recipe(tmp_path, teacher=simulated(unparsed=1.0)), Root(tmp_path))
    again = [one for one in read(after) if one.votes is not None]
    assert {(one.retagged_best, one.votes, one.drop_reason) for one in again} == {
        (None, (0, 0, 0), DropReason.RETAG_DISAGREEMENT)
    }
    [use] = after.facts["synthesis"]["uses"]
    assert use["requests"] == 20 * 3 * 3  # each asked again twice, as [grm] resample_unreadable says


def test_a_set_that_stands_twice_in_its_source_has_each_vote_once(tmp_path: Path) -> None:
    write_feedback(tmp_path, uncertain=20, repeats=5)
    recipe, root = feedback_recipe(tmp_path), Root(tmp_path)
    source, after = retagged(recipe, root)
    job = retag_job(recipe, recipe.sources[0])
    assert job is not None
    stage = judge(root, job, uncertain_sets(recipe.build, root, source))
    counted = votes_of(read_table(stage.paths("judged"), JUDGED))
    assert {votes.readable for votes in counted.values()} == {3}
    assert sum(one.votes is not None for one in read(after)) == 25


def test_sets_of_a_licence_that_the_recipe_refuses_cost_nothing(tmp_path: Path) -> None:
    write_feedback(tmp_path)
    recipe = feedback_recipe(tmp_path, build={"name": "small", "licenses": ["CC0-1.0"]})
    run, watcher = a_run(recipe)
    source, after = retagged(recipe, Root(tmp_path), run)
    assert watcher.bought == 0
    assert read(after) == read(source)


def test_votes_without_a_teacher_are_refused_when_the_recipe_is_read(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"retag_votes of 'ultrafeedback' are votes of \[models.teacher\]; add one"):
        feedback_recipe(tmp_path, models={"grm": simulated(), "difficulty": simulated()})
    feedback_recipe(tmp_path, votes=0, models={"grm": simulated(), "difficulty": simulated()})


def test_refused_requests_are_asked_again_only_when_told_to(tmp_path: Path) -> None:
    write_feedback(tmp_path, uncertain=20)
    recipe, root = feedback_recipe(tmp_path, teacher=simulated(failed=0.3)), Root(tmp_path)
    run, watcher = a_run(recipe)
    _, after = retagged(recipe, root, run)
    [use] = after.facts["synthesis"]["uses"]
    assert use["failed"] > 0
    for again, bought in ((False, 0), (True, use["failed"])):
        run, watcher = a_run(recipe, retry_failed=again)
        retagged(recipe, root, run)
        assert watcher.bought == bought


def test_an_outage_ends_the_build_and_keeps_what_was_bought(tmp_path: Path) -> None:
    write_feedback(tmp_path, uncertain=8)
    root = Root(tmp_path)
    with StandIn(*[judged] * 10, then=server_error()) as server:
        teacher = {"engine": "openai", "model": "m", "base_url": server.url, "max_retries": 0, "max_concurrency": 1}
        with pytest.raises(EngineError, match=r"retag ultrafeedback: .*same command goes on"):
            retagged(feedback_recipe(tmp_path, teacher=teacher), root)
    assert sum(len(Generations(root).lookup(bucket)) for bucket in range(256)) == 10


def test_votes_come_by_batch_and_within_the_budget(tmp_path: Path) -> None:
    write_feedback(tmp_path, uncertain=8)
    root = Root(tmp_path)
    with BatchStandIn(holds=True) as server:
        teacher = {"engine": "openai", "model": "m", "base_url": server.url, "batch": True}
        recipe = feedback_recipe(tmp_path, teacher=teacher)
        with pytest.raises(Waiting, match="waits for the budget"):
            retagged(recipe, root, a_run(feedback_recipe(tmp_path, teacher=teacher, budget={"max_requests": 5}))[0])
        with pytest.raises(Waiting):
            retagged(recipe, root)
        server.finish()
        _, after = retagged(recipe, root)
    [use] = after.facts["synthesis"]["uses"]
    assert (use["requests"], use["failed"]) == (24, 0)
    assert set(server.paid.values()) == {1}


def test_leaving_wrong_responses_out_keeps_the_votes_with_their_responses() -> None:
    responses = [Response("a" * 400, 1.0), Response("b" * 40, 4.25), Response("c" * 40, 4.0)]
    one = replace(a_set(1, responses=responses, min_margin=0.5), best=1, retagged_best=1, votes=(0, 2, 1))
    shorter = fitted(replace(one, drop_reason=None), GrmSection(max_prompt_tokens=740))
    assert [response.text[0] for response in shorter.responses] == ["b", "c"]
    assert (shorter.best, shorter.retagged_best, shorter.votes) == (0, 0, (2, 1))


def test_a_build_says_what_the_votes_took_and_what_came_of_them(tmp_path: Path) -> None:
    write_feedback(tmp_path)
    recipe, root = feedback_recipe(tmp_path), Root(tmp_path)
    manifest = build(recipe, root, a_run(recipe)[0]).snapshot.manifest
    [teacher] = [use for use in manifest.models if use.role == "teacher"]
    assert (teacher.requests, teacher.cached, teacher.model) == (180, 0, "wise")
    funnel = {(one.stage, one.outcome): one.rows for one in manifest.funnel if one.source == "ultrafeedback"}
    confirmed = funnel["synthesis", "judged again: confirmed"]
    dropped = funnel["dropped", "retag_disagreement"]
    assert confirmed + dropped == 60
    assert funnel["dropped", "tie"] == 14
    assert sum(rows for (stage, _), rows in funnel.items() if stage == "kept") == confirmed + 13
    assert ("dropped", "uncertain") not in funnel
    snapshot = build(recipe, root, a_run(recipe)[0]).snapshot
    sets = pl.concat([pl.read_parquet(path) for path in snapshot.files("sets/dropped")])
    again = sets.filter(pl.col("drop_reason") == "retag_disagreement")
    assert again.height == dropped
    assert again.filter(pl.col("retagged_best") == pl.col("best")).height == 0
    assert "retag" not in "".join(manifest.tables), "votes are in no table of trajectories"
