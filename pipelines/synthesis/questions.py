"""The questions of a source as they are asked: in words that need no options, each with a gold answer that is checked.

    Which statement is true about beacons?      What does an access point announce itself with, and how often?

Short-answer questions may lean on the options that they were published with. A teacher who knows the right option asks
for it in other words. What it asks must stand by itself and give nothing away: no word of the right answer may stand in
it that the published question does not have. Otherwise it is asked once more, and then the question is dropped
(`needs_options`), as it is without a teacher. The published question stays the `stem`, so that clusters and splits go
by it.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import chain, groupby, islice, tee
from operator import attrgetter

import pyarrow as pa

from pipelines.engines.answering import Run
from pipelines.engines.asking import Asker, find_answered
from pipelines.engines.shares import ALL_BUCKETS
from pipelines.sources.option_needs import needs_options, needs_rewriting
from pipelines.synthesis.answers import read_rephrased, rephrase_request, settings_of, whole_text
from pipelines.synthesis.grading import grading_themselves
from schemas.generation import Completion, Request
from schemas.preference import DropReason
from schemas.query import query_id, user
from schemas.question import QUESTIONS, AnswerForm, Question, questions_of, questions_table
from storage.root import Root
from storage.spill import Records, Spill, stepped
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tables import many_records, read_batches, read_buckets

STAGE_VERSION = 3
"""Of checked questions. Counts the verifiers' changes, too."""
REPHRASING_VERSION = 1
REPHRASING = "rephrasing questions"
"""What the teacher does here, as watchers, event logs and plans name it."""
ATTEMPTS = 2
_QUESTIONS_AT_ONCE = 1_024
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


@dataclass(frozen=True, slots=True)
class Rephrased:
    """A question that leans on its options, and what came of it so far."""

    question: Question
    result: Rephrasing = Rephrasing.NO_TEACHER
    text: str | None = None
    """What the teacher asks in its place."""


def questions_to_answer(root: Root, run: Run, teacher: Asker | None, questions: Stage) -> Stage:
    """Return the stage of a source's questions as they are asked: rephrased by the teacher, their gold checked."""
    rephrased = rephrased_questions(root, run, teacher, questions)
    run.watcher.stage(f"checking the gold answers of {questions.facts['source']}", None)
    return checked_questions(root, rephrased)


def question_buckets(checked: Stage, buckets: Collection[int] = ALL_BUCKETS) -> Iterator[tuple[int, list[Question]]]:
    """Yield (bucket, questions) of these buckets of a table of questions, dropped ones included."""
    for bucket, table in read_buckets(checked.paths("questions"), QUESTIONS):
        if bucket in buckets:
            yield bucket, questions_of(table)


def questions_to_ask(checked: Stage, buckets: Collection[int] = ALL_BUCKETS) -> Iterator[tuple[int, list[Question]]]:
    """Yield (bucket, questions) of the questions that the responder answers: kept ones that come without answers."""
    for bucket, questions in question_buckets(checked, buckets):
        yield bucket, [question for question in questions if question.drop_reason is None and not question.given]


def checked_questions(root: Root, questions: Stage) -> Stage:
    """Return the stage with the table `questions`, each with a gold answer that can be graded, or dropped by name.

    Before anybody is paid for answers, each verifier grades the gold answer itself. What stands in a source twice is
    kept once; where its gold answers differ, nobody knows which one is right.
    """
    key = stage_key(f"questions-{questions.facts['source']}", STAGE_VERSION, [], [questions.content])
    if found := find_stage(root, key):
        return found
    with many_records(), TableWriter(root, key, "questions", QUESTIONS) as writer:
        for table in _tables(_gradable(_once(_each(questions)))):
            writer.write(table)
    return finish_stage(root, key, {"questions": writer.files}, questions.facts, [questions])


def _once(questions: Iterable[Question]) -> Iterator[Question]:
    """Yield the questions, in order, repeats of a query dropped; all of them where their gold answers differ."""
    for _, same in groupby(questions, key=attrgetter("query_id")):
        of_query = list(same)
        kept = [question for question in of_query if question.drop_reason is None]
        is_disputed = len({question.gold.answer for question in kept}) > 1
        for question in of_query:
            if is_disputed:
                yield question.dropped(DropReason.CONFLICTING_GOLD)
            elif question.drop_reason is None and question is not kept[0]:
                yield question.dropped(DropReason.DUPLICATE)
            else:
                yield question


def _gradable(questions: Iterable[Question]) -> Iterator[Question]:
    """Yield the questions, in order, dropped where their verifier does not find the gold answer itself right."""
    ahead, questions = tee(questions)
    are_right = grading_themselves(question for question in ahead if question.drop_reason is None)
    for question in questions:
        is_usable = question.drop_reason is not None or next(are_right)
        yield question if is_usable else question.dropped(DropReason.GOLD_NOT_GRADABLE)


def leans_on_options(question: Question) -> bool:
    """Say whether a question that had options makes no sense without them."""
    return (
        question.drop_reason is None
        and question.gold.form is AnswerForm.TEXT
        and bool(question.gold.options)
        and len(question.query) == 1
        and needs_rewriting(question.query[0].content)
    )


def rephrased_questions(root: Root, run: Run, teacher: Asker | None, questions: Stage) -> Stage:
    """Return the stage with the table `questions`, sorted by (query_id, source_id), none of which leans on options.

    It is the stage that was given where none does. Afterwards the teacher, where the recipe has one, has counted what
    this stage took, whether now or earlier.
    """
    name, settings = f"rephrased-{questions.facts['source']}", settings_of(teacher.job) if teacher else None
    key = stage_key(name, REPHRASING_VERSION, settings, [questions.content])
    if found := find_answered(root, key, run.retry_failed):
        if teacher and (use := found.facts["rephrasing"]["use"]) is not None:
            teacher.answers.recall(use)
        return found
    if not any(map(leans_on_options, _each(questions))):
        return questions
    leaning = (Rephrased(question) for question in _each(questions) if leans_on_options(question))
    steps = [partial(_asked, teacher, attempt) for attempt in range(ATTEMPTS)] if teacher else []
    with stepped(root, Rephrased, leaning, steps) as rephrased, Spill(root, QUESTIONS) as spill:
        if teacher is not None:
            teacher.check(f"{REPHRASING} of {questions.facts['source']}")
            key = stage_key(name, REPHRASING_VERSION, teacher.answers.in_key(settings), [questions.content])
        others = (question for question in _each(questions) if not leans_on_options(question))
        for table in _tables(chain(others, map(_with_text, rephrased()))):
            spill.write(table)
        counts = Counter(one.result for one in rephrased())
        with TableWriter(root, key, "questions", QUESTIONS) as writer:
            for table in spill.ranges("query_id", "source_id"):
                writer.write(table)
    outcomes = [
        {"outcome": f"rephrasing: {outcome}", "rows": counts[outcome]} for outcome in Rephrasing if counts[outcome]
    ]
    use = teacher.answers.facts(teacher.job) if teacher else None
    facts = {**questions.facts, "rephrasing": {"outcomes": outcomes, "use": use}}
    return finish_stage(root, key, {"questions": writer.files}, facts, [questions])


def _asked(teacher: Asker, attempt: int, rows: Records[Rephrased]) -> Iterator[Rephrased]:
    """Yield the questions, in order; what the teacher asks in place of those that have no text yet."""

    def wanted() -> Iterator[tuple[list[Rephrased], list[Request]]]:
        for _, same in groupby(rows(), key=lambda row: row.question.query_id):
            of_query = list(same)
            missing = [row.question for row in of_query if row.text is None]
            yield of_query, [rephrase_request(teacher.job, question, attempt) for question in missing]

    for of_query, fetched in teacher.fetch_each(REPHRASING, wanted, lambda _, text: read_rephrased(text) is not None):
        answers = iter(fetched)
        for row in of_query:
            yield row if row.text is not None else asked_instead(row.question, next(answers)[1])


def asked_instead(question: Question, completion: Completion | None) -> Rephrased:
    """Return the question that an answer of the teacher ends in, or why it may not be asked."""
    if (text := read_rephrased(whole_text(completion) or "")) is None or len(text) > LONGEST:
        return Rephrased(question, Rephrasing.MALFORMED)
    if needs_rewriting(text) or needs_options(text):
        return Rephrased(question, Rephrasing.LEANS)
    if (_words(text) - _words(question.query[0].content)) & _words(question.gold.answer):
        return Rephrased(question, Rephrasing.GIVES_AWAY)
    return Rephrased(question, Rephrasing.REPHRASED, text)


def _with_text(row: Rephrased) -> Question:
    question = row.question
    if row.text is None:
        return question.dropped(DropReason.NEEDS_OPTIONS)
    query = user(row.text)
    return replace(question, query_id=query_id(query), query=query, stem=question.stem or question.query[0].content)


def _words(text: str) -> set[str]:
    """Return the words of a text that say something, in lower case, a plural's s taken off."""
    words = {word.casefold() for word in _WORD.findall(text)} - _IDLE
    return {word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words}


def _each(stage: Stage) -> Iterator[Question]:
    for batch in read_batches(stage.paths("questions"), QUESTIONS):
        for start in range(0, batch.num_rows, _QUESTIONS_AT_ONCE):
            yield from questions_of(batch.slice(start, _QUESTIONS_AT_ONCE))


def _tables(questions: Iterator[Question]) -> Iterator[pa.Table]:
    """Yield the questions as tables, in order."""
    while few := list(islice(questions, _QUESTIONS_AT_ONCE)):
        yield questions_table(few)
