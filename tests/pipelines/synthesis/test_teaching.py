"""Teaching: a teacher's right answer comes with its own words for the wrong ones, and their answers stay wrong."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.engines.asking import Asker
from pipelines.grading.options import picks
from pipelines.grading.verification import grade
from pipelines.synthesis import teaching
from pipelines.synthesis.answers import given_candidates, read_comparison
from pipelines.synthesis.grading import answer_text, graded
from pipelines.synthesis.teaching import Pupil, needs_teacher
from schemas.candidate import Candidate, Origin
from schemas.preference import DropReason
from schemas.question import AnswerForm, Question, Verdict
from storage.root import Root
from tests.examples import simulated
from tests.pipelines.engines.stand_in_server import Reply, StandIn, chat
from tests.pipelines.synthesis.own_questions import WORDS, a_question, asker, given, openai, recipe

WRONG_TEXTS = {
    AnswerForm.MATH: ("Ten and ten.\n\nSo it is \\boxed{20}.", "Ten and twenty: \\boxed{30}"),
    AnswerForm.NUMBER: ("\\boxed{20 \\text{ dB}}", "\\boxed{3 \\text{ dB}}"),
    AnswerForm.OPTION: (f"The answer is option 1: {WORDS[0]}", "Answer: C"),
    AnswerForm.TEXT: (f"It asks.\nThe answer is: {WORDS[0]}", f"It hands over.\nThe answer is: {WORDS[2]}."),
}
ANSWER, COMPARISON, REWRITE = "end with one line", "#### Given Answer ####", "Write the answer anew"


def pupil(form: AnswerForm = AnswerForm.MATH, number: int = 1) -> Pupil:
    """Return a question with two wrong answers of a responder; the right one is that of `number`."""
    question = a_question(number, form)
    candidates = [
        Candidate(question.query_id, Origin.RESPONDER, index, "small", Verdict.UNDECIDED, text)
        for index, text in enumerate(WRONG_TEXTS[form])
    ]
    ((_, found),) = graded([(question, candidates)])
    return Pupil(question, tuple(found))


def short(text: str, **more: Any) -> Pupil:
    """Return a short-answer question with one answer that no rule can compare."""
    question = a_question(1, AnswerForm.TEXT, **more)
    return Pupil(question, (Candidate(question.query_id, Origin.RESPONDER, 0, "small", Verdict.UNDECIDED, text),))


def taught(root: Root, teacher: Any, *pupils: Pupil, **settings: Any) -> tuple[list[Pupil], Asker]:
    """Return the pupils with all their candidates, and the teacher as it was asked."""
    made = recipe(simulated(), teacher, **settings)
    model = asker(root, made, "teacher")
    with teaching.taught(model, made.synthesis, pupils) as helped:
        return [Pupil(question, tuple(candidates)) for question, candidates in helped], model


def reworded(found: Pupil) -> list[Candidate]:
    """Return the rewritten texts that may be wrong responses."""
    return [one for one in of_origin(found, Origin.REWRITE) if one.verdict is Verdict.WRONG]


def of_origin(found: Pupil, origin: Origin) -> list[Candidate]:
    return [one for one in found.candidates if one.origin is origin]


def behaving(question: Question, rewrite: Callable[[str], str], comparison: str = "") -> Callable[[Any], Reply]:
    """Return a server's behaviour: it answers right, and rewrites (by the prompt) and compares as it is told to."""

    def reply(body: dict[str, Any]) -> Reply:
        prompt = str(body["messages"][-1]["content"])
        if COMPARISON in prompt:
            return chat(comparison)
        return chat(
            rewrite(prompt)
            if REWRITE in prompt
            else f"As it happens.\n{answer_text(question.gold.form, question.gold.answer)}"
        )

    return reply


@pytest.mark.parametrize("form", AnswerForm)
def test_a_question_that_is_never_right_gets_a_right_answer_and_wrong_ones_of_one_author(
    tmp_path: Path, form: AnswerForm
) -> None:
    pupils = [pupil(form, number) for number in (1, 5, 9)]
    helped, _ = taught(Root(tmp_path), simulated(model="big", accuracy=0.98, difficulty_spread=0.0), *pupils)
    assert len(helped) == 3
    for found in helped:
        assert of_origin(found, Origin.TEACHER)[0].verdict is Verdict.RIGHT
        rewrites = reworded(found)
        assert rewrites and {one.model for one in rewrites} == {"big"}
        for one in rewrites:
            assert one.verdict is Verdict.WRONG
            assert grade(found.question.gold, one.text or "").verdict is Verdict.WRONG
            assert one.text not in WRONG_TEXTS[form]
        wrong = {same(found.question, one) for one in found.candidates if one.origin is Origin.RESPONDER}
        assert {same(found.question, one) for one in rewrites} <= wrong


def same(question: Question, candidate: Candidate) -> object:
    """Return a final answer apart from how it is written."""
    answer = candidate.answer or ""
    if question.gold.form is AnswerForm.OPTION:
        return frozenset(picks(question.gold.options, answer))
    return re.sub(r"\\text|\W", "", answer)


def test_a_rewritten_text_whose_answer_changed_is_not_kept(tmp_path: Path) -> None:
    found = pupil()
    with StandIn(then=behaving(found.question, lambda _: "It was \\boxed{101} after all")) as server:
        [found], model = taught(Root(tmp_path), openai(server.url), found, rewrites=2, teacher_samples=1)
    assert reworded(found) == []
    assert model.answers.requests == 1 + 2 * 2
    assert [one.verdict for one in of_origin(found, Origin.REWRITE)] == [Verdict.DISPUTED] * 4


def test_a_rewritten_text_that_also_passes_for_right_is_not_kept(tmp_path: Path) -> None:
    question = a_question(1)  # 101
    wrong = Candidate(question.query_id, Origin.RESPONDER, 0, "small", Verdict.WRONG, "\\boxed{1.01}", answer="1.01")
    found = Pupil(question, (wrong,))
    assert grade(question.gold, "\\boxed{101\\%}").verdict is Verdict.RIGHT
    with StandIn(then=behaving(question, lambda _: "\\boxed{101\\%}")) as server:
        [found], _ = taught(Root(tmp_path), openai(server.url), found)
    assert reworded(found) == []


def test_only_what_failed_is_rewritten_again(tmp_path: Path) -> None:
    found, prompts = pupil(), []

    def rewrite(prompt: str) -> str:
        prompts.append("20" if "\\boxed{20}" in prompt else "30")
        return "New words: \\boxed{20}" if prompts[-1] == "20" or len(prompts) < 3 else "New words: \\boxed{30}"

    with StandIn(then=behaving(found.question, rewrite)) as server:
        [found], _ = taught(Root(tmp_path), openai(server.url, max_concurrency=1), found, rewrites=4, teacher_samples=1)
    assert sorted(prompts[:2]) == ["20", "30"] and prompts[2:] == ["30"]
    assert [one.answer for one in reworded(found)] == ["20", "30"]


def test_wrong_answers_are_rewritten_once_each_before_repeats() -> None:
    question = a_question(1)
    answers = ["20", "20", "20", "30", "40"]
    candidates = tuple(
        Candidate(question.query_id, Origin.RESPONDER, index, "small", Verdict.WRONG, f"{index}", answer=answer)
        for index, answer in enumerate(answers)
    )
    assert Pupil(question, candidates).rewritable(4) == [0, 3, 4, 1]
    assert Pupil(question, candidates).rewritable(2) == [0, 3]


def test_where_the_teacher_is_wrong_too_nothing_is_rewritten(tmp_path: Path) -> None:
    never_right = simulated(accuracy=0.02, difficulty_spread=0.0)
    [found], model = taught(Root(tmp_path), never_right, pupil(), teacher_samples=2)
    assert model.answers.requests == 2
    assert {one.verdict for one in found.candidates} == {Verdict.WRONG}


def test_the_teacher_is_asked_only_where_it_can_help() -> None:
    question = a_question(1)

    def candidate(verdict: Verdict) -> Candidate:
        return Candidate(question.query_id, Origin.RESPONDER, 0, "small", verdict, "text")

    wrong, right, undecided = map(candidate, (Verdict.WRONG, Verdict.RIGHT, Verdict.UNDECIDED))
    assert needs_teacher(question, [wrong, undecided])
    assert not needs_teacher(question, [wrong, right])
    assert not needs_teacher(question, [undecided])
    assert not needs_teacher(question, [candidate(Verdict.EMPTY), candidate(Verdict.TRUNCATED)])
    assert not needs_teacher(question, [])
    assert not needs_teacher(question.dropped(DropReason.CONFLICTING_GOLD), [wrong])
    assert needs_teacher(a_question(1, AnswerForm.TEXT), [right, undecided])


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (chat("They agree.\nVerdict: \\boxed{right}"), Verdict.RIGHT),
        (chat("At first \\boxed{right}. Verdict: \\boxed{right}\nNo: **Verdict:** \\boxed{wrong}"), Verdict.WRONG),
        (chat("Verdict: right"), Verdict.UNDECIDED),
        (chat(""), Verdict.UNDECIDED),
        (chat("Verdict: \\boxed{right}", finish_reason="length"), Verdict.UNDECIDED),
        (chat(None, refusal="Verdict: \\boxed{right}"), Verdict.UNDECIDED),
        (chat("<think>Verdict: \\boxed{right}"), Verdict.UNDECIDED),
    ],
)
def test_a_comparison_says_right_or_wrong_or_nothing(tmp_path: Path, reply: Reply, verdict: Verdict) -> None:
    found = short("The answer is: the UE is called")

    def behave(body: dict[str, Any]) -> Reply:
        return reply if COMPARISON in str(body) else chat("")

    with StandIn(then=behave) as server:
        [found], _ = taught(Root(tmp_path), openai(server.url), found)
        prompt = next(text for one in server.requests if COMPARISON in (text := one.body["messages"][-1]["content"]))
    assert found.candidates[0].verdict is verdict
    assert WORDS[1] in prompt and "the UE is called" in prompt


def test_nothing_is_compared_twice(tmp_path: Path) -> None:
    found = short("The answer is: the UE is called")
    wrong = Candidate(found.question.query_id, Origin.RESPONDER, 1, "small", Verdict.WRONG, "no")
    found = Pupil(found.question, (*found.candidates, wrong))
    behave = behaving(found.question, lambda _: "", comparison="I cannot say.")
    with StandIn(then=behave) as server:
        _, model = taught(Root(tmp_path), openai(server.url), found, teacher_samples=1, rewrites=1)
        compared = [one for one in server.requests if COMPARISON in str(one.body)]
    assert len(compared) == 1
    assert model.answers.requests == len(server.requests)


def test_a_label_that_says_otherwise_disputes_the_teacher_as_well(tmp_path: Path) -> None:
    question = a_question(1, AnswerForm.TEXT, given=given(("It calls the UE", 0.0), ("It pages it", 1.0), ("?", None)))
    found = Pupil(question, tuple(given_candidates(question)))
    behave = behaving(question, lambda _: "", comparison="Verdict: \\boxed{right}")
    with StandIn(then=behave) as server:
        [found], _ = taught(Root(tmp_path), openai(server.url), found)
    assert [one.verdict for one in found.candidates] == [Verdict.DISPUTED, Verdict.RIGHT, Verdict.RIGHT]


def test_what_was_taught_before_is_not_bought_again(tmp_path: Path) -> None:
    results = []
    for _ in range(2):
        pupils = [pupil(AnswerForm.OPTION, number) for number in (1, 5, 9)]
        helped, model = taught(Root(tmp_path), simulated(model="big", accuracy=0.98), *pupils)
        results.append((helped, model.answers.facts(), model.run.budget.requests))
    assert results[0][:2] == results[1][:2]
    assert results[0][2] > 0 and results[1][2] == 0


def test_a_comparison_is_read_from_its_last_line_alone() -> None:
    both = 'The line must be "Verdict: \\boxed{wrong}" or "Verdict: \\boxed{right}".'
    assert read_comparison(f"It says the same.\n{both}\n**Verdict: \\boxed{{right}}**\n") is Verdict.RIGHT
    assert read_comparison(both) is Verdict.UNDECIDED
    assert read_comparison(f"{both} Now the given answer ..") is Verdict.UNDECIDED
    assert read_comparison("Verdict: \\boxed{right}\nBut then again") is Verdict.UNDECIDED
    assert read_comparison("") is Verdict.UNDECIDED
