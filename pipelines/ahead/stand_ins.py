"""Sets to try a judge on where the data has questions and nothing to compare: a right answer beside one of another."""

from collections.abc import Sequence

from schemas.preference import LabelSource, PreferenceSet, Response, preference_set
from schemas.question import AnswerForm, Question

MOST = 50


def sets_of_questions(questions: Sequence[Question]) -> list[PreferenceSet]:
    """Return a set of the gold answer and a wrong one for some of the questions.

    They show whether a judge keeps the form, and nothing of how well it judges. No build asks for them.
    """
    usable = [question for question in questions if question.drop_reason is None][: MOST + 1]
    sets = []
    for question, other in zip(usable, usable[1:] + usable[:1], strict=True):
        right = question.gold.answer
        wrong = f"The answer is {other.gold.answer}." if other.gold.answer != right else "Nobody can know that."
        if question.gold.form is AnswerForm.OPTION and question.gold.options:
            wrong = next((f"The answer is {text}." for text in question.gold.options if text != right), wrong)
        sets.append(
            preference_set(
                query=question.query,
                responses=[Response(f"The answer is {right}.", 1.0), Response(wrong, 0.0)],
                label_source=LabelSource.VERIFIER,
                source=question.source,
                source_id=question.source_id,
                source_revision=question.source_revision,
                license=question.license,
                domain=question.domain,
            )
        )
    return [one for one in sets if one.drop_reason is None]
