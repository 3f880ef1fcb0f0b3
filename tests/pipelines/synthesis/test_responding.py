"""Responding: every open question gets its answers, each bought once and kept as what it is."""

from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.engines.asking import Asker
from pipelines.synthesis.answers import answer_job
from pipelines.synthesis.questions import checked_questions
from pipelines.synthesis.responding import answered_questions, responded
from schemas.errors import EngineError, RecipeError
from schemas.preference import DropReason
from schemas.question import AnswerForm, Question
from schemas.recipe import Recipe
from storage.root import Root
from storage.stages import Stage
from tests.examples import a_run, simulated
from tests.pipelines.engines.stand_in_server import Reply, StandIn, chat, refused_400, server_error
from tests.pipelines.synthesis.own_questions import a_question, given, openai, questions_stage, recipe

OPTIONS = [a_question(number, AnswerForm.OPTION) for number in range(30)]


def answered(root: Root, made: Recipe, questions: list[Question], samples: int = 4) -> tuple[Stage, Stage, int]:
    """Return the checked questions, the stage of their candidates, and how many requests were bought."""
    checked = checked_questions(root, questions_stage(root, questions))
    job = answer_job(made, "responder")
    run, _ = a_run(made)
    stage = responded(root, run, Asker(root, run, job) if job else None, samples, checked)
    return checked, stage, run.budget.requests


def rows(stage: Stage) -> pl.DataFrame:
    return pl.read_parquet(stage.paths("candidates"))


def test_every_open_question_gets_its_answers_in_order(tmp_path: Path) -> None:
    _, stage, bought = answered(Root(tmp_path), recipe(simulated(accuracy=0.6)), OPTIONS)
    frame = rows(stage)
    assert frame.height == bought == stage.facts["use"]["requests"] == 30 * 4
    assert frame.equals(frame.sort("query_id", "origin", "sample_index"))
    assert frame.group_by("query_id").len()["len"].unique().to_list() == [4]
    assert set(frame["verdict"]) == {"right", "wrong"}
    assert frame["reasoning"].null_count() == 0 and frame["request_id"].n_unique() == 120


def test_more_samples_buy_only_the_further_ones(tmp_path: Path) -> None:
    root, made = Root(tmp_path), recipe(simulated())
    assert [answered(root, made, OPTIONS, samples)[2] for samples in (2, 5, 5, 3)] == [60, 90, 0, 0]


def test_finished_answers_are_found_without_a_model_at_hand(tmp_path: Path) -> None:
    with StandIn(then=chat("The answer is option 1")) as server:
        made = recipe(openai(server.url))
        _, first, _ = answered(Root(tmp_path), made, OPTIONS[:3])
    _, again, bought = answered(Root(tmp_path), made, OPTIONS[:3])
    assert (again, bought) == (first, 0)


def test_broken_answers_are_kept_as_what_they_are(tmp_path: Path) -> None:
    faulty = simulated(truncated=0.2, refused=0.2, failed=0.2)
    _, stage, _ = answered(Root(tmp_path), recipe(faulty), OPTIONS, 8)
    verdicts = Counter(rows(stage)["verdict"])
    assert sum(verdicts.values()) == 240
    assert min(verdicts[name] for name in ("truncated", "refused", "failed")) > 25
    assert verdicts["failed"] == stage.facts["use"]["failed"]
    assert rows(stage).filter(pl.col("verdict").is_in(["truncated", "refused", "failed"]))["answer"].null_count() == (
        verdicts["truncated"] + verdicts["refused"] + verdicts["failed"]
    )


@pytest.mark.parametrize(
    "reply",
    [
        chat("<think>\nAttach comes first.\n</think>\n\nThe answer is option 2"),
        chat("Attach comes first.\n</think>\nThe answer is option 2"),
        chat("The answer is option 2", reasoning_content="Attach comes first."),
        chat("The answer is option 2", reasoning="Attach comes first."),
    ],
)
def test_thoughts_are_the_candidates_reasoning_wherever_they_stood(tmp_path: Path, reply: Reply) -> None:
    with StandIn(then=reply) as server:
        _, stage, _ = answered(Root(tmp_path), recipe(openai(server.url)), [OPTIONS[1]], 1)
    (found,) = rows(stage).to_dicts()
    assert (found["text"], found["reasoning"]) == ("The answer is option 2", "Attach comes first.")
    assert (found["verdict"], found["answer"]) == ("right", "option 2")


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (chat(""), "empty"),
        (chat(" \n"), "empty"),
        (chat("<think>It is option 2"), "empty"),
        (chat("<think>It is option 2</think>"), "empty"),
        (chat("", reasoning_content="It is option 2."), "empty"),
        (chat("The answer is option 2", finish_reason="length"), "truncated"),
        (chat(None, refusal="No. The answer is option 2"), "refused"),
        (chat("The answer is option 2", finish_reason="content_filter"), "refused"),
        (chat("I would rather not say."), "no_answer"),
        (chat("The answer is option 2 or option 3"), "undecided"),
        (refused_400(), "failed"),
    ],
)
def test_an_answer_is_never_read_out_of_what_is_none(tmp_path: Path, reply: Reply, verdict: str) -> None:
    def behave(body: dict[str, Any]) -> Reply:
        return reply if OPTIONS[1].query[0].content in str(body) else chat("The answer is option 1")

    with StandIn(then=behave) as server:
        _, stage, _ = answered(Root(tmp_path), recipe(openai(server.url)), OPTIONS[:2], 1)
    found = dict(rows(stage).select("query_id", "verdict").iter_rows())
    assert found == {OPTIONS[0].query_id: "right", OPTIONS[1].query_id: verdict}


def test_questions_that_come_with_answers_or_are_dropped_are_not_asked(tmp_path: Path) -> None:
    questions = [
        a_question(1, AnswerForm.OPTION, given=given(("The answer is option 2", 1.0), ("Answer: 3", None), ("", 0.0))),
        a_question(2, AnswerForm.OPTION, drop_reason=DropReason.ALL_OF_OPTIONS),
    ]
    checked, stage, bought = answered(Root(tmp_path), recipe(), questions)
    assert (bought, stage.facts["use"]) == (0, None)
    assert rows(stage)["verdict"].to_list() == ["right", "wrong", "empty"]
    found = {one.source_id: candidates for one, candidates in answered_questions(checked, stage)}
    assert [len(found["row 0001"]), len(found["row 0002"])] == [3, 0]


def test_no_question_is_lost_between_questions_and_candidates(tmp_path: Path) -> None:
    questions = [
        a_question(number, AnswerForm.OPTION, drop_reason=DropReason.NO_QUESTION if number % 3 else None)
        for number in range(60)
    ]
    checked, stage, _ = answered(Root(tmp_path), recipe(simulated()), questions, 2)
    found = list(answered_questions(checked, stage))
    assert sorted(one.source_id for one, _ in found) == sorted(one.source_id for one in questions)
    assert all(len(candidates) == (0 if one.drop_reason else 2) for one, candidates in found)
    assert all(candidate.query_id == one.query_id for one, candidates in found for candidate in candidates)


def test_without_a_responder_the_error_names_the_source_and_the_section(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"source own: 30 questions have no answers; add \[models.responder\]"):
        answered(Root(tmp_path), recipe(), OPTIONS)


def test_an_endpoint_in_trouble_is_no_verdict_on_the_questions(tmp_path: Path) -> None:
    with StandIn(then=server_error()) as server:
        made = recipe(openai(server.url, max_retries=0))
        with pytest.raises(EngineError, match="answers to own: 5 of 5 requests got no answer"):
            answered(Root(tmp_path), made, OPTIONS[:5], 1)


def test_an_answer_that_did_not_come_is_asked_for_again_by_the_next_run(tmp_path: Path) -> None:
    root = Root(tmp_path)
    with StandIn(server_error(), then=chat("The answer is option 1")) as server:
        made = recipe(openai(server.url, max_retries=0, max_concurrency=1))
        _, first, _ = answered(root, made, OPTIONS[:5], 1)
        assert Counter(rows(first)["verdict"])["failed"] == 1
        _, second, bought = answered(root, made, OPTIONS[:5], 1)
        assert (Counter(rows(second)["verdict"])["failed"], bought) == (0, 1)
