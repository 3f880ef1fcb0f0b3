"""Grading: candidates get the verdict of their question's verifier, and of the source's own label where it has one."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

from pipelines.grading.crew import grade_all
from schemas.candidate import Candidate, Origin
from schemas.question import AnswerForm, Gold, Question, Verdict

Answered = tuple[Question, list[Candidate]]


def graded(answered: Iterable[Answered]) -> Iterator[Answered]:
    """Yield the questions, in order, with their candidates, those that were undecided as their verifier finds them.

    `answered` is read a little ahead of what is yielded, so that the verifier's processes always have work.
    """
    waiting: deque[tuple[Question, list[Candidate], list[int]]] = deque()

    def texts() -> Iterator[tuple[Gold, str]]:
        for question, candidates in answered:
            undecided = [place for place, one in enumerate(candidates) if one.verdict is Verdict.UNDECIDED]
            waiting.append((question, list(candidates), undecided))
            yield from ((question.gold, candidates[place].text or "") for place in undecided)

    grades = grade_all(texts())
    for first in grades:
        question, candidates, undecided = waiting.popleft()
        while not undecided:
            yield question, candidates
            question, candidates, undecided = waiting.popleft()
        # Places come first in the zip: where they end, no grade of the next question is taken.
        for place, grade in zip(undecided, chain([first], grades), strict=False):
            verdict = with_label(question, candidates[place], grade.verdict)
            candidates[place] = replace(candidates[place], verdict=verdict, answer=grade.answer)
        yield question, candidates
    yield from (entry[:2] for entry in waiting)  # nothing of these was undecided


def with_label(question: Question, candidate: Candidate, verdict: Verdict) -> Verdict:
    """Return the verdict that the source's label leaves: where both say something they must say the same."""
    reward = question.given[candidate.sample_index].reward if candidate.origin is Origin.GIVEN else None
    if reward is None or verdict not in (Verdict.RIGHT, Verdict.WRONG):
        return verdict
    return verdict if (reward > 0) == (verdict is Verdict.RIGHT) else Verdict.DISPUTED


def grading_themselves(questions: Iterable[Question]) -> Iterator[bool]:
    """Yield, for each question, whether its verifier finds the gold answer itself right. A few are read ahead."""
    golds = (question.gold for question in questions)
    grades = grade_all((gold, answer_text(gold.form, gold.answer)) for gold in golds)
    yield from (grade.verdict is Verdict.RIGHT for grade in grades)


def answer_text(form: AnswerForm, answer: str) -> str:
    """Return a text that ends in an answer, in the form that responders are asked for."""
    match form:
        case AnswerForm.OPTION:
            return f"The answer is option {answer}"
        case AnswerForm.TEXT:
            return f"The answer is: {answer}"
        case _:
            return f"\\boxed{{{answer}}}"
