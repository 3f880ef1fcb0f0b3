"""The whole stage: every question ends in a set, no answer is bought twice, and nothing but being right tells."""

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from schemas.errors import BudgetReached
from schemas.preference import DropReason
from schemas.query import query_id, user
from schemas.question import AnswerForm, Gold, Question
from schemas.recipe import Recipe, recipe_of
from storage.root import Root
from tests.examples import simulated
from tests.pipelines.engines.stand_in_server import Reply, StandIn, chat, server_error
from tests.pipelines.synthesis.own_questions import WORDS, Made, a_question, asked, given, made, openai, recipe

FORMS = tuple(AnswerForm)
BROKEN = {"truncated": 0.1, "refused": 0.1, "failed": 0.1}
WEAK = simulated(model="small", accuracy=0.35, difficulty_spread=1.5, **BROKEN)
STRONG = simulated(model="big", accuracy=0.9, seed=3, **BROKEN)
SHORT = Gold(AnswerForm.TEXT, WORDS[0], WORDS)


def questions() -> list[Question]:
    """Return questions of every form; some lean on options, repeat, conflict, come with answers or are dropped."""
    rows = [a_question(number, FORMS[number % 4]) for number in range(120)]
    rows += [asked(f"Which statement is true about timer {n} of {n * 7919}?", SHORT, f"lean {n}") for n in range(12)]
    rows += [asked("1 + 1?", Gold(AnswerForm.MATH, "2"), f"again {n}", stem="one and one") for n in range(3)]
    rows += [asked("2 + 2?", Gold(AnswerForm.MATH, gold), f"conflict {gold}") for gold in ("4", "5")]
    rows += [asked("So?", Gold(AnswerForm.MATH, "\\frac{"), "broken")]
    rows += [a_question(number, drop_reason=DropReason.SEVERAL_GOLDS) for number in (200, 201)]
    answers = given(("It is \\boxed{500}.", 1.0), ("\\boxed{8}", 0.0), ("\\boxed{9}", 1.0), ("\\boxed{500}!", 0.0))
    return [*rows, a_question(400, given=answers)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made(Root(tmp_path_factory.mktemp("whole")), recipe(WEAK, STRONG, samples=6), questions(), unreadable=2)


@pytest.mark.slow
def test_every_question_ends_in_a_set(whole: Made) -> None:
    every = questions()
    assert whole.funnel["questions"] == len(every)
    assert set(whole.sets["source_id"]) == {one.source_id for one in every}
    compared = whole.sets.filter(pl.col("label").is_null())
    assert compared["source_id"].is_unique().all()
    assert whole.source.stage.facts["rows"] == whole.sets.height + 2
    reasons = dict(compared.select("source_id", "drop_reason").iter_rows())
    assert [reasons[f"conflict {gold}"] for gold in "45"] == ["conflicting_gold"] * 2
    assert sorted(reasons[f"again {n}"] == "duplicate" for n in range(3)) == [False, True, True]
    assert (reasons["broken"], reasons["row 0200"]) == ("gold_not_gradable", "several_golds")


def test_every_answer_is_counted_with_its_verdict(whole: Made) -> None:
    funnel, uses = whole.funnel, whole.uses

    def of(origin: str) -> int:
        return sum(rows for outcome, rows in funnel.items() if outcome.startswith(f"{origin}: "))

    assert of("responder") == uses["responder"]["requests"]
    assert of("responder") % 6 == 0 and of("given") == 4
    assert funnel["given: disputed"] == 2
    assert min(funnel[f"responder: {name}"] for name in ("truncated", "refused", "failed")) > 40
    assert uses["responder"]["failed"] == funnel["responder: failed"]
    assert of("rephrasing") == 12
    assert whole.run.budget.requests == uses["responder"]["requests"] + uses["teacher"]["requests"]


def test_what_is_broken_or_disputed_is_in_no_set_and_no_trace(whole: Made) -> None:
    """Simulated truncations end before the answer, and refusals and errors give none: each response must be whole."""
    responses = whole.responses.filter(pl.col("origin") != "given")
    assert responses.height > 200
    ends = r"\\boxed\{.*\}\S*$|The answer is:? .+$"
    assert responses["text"].str.contains(ends).all()
    assert whole.traces["completion"].list.get(0).struct.field("content").str.contains(ends).all()
    texts = set(whole.responses.filter(pl.col("origin") == "given")["text"])
    assert texts == {"It is \\boxed{500}.", "\\boxed{8}"}


def test_a_kept_set_has_one_right_response_and_one_author(whole: Made) -> None:
    compared = whole.kept.filter(pl.col("n_responses") > 1)
    assert compared.height > 60
    for one in compared.to_dicts():
        rewards = [response["reward"] for response in one["responses"]]
        assert rewards.count(1.0) == 1 and rewards[one["best"]] == 1.0
        assert len({response["model"] for response in one["responses"]}) == 1
        origins = {response["origin"] for response in one["responses"]}
        assert origins in ({"responder"}, {"teacher", "rewrite"}, {"given"})


def test_taught_sets_have_a_right_answer_of_the_teacher_and_its_words_for_wrong_ones(whole: Made) -> None:
    best = {"teacher": set(), "rewrite": set()}  # type: dict[str, set[float]]
    for one in whole.responses.filter(pl.col("drop_reason").is_null() & pl.col("origin").is_in(list(best))).to_dicts():
        assert one["model"] == "big"
        best[one["origin"]].add(one["reward"])
    assert best["rewrite"] == {0.0} and 1.0 in best["teacher"]
    assert whole.source.stage.facts["synthesis"]["composition"]["taught"] > 5


def test_single_responses_are_as_often_right_as_wrong(whole: Made) -> None:
    labels = whole.kept.filter(pl.col("label").is_not_null())["label"].to_list()
    assert labels.count(0) == labels.count(1) > 5


def test_traces_are_the_right_answers_with_their_thoughts(whole: Made) -> None:
    right = sum(rows for outcome, rows in whole.funnel.items() if outcome.endswith(": right"))
    assert 0 < whole.traces.height == right - whole.funnel.get("repeated right answers", 0)
    passed = whole.traces.filter(pl.col("origin") == "responder")
    assert passed["pass_count"].min() >= 1 and (passed["pass_count"] <= passed["pass_samples"]).all()  # type: ignore[operator]
    assert whole.traces["trace_id"].is_unique().all() and whole.traces["verified"].all()
    texts = whole.traces.filter(pl.col("origin") != "given")["completion"].list.get(0).struct.field("content")
    assert texts.str.starts_with("<think>\n").all()
    assert set(whole.traces["origin"]) == {"responder", "teacher", "given"}


def test_every_graded_answer_stands_in_the_table_of_answers(whole: Made) -> None:
    found = whole.frame("answers")
    for verdict in ("right", "wrong", "undecided"):
        counted = sum(rows for outcome, rows in whole.funnel.items() if outcome.endswith(f": {verdict}"))
        assert found.filter(verdict=verdict).height == counted
    assert set(found["verdict"]) <= {"right", "wrong", "undecided"} and found["answer_id"].is_unique().all()
    assert found["query_id"].is_sorted() and found["split"].null_count() == found.height
    bought = found.filter(pl.col("origin") != "given")
    assert bought["request_id"].null_count() == 0 and bought["completion_tokens"].min() > 0  # type: ignore[operator]
    golds = {one.query_id: one.gold.answer for one in questions()}
    assert all(golds.get(query, gold) == gold for query, gold in found.select("query_id", "gold").iter_rows())


def test_the_stem_of_every_other_form_is_written(whole: Made) -> None:
    stems = dict(whole.frame("stems").iter_rows())
    assert stems[query_id(user("1 + 1?"))] == "one and one"
    reworded = [one for one in questions() if one.source_id.startswith("lean")]
    kept = whole.sets.filter(
        pl.col("source_id").str.starts_with("lean") & (pl.col("drop_reason") != "needs_options").fill_null(True)
    )
    assert kept.height > 6
    assert {stems[one] for one in kept["query_id"]} <= {one.query[0].content for one in reworded}
    assert len(stems) == 1 + kept["query_id"].n_unique()


def test_nothing_depends_on_the_order_of_the_rows(tmp_path: Path, whole: Made) -> None:
    rows = questions()
    random.Random(1).shuffle(rows)
    again = made(Root(tmp_path), recipe(WEAK, STRONG, samples=6), rows, unreadable=2)
    for table in ("sets", "traces", "answers", "stems"):
        assert again.bytes_of(table) == whole.bytes_of(table)
    assert again.source.stage.facts == whole.source.stage.facts


def test_the_same_again_buys_nothing_and_finds_the_stage(tmp_path: Path) -> None:
    root, rows = Root(tmp_path), [a_question(number, AnswerForm.OPTION) for number in range(20)]
    first = made(root, recipe(WEAK, STRONG), rows)
    again = made(root, recipe(WEAK, STRONG), rows)
    assert first.run.budget.requests > 80 and again.run.budget.requests == 0
    assert again.source.stage == first.source.stage


def test_another_seed_composes_anew_from_the_answers_that_are_there(whole: Made) -> None:
    again = made(whole.source.stage.root, seeded(recipe(WEAK, STRONG, samples=6), 8), questions(), unreadable=2)
    assert again.run.budget.requests == 0
    assert again.uses == whole.uses
    assert again.bytes_of("sets") != whole.bytes_of("sets")
    assert again.bytes_of("traces") == whole.bytes_of("traces")


def seeded(made: Recipe, seed: int) -> Recipe:
    tree = made.model_dump(exclude_unset=True)
    tree["build"]["seed"] = seed
    return recipe_of(tree, Path())


@pytest.mark.slow
def test_a_run_that_stops_at_its_budget_goes_on_where_it_stopped(tmp_path: Path, whole: Made) -> None:
    root, rows, bought = Root(tmp_path), questions(), 0
    for most in (3, 40, 300):
        with pytest.raises(BudgetReached):
            made(root, limited(recipe(WEAK, STRONG, samples=6), most), rows, unreadable=2)
        bought += most
    last = made(root, recipe(WEAK, STRONG, samples=6), rows, unreadable=2)
    assert bought + last.run.budget.requests == whole.run.budget.requests
    assert last.bytes_of("sets") == whole.bytes_of("sets")
    assert last.uses == whole.uses


def limited(made: Recipe, requests: int) -> Recipe:
    tree = made.model_dump(exclude_unset=True) | {"budget": {"max_requests": requests}}
    return recipe_of(tree, Path())


@pytest.mark.parametrize(("accuracy", "reason"), [(0.02, "no_right_response"), (0.98, "no_wrong_response")])
def test_without_a_teacher_what_cannot_be_compared_is_dropped_by_name(
    tmp_path: Path, accuracy: float, reason: str
) -> None:
    rows = [a_question(number, AnswerForm.OPTION) for number in range(40)]
    found = made(Root(tmp_path), recipe(simulated(accuracy=accuracy), single_share=0.0), rows)
    reasons = found.sets["drop_reason"].to_list()
    assert len(reasons) == 40 and reasons.count(reason) > 30
    assert set(found.uses) == {"responder"}


def test_where_no_answer_comes_to_anything_the_question_says_so(tmp_path: Path) -> None:
    rows = [a_question(number, AnswerForm.OPTION) for number in range(10)]
    found = made(Root(tmp_path), recipe(simulated(truncated=0.5, refused=0.5), STRONG), rows)
    assert set(found.sets["drop_reason"]) == {"no_response"}
    assert found.traces.is_empty() and found.sets["n_responses"].to_list() == [0] * 10
    assert set(found.uses) == {"responder"}


def test_short_answers_make_sets_without_a_teacher_where_they_are_options(tmp_path: Path) -> None:
    rows = [a_question(number, AnswerForm.TEXT) for number in range(30)]
    found = made(Root(tmp_path), recipe(simulated(accuracy=0.5)), rows)
    assert found.kept.filter(pl.col("n_responses") > 1).height > 10
    assert "responder: undecided" not in found.funnel


def test_thoughts_come_through_to_sets_and_traces_from_either_field(tmp_path: Path) -> None:
    question = a_question(1, AnswerForm.OPTION)  # option 2 is right
    replies = iter(
        [
            chat("<think>\nFirst thought.\n</think>\nThe answer is option 2"),
            chat("So, the answer is option 2", reasoning="Second thought."),
            chat("The answer is option 1", reasoning_content="Third thought."),
            chat("<think>Fourth thought, which ends in option 2"),
            chat("<thinking>Fifth thought.</thinking>The <think> tag aside, the answer is option 2"),
            chat("[THINK]Sixth thought.[/THINK]Indeed, the answer is option 2", reasoning="Sixth thought."),
        ]
    )

    def reply(_: Any) -> Reply:
        return next(replies)

    with StandIn(then=reply) as server:
        found = made(Root(tmp_path), recipe(openai(server.url), single_share=0.0, samples=6), [question])
    traces = found.traces["completion"].list.get(0).struct.field("content").to_list()
    assert sorted(traces) == [
        "<think>\nFifth thought.\n</think>\n\nThe <think> tag aside, the answer is option 2",
        "<think>\nFirst thought.\n</think>\n\nThe answer is option 2",
        "<think>\nSecond thought.\n</think>\n\nSo, the answer is option 2",
        "<think>\nSixth thought.\n</think>\n\nIndeed, the answer is option 2",
    ]
    assert set(found.responses["reasoning"]) < {
        f"{name} thought." for name in ("First", "Second", "Third", "Fifth", "Sixth")
    }
    assert found.funnel == {"questions": 1, "responder: empty": 1, "responder: right": 4, "responder: wrong": 1}


def test_repeated_right_answers_are_one_trace_and_counted(tmp_path: Path) -> None:
    with StandIn(then=chat("The answer is option 2")) as server:
        found = made(Root(tmp_path), recipe(openai(server.url), samples=4), [a_question(1, AnswerForm.OPTION)])
    assert found.traces.select("pass_count", "pass_samples").rows() == [(4, 4)]
    assert found.funnel == {"questions": 1, "responder: right": 4, "repeated right answers": 3}


def test_what_did_not_come_is_asked_for_again_by_the_next_run(tmp_path: Path) -> None:
    root, rows = Root(tmp_path), [a_question(number, AnswerForm.OPTION) for number in range(4)]
    with StandIn(server_error(), then=chat("The answer is option 1")) as server:
        weak = recipe(openai(server.url, max_retries=0, max_concurrency=1), samples=1)
        first, second = (made(root, weak, rows) for _ in range(2))
        third = made(root, weak, rows)
    assert (first.funnel["responder: failed"], second.run.budget.requests) == (1, 1)
    assert "responder: failed" not in second.funnel
    assert (third.run.budget.requests, third.source.stage) == (0, second.source.stage)
