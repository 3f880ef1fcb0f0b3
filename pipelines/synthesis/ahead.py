"""Asking ahead: what is asked most while sets are made is asked a share of the buckets at a time, before they are made.

Answers to questions, and votes on uncertain sets. When the sets are made, in one place, these answers stand in the
generations. What a teacher is asked follows from answers, and is far less: it is asked there.
"""

from collections.abc import Collection

from pipelines.engines.answering import Run
from pipelines.engines.asking import Asker
from pipelines.judging.sampling import sample_sets
from pipelines.sources.registry import SOURCES
from pipelines.synthesis.answers import answer_job
from pipelines.synthesis.questions import questions_to_answer
from pipelines.synthesis.responding import ask_questions
from pipelines.synthesis.retagging import retag_job, uncertain_sets
from schemas.recipe import Recipe, SourceSection
from storage.root import Root
from storage.stages import Stage


def role_asked(recipe: Recipe, section: SourceSection) -> str | None:
    """Return the role that is asked most for a source's sets; None where none is."""
    if SOURCES[section.kind].gives == "questions":
        return "responder"
    return "teacher" if retag_job(recipe, section) else None


def stage_asked(recipe: Recipe, root: Root, run: Run, section: SourceSection, read: Stage) -> Stage:
    """Return the stage whose rows are asked about; questions that lean on options are rephrased for it."""
    if SOURCES[section.kind].gives != "questions":
        return uncertain_sets(recipe.build, root, read)
    job = answer_job(recipe, "teacher")
    return questions_to_answer(root, run, Asker(root, run, job) if job else None, read)


def ask_ahead(
    recipe: Recipe, root: Root, run: Run, section: SourceSection, stage: Stage, buckets: Collection[int]
) -> None:
    """See that what is asked about the stage's rows in these buckets is answered, but for what fails in passing."""
    if (votes := retag_job(recipe, section)) is not None:
        sample_sets(root, run, votes, stage, buckets)
    elif job := answer_job(recipe, "responder"):
        ask_questions(Asker(root, run, job), recipe.synthesis.samples, stage, buckets)
