"""The way of one text to its grade.

    text -> final answer    `final_answer`, `options`
         -> its form        `notation`: looks, spacing and units taken off
         -> a value         `readings` (what words and signs may mean), `formulas`, `quantities`
         -> a verdict       `mathematics`, `quantities`, `options`: compared with the gold answer

One text at a time, in this process; `crew` grades many in processes of their own.
"""

import functools

from pipelines.grading import options
from pipelines.grading.final_answer import final_answer, taken_back
from schemas.question import AnswerForm, Gold, Grade, Verdict

_EXACT = 1e-9  # the tolerance of quantities that formulas are compared as
LONGEST_SHOWN = 1_000  # characters of an answer that a grade keeps


def grade(gold: Gold, text: str) -> Grade:
    """Return what the verifier of the gold's form says of a text. Has no time limit, which `crew.grade_all` has."""
    answer = answer_in(gold, text)
    if answer is None:
        return Grade(Verdict.NO_ANSWER)
    return Grade(Verdict.UNDECIDED if taken_back(text) else _verdict(gold, answer), answer[:LONGEST_SHOWN])


def answer_in(gold: Gold, text: str) -> str | None:
    """Return the final answer of a text, as the gold's form reads it; None where it gives none."""
    match gold.form:
        case AnswerForm.OPTION:
            return options.picked_answer(gold.options, text)
        case AnswerForm.TEXT:
            return options.stated_text(text)
        case _:
            return final_answer(text)


def _verdict(gold: Gold, answer: str) -> Verdict:
    match gold.form:
        case AnswerForm.OPTION:
            return options.verdict(gold.answer, gold.options, answer)
        case AnswerForm.TEXT:
            return options.text_verdict(gold.answer, answer, gold.options)
    from pipelines.grading import mathematics, quantities  # here, since sympy takes half a second to load

    if gold.form is AnswerForm.NUMBER:
        return quantities.verdict(gold.answer, answer, gold.tolerance)
    verdict = mathematics.verdict(gold.answer, answer)
    if verdict is Verdict.UNDECIDED and quantities.have_units(gold.answer, answer):
        return quantities.verdict(gold.answer, answer, _EXACT)  # who knows units decides between them
    return verdict


def grades_itself(gold: Gold) -> bool:
    """Return whether a gold answer can be compared with others; a question whose gold cannot is of no use."""
    match gold.form:
        case AnswerForm.OPTION:
            return options.reads(gold.answer, gold.options)
        case AnswerForm.TEXT:
            return options.text_verdict(gold.answer, gold.answer) is Verdict.RIGHT
        case AnswerForm.NUMBER:
            return _verdict(gold, gold.answer) is Verdict.RIGHT
    from pipelines.grading import mathematics

    return mathematics.reads(gold.answer)


@functools.cache
def prepare(form: AnswerForm) -> None:
    """Load the libraries that a form's verifier needs, so that no answer's time is spent on it."""
    if form in (AnswerForm.MATH, AnswerForm.NUMBER):
        grades_itself(Gold(AnswerForm.MATH, r"\sqrt{2}"))
    if form is AnswerForm.NUMBER:
        _verdict(Gold(form, "1 km"), "1000 m")
