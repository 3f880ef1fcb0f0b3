"""Rephrasing: short-answer questions that lean on their options are asked in words that need none, or set aside.

    Which statement is true about beacons?      What does an access point announce itself with, and how often?

A teacher who knows the right option asks for it in other words. What it asks must stand by itself and give nothing
away: no word of the right answer may stand in it that the published question does not have. Otherwise it is asked once
more, and then the question is dropped (`needs_options`), as it is without a teacher. The published question stays the
`stem`, so that clusters and splits go by it.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from pipelines.engines.answering import Run
from pipelines.engines.outages import check_answers
from pipelines.sources.option_needs import needs_options, needs_rewriting
from pipelines.synthesis.answers import is_answer, rephrase_request
from pipelines.synthesis.asking import Asked, answers_of
from pipelines.synthesis.prompts import read_rephrased
from schemas.generation import Completion, Request
from schemas.preference import DropReason
from schemas.query import query_id, user
from schemas.question import QUESTIONS, AnswerForm, Question, questions_of, questions_table
from storage.root import Root
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tables import read_batches

STAGE_VERSION = 1
REPHRASING = "rephrasing questions"
"""What the teacher does here, as watchers, event logs and plans name it."""
ATTEMPTS = 2
LONGEST = 1_000
"""Characters of a question at most. TeleQnA's longest has 421."""

_WORD = re.compile(r"[^\W_]+")
_IDLE = frozenset(
    _WORD.findall(
        "a about after all also an and any are as at be because been before being between both but by can could do "
        "does each either for from had has have how i if in into is it its may more most must no not of on one only "
        "or other over should so some such than that the their them then there these they this those through to under "
        "used using was we were what when where which while who whose why will with within without would you"
    )
)
"""Words that give nothing away: hardly a question does without them."""


class Rephrasing(StrEnum):
    """What became of a question that leans on its options."""

    REPHRASED = "rephrased"
    MALFORMED = "malformed"
    """The teacher broke off, refused, or ended in no question."""
    LEANS = "needs_options"
    """What it asked leans on options too."""
    GIVES_AWAY = "gives_away"
    """What it asked holds words of the right answer."""
    NO_TEACHER = "no_teacher"


def leans_on_options(question: Question) -> bool:
    """Say whether a question that had options makes no sense without them."""
    return (
        question.drop_reason is None
        and question.gold.form is AnswerForm.TEXT
        and bool(question.gold.options)
        and len(question.query) == 1
        and needs_rewriting(question.query[0].content)
    )


def rephrased_questions(root: Root, run: Run, asked: Asked | None, questions: Stage) -> Stage:
    """Return the stage with the table `questions`, sorted by (query_id, source_id), none of which leans on options.

    It is the stage that was given where none does. `asked` is the teacher's, where the recipe has one; afterwards it
    holds what this stage took, whether now or earlier.
    """
    source = questions.facts["source"]
    settings = asked.job.settings() if asked else None
    key = stage_key(f"rephrased-{source}", STAGE_VERSION, settings, [questions.content])
    found = find_stage(root, key)
    use = found.facts["rephrasing"]["use"] if found else None
    if found and not (run.retry_failed and use and use["failed"]):
        if asked is not None and use is not None:
            asked.recall(use)
        return found
    every = [one for batch in read_batches(questions.paths("questions"), QUESTIONS) for one in questions_of(batch)]
    leaning = [one for one in every if leans_on_options(one)]
    if not leaning:
        return questions
    found_texts = _asked(root, run, asked, leaning) if asked is not None else [Rephrasing.NO_TEACHER] * len(leaning)
    if asked is not None:
        what = f"{REPHRASING} of {source}"
        check_answers(run, what, asked.requests, asked.failed, asked.given_up, asked.error, len(asked.questions))
        if asked.given_up:
            key = stage_key(
                f"rephrased-{source}", STAGE_VERSION, [settings, sorted(asked.given_up)], [questions.content]
            )
    rows = [one for one in every if not leans_on_options(one)]
    rows += [_rephrased(one, text) for one, text in zip(leaning, found_texts, strict=True)]
    with TableWriter(root, key, "questions", QUESTIONS) as writer:
        writer.write(questions_table(sorted(rows, key=lambda one: (one.query_id, one.source_id))))
    counts = Counter(text if isinstance(text, Rephrasing) else Rephrasing.REPHRASED for text in found_texts)
    outcomes = [
        {"outcome": f"rephrasing: {outcome}", "rows": counts[outcome]} for outcome in Rephrasing if counts[outcome]
    ]
    facts = {"outcomes": outcomes, "use": asked.facts() if asked is not None else None}
    every_fact = {**questions.facts, "rephrasing": facts}
    return finish_stage(root, key, {"questions": writer.files}, every_fact, [questions])


def _asked(root: Root, run: Run, asked: Asked, leaning: Sequence[Question]) -> list[str | Rephrasing]:
    """Return what the teacher asks in place of each question, or why it may not be asked."""
    found: list[str | Rephrasing] = [Rephrasing.MALFORMED] * len(leaning)
    for attempt in range(ATTEMPTS):
        wanted = [
            (index, rephrase_request(asked.job, one, attempt))
            for index, one in enumerate(leaning)
            if isinstance(found[index], Rephrasing)
        ]
        answers = answers_of(root, run, asked, REPHRASING, (one for _, one in wanted), _readable)
        for index, one in wanted:
            found[index] = asked_instead(leaning[index], answers.get(one.request_id))
    return found


def _readable(_: Request, text: str) -> bool:
    return read_rephrased(text) is not None


def asked_instead(question: Question, completion: Completion | None) -> str | Rephrasing:
    """Return the question that an answer of the teacher ends in, or why it may not be asked."""
    if completion is None or not is_answer(completion):
        return Rephrasing.MALFORMED
    text = read_rephrased(completion.text or "")
    if text is None or len(text) > LONGEST:
        return Rephrasing.MALFORMED
    if needs_rewriting(text) or needs_options(text):
        return Rephrasing.LEANS
    new = _words(text) - _words(question.query[0].content)
    return Rephrasing.GIVES_AWAY if new & _words(question.gold.answer) else text


def _rephrased(question: Question, text: str | Rephrasing) -> Question:
    if isinstance(text, Rephrasing):
        return question.dropped(DropReason.NEEDS_OPTIONS)
    query = user(text)
    return replace(question, query_id=query_id(query), query=query, stem=question.stem or question.query[0].content)


def _words(text: str) -> set[str]:
    """Return the words of a text that say something, in lower case, a plural's s taken off."""
    words = {word.casefold() for word in _WORD.findall(text)} - _IDLE
    return {word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words}
