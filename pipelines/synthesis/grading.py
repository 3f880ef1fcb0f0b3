"""Grading: candidates get the verdict of their question's verifier, and of the source's own label where it has one."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from pipelines.grading.crew import grade_all
from schemas.candidate import Candidate, Origin
from schemas.question import AnswerForm, Gold, Grade, Question, Verdict

Answered = tuple[Question, list[Candidate]]


def graded(answered: Iterable[Answered]) -> Iterator[Answered]:
    """Yield the questions, in order, with their candidates, those that were undecided as their verifier finds them.

    `answered` is read a little ahead of what is yielded, so that the verifier's processes always have work.
    """
    waiting: deque[Answered] = deque()

    def texts() -> Iterator[tuple[Gold, str]]:
        for question, candidates in answered:
            waiting.append((question, candidates))
            yield from ((question.gold, one.text or "") for one in candidates if _is_open(one))

    grades: list[Grade] = []
    for grade in grade_all(texts()):
        while not any(map(_is_open, waiting[0][1])):
            yield waiting.popleft()
        grades.append(grade)
        if len(grades) == sum(map(_is_open, waiting[0][1])):
            yield _with_grades(*waiting.popleft(), grades)
            grades = []
    yield from waiting  # nothing of these was open


def _is_open(candidate: Candidate) -> bool:
    return candidate.verdict is Verdict.UNDECIDED


def _with_grades(question: Question, candidates: Sequence[Candidate], grades: Sequence[Grade]) -> Answered:
    left = iter(grades)
    return question, [_graded(question, one, next(left)) if _is_open(one) else one for one in candidates]


def _graded(question: Question, candidate: Candidate, grade: Grade) -> Candidate:
    return replace(candidate, verdict=with_label(question, candidate, grade.verdict), answer=grade.answer)


def with_label(question: Question, candidate: Candidate, verdict: Verdict) -> Verdict:
    """Return the verdict that the source's label leaves: where both say something they must say the same."""
    reward = question.given[candidate.sample_index].reward if candidate.origin is Origin.GIVEN else None
    if reward is None or verdict not in (Verdict.RIGHT, Verdict.WRONG):
        return verdict
    return verdict if (reward > 0) == (verdict is Verdict.RIGHT) else Verdict.DISPUTED


def grading_themselves(questions: Iterable[Question]) -> Iterator[bool]:
    """Yield, for each question, whether its verifier finds the gold answer itself right."""
    every = list(questions)
    for grade in grade_all((one.gold, gold_text(one)) for one in every):
        yield grade.verdict is Verdict.RIGHT


def gold_text(question: Question) -> str:
    """Return a text that ends in the gold answer, in the form that responders are asked for."""
    return answer_text(question.gold.form, question.gold.answer)


def answer_text(form: AnswerForm, answer: str) -> str:
    """Return a text that ends in an answer."""
    match form:
        case AnswerForm.OPTION:
            return f"The answer is option {answer}"
        case AnswerForm.TEXT:
            return f"The answer is: {answer}"
        case _:
            return f"\\boxed{{{answer}}}"
