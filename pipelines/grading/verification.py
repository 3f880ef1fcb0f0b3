"""Verification of answers: one text at a time in this process, or many in processes of their own."""

import functools
from collections.abc import Iterable, Iterator

from pipelines.grading import mathematics, options, quantities, short_texts
from pipelines.grading.crew import Crew, Limits
from pipelines.grading.final_answer import final_answer, taken_back
from schemas.question import AnswerForm, Gold, Grade, Verdict

_EXACT = 1e-9
"""The tolerance of quantities that formulas are compared as."""
LONGEST_SHOWN = 1_000
"""Characters of an answer that a grade keeps."""


def grade(gold: Gold, text: str) -> Grade:
    """Return what the verifier of the gold's form says of a text. Has no time limit, which `grade_all` has."""
    answer = answer_in(gold, text)
    if answer is None:
        return Grade(Verdict.NO_ANSWER)
    verdict = Verdict.UNDECIDED if taken_back(text) else _verdict(gold, answer)
    return Grade(verdict, answer[:LONGEST_SHOWN])


def answer_in(gold: Gold, text: str) -> str | None:
    """Return the final answer of a text, as the gold's form reads it; None where it gives none."""
    match gold.form:
        case AnswerForm.OPTION:
            return options.picked_answer(gold.options, text)
        case AnswerForm.TEXT:
            return short_texts.stated_answer(text)
        case _:
            return final_answer(text)


def grades_itself(gold: Gold) -> bool:
    """Return whether a gold answer can be compared with others; a question whose gold cannot is of no use."""
    match gold.form:
        case AnswerForm.MATH:
            return mathematics.reads(gold.answer)
        case AnswerForm.OPTION:
            return options.reads(gold.answer, gold.options)
        case AnswerForm.NUMBER:
            return quantities.reads(gold.answer)
        case AnswerForm.TEXT:
            return short_texts.verdict(gold.answer, gold.answer) is Verdict.RIGHT


@functools.cache
def prepare(form: AnswerForm) -> None:
    """Load the libraries that a form's verifier needs, so that no answer's time is spent on it."""
    match form:
        case AnswerForm.MATH:
            mathematics.reads(r"\sqrt{2}")
        case AnswerForm.NUMBER:
            quantities.verdict("1 km", "1000 m")
            mathematics.reads(r"\sqrt{2}")


def grade_all(
    items: Iterable[tuple[Gold, str]], *, workers: int | None = None, limits: Limits | None = None
) -> Iterator[Grade]:
    """Yield a grade for each pair of gold answer and text, in order, by `workers` processes (one a core).

    A pair that exceeds the limits is `timed_out`, and no other pair suffers from it. The pairs are drawn as they are
    needed. Raises EngineError where the processes do not start.
    """
    with Crew(workers, limits or Limits()) as crew:
        yield from crew.grades(items)


def _verdict(gold: Gold, answer: str) -> Verdict:
    match gold.form:
        case AnswerForm.MATH:
            verdict = mathematics.verdict(gold.answer, answer)
            if verdict is Verdict.UNDECIDED and quantities.have_units(gold.answer, answer):
                verdict = quantities.verdict(gold.answer, answer, _EXACT)  # who knows units decides between them
            return verdict
        case AnswerForm.OPTION:
            return options.verdict(gold.answer, gold.options, answer)
        case AnswerForm.NUMBER:
            return quantities.verdict(gold.answer, answer, gold.tolerance)
        case AnswerForm.TEXT:
            return short_texts.verdict(gold.answer, answer, gold.options)
