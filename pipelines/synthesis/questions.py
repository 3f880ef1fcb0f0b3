"""The questions of a source as they are asked: in words that need no options, each with a gold answer that is checked.

    Which statement is true about beacons?      What does an access point announce itself with, and how often?

Short-answer questions may lean on the options that they were published with. A teacher who knows the right option asks
for it in other words. What it asks must stand by itself and give nothing away: no word of the right answer may stand in
it that the published question does not have. Otherwise it is asked once more, and then the question is dropped
(`needs_options`), as it is without a teacher. The published question stays the `stem`, so that clusters and splits go
by it.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

from pipelines.engines.answering import Run
from pipelines.engines.asking import Asker, find_answered
from pipelines.engines.shares import ALL_BUCKETS
from pipelines.sources.option_needs import needs_options, needs_rewriting
from pipelines.synthesis.answers import read_rephrased, rephrase_request, settings_of, whole_text
from pipelines.synthesis.grading import grading_themselves
from schemas.generation import Completion
from schemas.preference import DropReason
from schemas.query import query_id, user
from schemas.question import QUESTIONS, AnswerForm, Question, questions_of, questions_table
from storage.root import Root
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tables import read_buckets, read_table

STAGE_VERSION = 3
"""Of checked questions. Counts the verifiers' changes, too."""
REPHRASING_VERSION = 1
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
    unique = list(_once(_read(questions)))
    usable = [question for question in unique if question.drop_reason is None]
    gradable = zip(usable, grading_themselves(usable), strict=True)
    refused = {question.query_id for question, is_gradable in gradable if not is_gradable}
    rows = [
        question.dropped(DropReason.GOLD_NOT_GRADABLE)
        if question.drop_reason is None and question.query_id in refused
        else question
        for question in unique
    ]
    return _finished(root, key, rows, questions.facts, questions)


def _once(questions: Sequence[Question]) -> Iterator[Question]:
    """Yield the questions, in order, repeats of a query dropped; all of them where their gold answers differ."""
    golds: defaultdict[str, set[str]] = defaultdict(set)
    for question in questions:
        if question.drop_reason is None:
            golds[question.query_id].add(question.gold.answer)
    seen: set[str] = set()
    for question in questions:
        if len(golds[question.query_id]) > 1:
            yield question.dropped(DropReason.CONFLICTING_GOLD)
        elif question.drop_reason is None and question.query_id in seen:
            yield question.dropped(DropReason.DUPLICATE)
        else:
            yield question
            if question.drop_reason is None:
                seen.add(question.query_id)


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
    rows = _read(questions)
    if not (leaning := [question for question in rows if leans_on_options(question)]):
        return questions
    results: list[str | Rephrasing] = [Rephrasing.NO_TEACHER] * len(leaning)
    if teacher is not None:
        results = _rephrased(teacher, leaning)
        teacher.check(f"{REPHRASING} of {questions.facts['source']}")
        key = stage_key(name, REPHRASING_VERSION, teacher.answers.in_key(settings), [questions.content])
    rows = [question for question in rows if not leans_on_options(question)]
    rows += map(_with_text, leaning, results)
    rows.sort(key=lambda question: (question.query_id, question.source_id))
    counts = Counter(result if isinstance(result, Rephrasing) else Rephrasing.REPHRASED for result in results)
    outcomes = [
        {"outcome": f"rephrasing: {outcome}", "rows": counts[outcome]} for outcome in Rephrasing if counts[outcome]
    ]
    use = teacher.answers.facts(teacher.job) if teacher else None
    return _finished(root, key, rows, {**questions.facts, "rephrasing": {"outcomes": outcomes, "use": use}}, questions)


def _rephrased(teacher: Asker, leaning: Sequence[Question]) -> list[str | Rephrasing]:
    """Return what the teacher asks in place of each question, or why it may not be asked."""
    results: list[str | Rephrasing] = [Rephrasing.MALFORMED] * len(leaning)
    for attempt in range(ATTEMPTS):
        requests = {
            place: rephrase_request(teacher.job, question, attempt)
            for place, question in enumerate(leaning)
            if isinstance(results[place], Rephrasing)
        }
        answers = teacher.fetch(REPHRASING, requests.values(), lambda _, text: read_rephrased(text) is not None)
        for place, request in requests.items():
            results[place] = asked_instead(leaning[place], answers.get(request.request_id))
    return results


def asked_instead(question: Question, completion: Completion | None) -> str | Rephrasing:
    """Return the question that an answer of the teacher ends in, or why it may not be asked."""
    if (text := read_rephrased(whole_text(completion) or "")) is None or len(text) > LONGEST:
        return Rephrasing.MALFORMED
    if needs_rewriting(text) or needs_options(text):
        return Rephrasing.LEANS
    new = _words(text) - _words(question.query[0].content)
    return Rephrasing.GIVES_AWAY if new & _words(question.gold.answer) else text


def _with_text(question: Question, text: str | Rephrasing) -> Question:
    if isinstance(text, Rephrasing):
        return question.dropped(DropReason.NEEDS_OPTIONS)
    query = user(text)
    return replace(question, query_id=query_id(query), query=query, stem=question.stem or question.query[0].content)


def _words(text: str) -> set[str]:
    """Return the words of a text that say something, in lower case, a plural's s taken off."""
    words = {word.casefold() for word in _WORD.findall(text)} - _IDLE
    return {word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words}


def _read(stage: Stage) -> list[Question]:
    return questions_of(read_table(stage.paths("questions"), QUESTIONS))


def _finished(root: Root, key: str, rows: Iterable[Question], facts: Any, made_of: Stage) -> Stage:
    with TableWriter(root, key, "questions", QUESTIONS) as writer:
        writer.write(questions_table(list(rows)))
    return finish_stage(root, key, {"questions": writer.files}, facts, [made_of])
