"""The teacher: its own right answer, and the wrong ones in its words with their final answers unchanged."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.synthesis.answers import answer_job
from pipelines.synthesis.asking import Asked
from pipelines.synthesis.teaching import Pupil, needs_teacher, teach
from pipelines.synthesis.verification.verification import grade
from schemas.candidate import Candidate, Origin
from schemas.query import user
from schemas.question import AnswerForm, Gold, Question, Verdict, question
from schemas.recipe import ModelsSection, Recipe
from storage.root import Root
from tests.examples import a_recipe, a_run, simulated

OPTIONS = ("a cell that serves one room", "a very large cell", "a cell at sea", "no cell at all")
GOLDS = {
    AnswerForm.MATH: (Gold(AnswerForm.MATH, "\\frac{1}{2}"), ["\\frac{1}{3}", "7"]),
    AnswerForm.NUMBER: (Gold(AnswerForm.NUMBER, "30 dBm"), ["33 dBm", "35 dBm"]),
    AnswerForm.OPTION: (Gold(AnswerForm.OPTION, "1", OPTIONS), [f"option 2: {OPTIONS[1]}", "option 3"]),
    AnswerForm.TEXT: (Gold(AnswerForm.TEXT, OPTIONS[0], OPTIONS), [OPTIONS[1], OPTIONS[3]]),
}


def a_pupil(form: AnswerForm) -> Pupil:
    """Return a question of a form with two wrong answers, graded."""
    gold, wrong = GOLDS[form]
    asked = question(
        query=user("What is a femtocell?"),
        gold=gold,
        source="s",
        source_id="1",
        source_revision="r",
        license="MIT",
        domain="telecom",
    )
    return Pupil(asked, [answered(asked, index, answer) for index, answer in enumerate(wrong)])


def answered(asked: Question, index: int, answer: str) -> Candidate:
    boxed = asked.gold.form in (AnswerForm.MATH, AnswerForm.NUMBER)
    text = f"So it is \\boxed{{{answer}}}." if boxed else f"Let me think.\n\nThe answer is: {answer}"
    found = grade(asked.gold, text)
    return Candidate(asked.query_id, Origin.RESPONDER, index, "small", found.verdict, text, answer=found.answer)


def taught(pupil: Pupil, directory: Path, **teacher: Any) -> list[Candidate]:
    recipe: Recipe = a_recipe(directory)
    models = {"grm": simulated(), "teacher": simulated(model="large", **teacher)}
    recipe = recipe.model_copy(update={"models": ModelsSection.model_validate(models)})
    job = answer_job(recipe, "teacher")
    assert job is not None
    run, _ = a_run(recipe)
    teach(Root.open(str(directory)), run, Asked(job), recipe.synthesis, [pupil])
    return pupil.candidates


@pytest.mark.parametrize("form", AnswerForm)
def test_wrong_answers_of_every_form_are_reworded_and_stay_wrong(form: AnswerForm, tmp_path: Path) -> None:
    pupil = a_pupil(form)
    no_rule = form is AnswerForm.TEXT  # the teacher compares these first
    assert {one.verdict for one in pupil.candidates} == {Verdict.UNDECIDED if no_rule else Verdict.WRONG}
    assert needs_teacher(pupil.question, pupil.candidates)
    by_origin: dict[Origin, list[Candidate]] = {}
    for one in taught(pupil, tmp_path, accuracy=0.999, difficulty_spread=0.0):
        by_origin.setdefault(one.origin, []).append(one)
    assert Verdict.RIGHT in {one.verdict for one in by_origin[Origin.TEACHER]}
    assert len(by_origin[Origin.REWRITE]) >= 1
    for one in by_origin[Origin.REWRITE]:
        assert (one.verdict, one.model) == (Verdict.WRONG, "large")
        assert no_rule or grade(pupil.question.gold, one.text or "").verdict is Verdict.WRONG


def test_nothing_is_reworded_where_the_teacher_is_wrong_as_well(tmp_path: Path) -> None:
    found = taught(a_pupil(AnswerForm.OPTION), tmp_path, accuracy=0.001, difficulty_spread=0.0)
    assert {one.origin for one in found} == {Origin.RESPONDER, Origin.TEACHER}


def test_a_question_with_a_right_answer_needs_no_teacher() -> None:
    pupil = a_pupil(AnswerForm.MATH)
    right = replace(pupil.candidates[0], verdict=Verdict.RIGHT)
    assert not needs_teacher(pupil.question, [right, pupil.candidates[1]])
    assert not needs_teacher(pupil.question, [])


def test_a_rewritten_text_that_changes_its_answer_is_counted_and_no_wrong_response(tmp_path: Path) -> None:
    every = []
    for seed in range(40):  # one in twenty of the simulated teacher's strays
        found = taught(a_pupil(AnswerForm.MATH), tmp_path, accuracy=0.999, difficulty_spread=0.0, seed=seed)
        every += [one.verdict for one in found if one.origin is Origin.REWRITE]
    assert every.count(Verdict.WRONG) > 60
    assert Verdict.DISPUTED in every and Verdict.RIGHT not in every
