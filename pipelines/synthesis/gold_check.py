"""The gold check: before anybody is paid for answers, each verifier grades the gold answer itself."""

from collections import defaultdict
from collections.abc import Sequence

from pipelines.synthesis.grading import grading_themselves
from schemas.preference import DropReason
from schemas.question import QUESTIONS, Question, questions_of, questions_table
from storage.root import Root
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tables import read_batches

STAGE_VERSION = 3
"""Counts the verifiers' changes, too."""


def checked_questions(root: Root, questions: Stage) -> Stage:
    """Return the stage with the table `questions`, each with a gold answer that can be graded, or dropped by name.

    What stands in a source twice is asked once; where its gold answers differ, nobody knows which one is right.
    """
    key = stage_key(f"questions-{questions.facts['source']}", STAGE_VERSION, [], [questions.content])
    if found := find_stage(root, key):
        return found
    every = [one for batch in read_batches(questions.paths("questions"), QUESTIONS) for one in questions_of(batch)]
    every = _once(every)
    open_ones = [one for one in every if one.drop_reason is None]
    gradable = dict(zip(map(id, open_ones), grading_themselves(open_ones), strict=True))
    with TableWriter(root, key, "questions", QUESTIONS) as writer:
        writer.write(
            questions_table(
                [one if gradable.get(id(one), True) else one.dropped(DropReason.GOLD_NOT_GRADABLE) for one in every]
            )
        )
    return finish_stage(root, key, {"questions": writer.files}, questions.facts, [questions])


def _once(questions: Sequence[Question]) -> list[Question]:
    """Return the questions, in order, repeats of a query dropped; all of them where their gold answers differ."""
    golds: defaultdict[str, set[str]] = defaultdict(set)
    for one in questions:
        if one.drop_reason is None:
            golds[one.query_id].add(one.gold.answer)
    seen: set[str] = set()
    once = []
    for one in questions:
        if len(golds[one.query_id]) > 1:
            one = one.dropped(DropReason.CONFLICTING_GOLD)
        elif one.drop_reason is None and one.query_id in seen:
            one = one.dropped(DropReason.DUPLICATE)
        elif one.drop_reason is None:
            seen.add(one.query_id)
        once.append(one)
    return once
