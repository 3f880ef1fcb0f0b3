"""Rephrasing: what leans on options is asked in words that need none and give nothing away, or dropped by name."""

import random
from pathlib import Path

import pytest

from pipelines.synthesis.answers import read_rephrased
from pipelines.synthesis.questions import Rephrasing, asked_instead, leans_on_options, rephrased_questions
from schemas.errors import EngineError
from schemas.generation import Completion, FaultKind
from schemas.preference import DropReason
from schemas.question import QUESTIONS, AnswerForm, Gold, Question, questions_of
from schemas.recipe import Recipe
from storage.root import Root
from storage.stages import Stage
from storage.tables import read_table
from tests.examples import a_run, simulated
from tests.pipelines.engines.stand_in_server import StandIn, chat, server_error
from tests.pipelines.synthesis.own_questions import asked, asker, openai, questions_stage, recipe

OPTIONS = ("They carry the network name", "They are encrypted", "They need an acknowledgement")
GOLD = Gold(AnswerForm.TEXT, OPTIONS[0], OPTIONS)
LEANING = asked("Which statement is true about beacon frames?", GOLD, "leaning")
STANDING = asked("What do beacon frames carry?", GOLD, "standing")
GOOD = "What can a station learn from beacon frames before it joins?"


def rephrased(root: Root, made: Recipe, *questions: Question) -> tuple[list[Question], Stage, int]:
    """Return the questions as they are asked afterwards, their stage, and how many requests were bought."""
    given = questions_stage(root, questions)
    teacher = asker(root, made, "teacher") if made.models.teacher else None
    run = teacher.run if teacher else a_run(made)[0]
    stage = rephrased_questions(root, run, teacher, given)
    return questions_of(read_table(stage.paths("questions"), QUESTIONS)), stage, run.budget.requests


def outcomes(stage: Stage) -> dict[str, int]:
    return {row["outcome"]: row["rows"] for row in stage.facts["rephrasing"]["outcomes"]}


def many(count: int = 60) -> list[Question]:
    return [
        asked(f"Which statement is true about counter {number} of cell {number * 7919}?", GOLD, f"{number:03}")
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("question", "leans"),
    [
        (LEANING, True),
        (asked("The departure process of a queue follows a:", GOLD), True),
        (STANDING, False),
        (LEANING.dropped(DropReason.CONFLICTING_GOLD), False),
        (asked(LEANING.query[0].content, Gold(AnswerForm.TEXT, "so")), False),
        (asked("Prove that the following holds:", Gold(AnswerForm.MATH, "2")), False),
    ],
)
def test_only_open_short_answer_questions_that_had_options_lean_on_them(question: Question, leans: bool) -> None:
    assert leans_on_options(question) is leans


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"It names the network.\n\nQuestion: {GOOD}", GOOD),
        (f"**Question:** {GOOD}", GOOD),
        (f"Question: {GOOD} \n\n", GOOD),
        (f"Question: one?\nQuestion: {GOOD}", GOOD),
        (f"Question: {GOOD}\nI hope this helps.", Rephrasing.MALFORMED),
        (f"The question: {GOOD}", Rephrasing.MALFORMED),
        (GOOD, Rephrasing.MALFORMED),
        ("Question:", Rephrasing.MALFORMED),
        ("", Rephrasing.MALFORMED),
        (f"Question: {'What is ' * 200}it?", Rephrasing.MALFORMED),
        ("Question: Beacon frames do what", Rephrasing.LEANS),
        ("Question: Which statement holds for beacon frames?", Rephrasing.LEANS),
        ("Question: Which of these do beacon frames do?", Rephrasing.LEANS),
        ("Question: What is NOT done by beacon frames?", Rephrasing.LEANS),
        ("Question: What name do beacon frames spread?", Rephrasing.GIVES_AWAY),
        ("Question: Of which NETWORKS do beacon frames speak?", Rephrasing.GIVES_AWAY),
        ("Question: Do they really help with beacon frames?", "Do they really help with beacon frames?"),
    ],
)
def test_what_may_be_asked_instead(text: str, found: str | Rephrasing) -> None:
    row = asked_instead(LEANING, Completion("r", text, finish_reason="stop"))
    assert (row.text or row.result) == found and (row.text is None) == (row.result is not Rephrasing.REPHRASED)


def test_what_is_no_whole_answer_asks_nothing() -> None:
    text = f"Question: {GOOD}"
    broken = [
        None,
        Completion("r", text, finish_reason="length"),
        Completion("r", text, finish_reason="refusal"),
        Completion("r", error="HTTP 400", fault=FaultKind.REQUEST),
    ]
    assert {asked_instead(LEANING, one).result for one in broken} == {Rephrasing.MALFORMED}


def test_words_of_the_published_question_may_stay_though_the_answer_has_them() -> None:
    question = asked("The network name in beacon frames serves to:", Gold(AnswerForm.TEXT, "name the network", OPTIONS))
    text = "What is the network name in beacon frames for?"
    assert asked_instead(question, Completion("r", f"Question: {text}")).text == text


def test_a_reworded_question_keeps_all_but_its_words(tmp_path: Path) -> None:
    with StandIn(then=chat(f"Question: {GOOD}")) as server:
        found, stage, bought = rephrased(Root(tmp_path), recipe(simulated(), openai(server.url)), LEANING, STANDING)
        prompt = server.requests[0].body["messages"][-1]["content"]
    by_id = {one.source_id: one for one in found}
    assert by_id["standing"] == STANDING
    new = by_id["leaning"]
    assert (new.query[0].content, new.stem) == (GOOD, LEANING.query[0].content)
    assert (new.gold, new.reference, new.source_id, new.drop_reason) == (GOLD, OPTIONS[0], "leaning", None)
    assert new.query_id == asked(GOOD, GOLD).query_id != LEANING.query_id
    assert all(text in prompt for text in (*OPTIONS, LEANING.query[0].content))
    assert (bought, outcomes(stage)) == (1, {"rephrasing: rephrased": 1})


def test_one_more_sample_is_drawn_and_no_third(tmp_path: Path) -> None:
    with StandIn(chat("Question: What network is it?"), then=chat(f"Question: {GOOD}")) as server:
        (found,), _, bought = rephrased(Root(tmp_path / "a"), recipe(simulated(), openai(server.url)), LEANING)
        assert (found.query[0].content, bought) == (GOOD, 2)
    with StandIn(then=chat("Question: What network is it?")) as server:
        (found,), stage, bought = rephrased(Root(tmp_path / "b"), recipe(simulated(), openai(server.url)), LEANING)
    assert (found, bought) == (LEANING.dropped(DropReason.NEEDS_OPTIONS), 2)
    assert outcomes(stage) == {"rephrasing: gives_away": 1}


def test_without_a_teacher_what_leans_on_options_is_dropped_by_name(tmp_path: Path) -> None:
    found, stage, bought = rephrased(Root(tmp_path), recipe(simulated()), LEANING, STANDING)
    assert {one.source_id: one.drop_reason for one in found} == {
        "leaning": DropReason.NEEDS_OPTIONS,
        "standing": None,
    }
    assert (bought, outcomes(stage), stage.facts["rephrasing"]["use"]) == (0, {"rephrasing: no_teacher": 1}, None)


def test_where_nothing_leans_on_options_nothing_is_asked_or_written(tmp_path: Path) -> None:
    root = Root(tmp_path)
    given = questions_stage(root, [STANDING])
    teacher = asker(root, recipe(simulated(), openai("http://127.0.0.1:9")), "teacher")
    assert rephrased_questions(root, teacher.run, teacher, given) == given
    assert teacher.answers.requests == 0


def test_a_finished_stage_is_found_and_says_what_it_took(tmp_path: Path) -> None:
    made, counts = recipe(simulated(), simulated(seed=3)), []
    for _ in range(2):
        teacher = asker(Root(tmp_path), made, "teacher")
        rephrased_questions(teacher.root, teacher.run, teacher, questions_stage(teacher.root, many()))
        counts.append((teacher.answers.facts(), teacher.run.budget.requests))
    assert counts[0][0] == counts[1][0]
    assert counts[0][1] >= 60 and counts[1][1] == 0


def test_the_simulated_teacher_rewords_most_and_loses_none(tmp_path: Path) -> None:
    teacher = simulated(seed=3, truncated=0.1, refused=0.1, failed=0.1)
    found, stage, bought = rephrased(Root(tmp_path), recipe(simulated(), teacher), *many(200))
    assert len(found) == 200 and [one.query_id for one in found] == sorted(one.query_id for one in found)
    counts = outcomes(stage)
    assert sum(counts.values()) == 200 and counts["rephrasing: rephrased"] > 150
    assert sum(one.drop_reason is DropReason.NEEDS_OPTIONS for one in found) == 200 - counts["rephrasing: rephrased"]
    assert bought == stage.facts["rephrasing"]["use"]["requests"] < 300
    for one in found:
        if one.drop_reason is None:
            assert not leans_on_options(one)
            assert one.stem is not None and leans_on_options(asked(one.stem, one.gold))


def test_nothing_depends_on_the_order_of_the_rows(tmp_path: Path) -> None:
    questions, contents = many(), set()
    for seed in range(3):
        random.Random(seed).shuffle(questions)
        _, stage, _ = rephrased(Root(tmp_path / str(seed)), recipe(simulated(), simulated(seed=3)), *questions)
        contents.add(stage.content)
    assert len(contents) == 1


def test_an_endpoint_in_trouble_drops_nothing(tmp_path: Path) -> None:
    with StandIn(then=server_error()) as server:
        made = recipe(simulated(), openai(server.url, max_retries=0))
        with pytest.raises(EngineError, match="rephrasing questions of own: 2 of 2 requests got no answer"):
            rephrased(Root(tmp_path), made, LEANING)


def test_what_did_not_come_is_asked_again_by_the_next_run(tmp_path: Path) -> None:
    root, good = Root(tmp_path), chat(f"Question: {GOOD}")
    with StandIn(server_error(), chat("Question: The network?"), then=good) as server:
        made = recipe(simulated(), openai(server.url, max_retries=0))
        (first,), _, _ = rephrased(root, made, LEANING)
        (second,), _, bought = rephrased(root, made, LEANING)
    assert first.drop_reason is DropReason.NEEDS_OPTIONS
    assert (second.drop_reason, second.query[0].content, bought) == (None, GOOD, 1)


def test_the_last_line_alone_is_read() -> None:
    assert read_rephrased(f"Question: {GOOD}\n\n  ") == GOOD
    assert read_rephrased("Question: a?\n\nThat is all.") is None
