"""Responding: the responder answers every question that comes without answers, and all answers are graded."""

from collections.abc import Collection, Iterator

from pipelines.engines.answering import Run
from pipelines.engines.outages import check_answers
from pipelines.engines.shares import ALL_BUCKETS
from pipelines.synthesis.answers import AnswerJob, answer_request, candidate_of, given_candidates
from pipelines.synthesis.asking import Asked, ask
from pipelines.synthesis.grading import Answered, graded
from schemas.candidate import CANDIDATES, Candidate, Origin, candidates_of, candidates_table
from schemas.errors import RecipeError
from schemas.generation import Request
from schemas.question import QUESTIONS, Question, questions_of
from storage.generations import Generations
from storage.root import Root
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tables import read_buckets

STAGE_VERSION = 3
"""Counts the verifiers' changes, too: a changed verifier grades stored answers anew."""


def responded(root: Root, run: Run, asked: Asked | None, samples: int, checked: Stage) -> Stage:
    """Return the stage with the table `candidates`, sorted by (query_id, origin, sample_index).

    `asked` is the responder's, where the recipe has one; its facts hold what it took, and how the verdicts fell.
    """
    source = checked.facts["source"]
    settings = [asked.job.settings() if asked else None, samples]
    key = stage_key(f"candidates-{source}", STAGE_VERSION, settings, [checked.content])
    found = find_stage(root, key)
    if found and not (run.retry_failed and found.facts["use"] and found.facts["use"]["failed"]):
        return found
    open_questions = sum(len(questions) for _, questions in questions_to_ask(checked))
    if open_questions and asked is None:
        raise RecipeError(f"source {source}: {open_questions:,} questions have no answers; add [models.responder]")
    if asked is not None:
        ask_questions(root, run, asked, samples, checked)
    run.watcher.stage(f"grading {source}", None)
    generations = Generations(root)
    if asked is not None and asked.given_up:
        key = stage_key(f"candidates-{source}", STAGE_VERSION, [*settings, sorted(asked.given_up)], [checked.content])
    with TableWriter(root, key, "candidates", CANDIDATES) as writer:
        for _, candidates in graded(_collected(generations, asked, samples, checked)):
            writer.write(candidates_table(candidates))
    facts = {"use": asked.facts() if asked is not None and asked.requests else None}
    if asked is not None:
        check_answers(
            run, f"answers to {source}", asked.requests, asked.failed, asked.given_up, asked.error, len(asked.questions)
        )
    return finish_stage(root, key, {"candidates": writer.files}, facts, [checked])


def ask_questions(
    root: Root, run: Run, asked: Asked, samples: int, checked: Stage, buckets: Collection[int] = ALL_BUCKETS
) -> None:
    """See that the questions of these buckets have their answers in the generations."""
    total = samples * sum(len(questions) for _, questions in questions_to_ask(checked, buckets))
    if total:
        what = answering_stage(checked.facts["source"])
        ask(root, run, asked, what, total, _requests(asked.job, samples, checked, buckets), kind="answering questions")


def answering_stage(source: str) -> str:
    """Return what the responder does for a source, as watchers, event logs and plans name it."""
    return f"answering {source}"


def answered_questions(checked: Stage, candidates: Stage) -> Iterator[Answered]:
    """Yield every question with its graded candidates, in the order of the questions' table."""
    rows = read_buckets(candidates.paths("candidates"), CANDIDATES)
    ahead = next(rows, None)
    for bucket, questions in question_buckets(checked):
        while ahead is not None and ahead[0] < bucket:
            ahead = next(rows, None)
        table = ahead[1] if ahead is not None and ahead[0] == bucket else CANDIDATES.empty_table()
        of_query: dict[str, list[Candidate]] = {}
        for one in candidates_of(table):
            of_query.setdefault(one.query_id, []).append(one)
        for question in questions:
            yield question, [] if question.drop_reason else of_query.get(question.query_id, [])


def question_buckets(checked: Stage, buckets: Collection[int] = ALL_BUCKETS) -> Iterator[tuple[int, list[Question]]]:
    """Yield (bucket, questions) of these buckets of a table of questions, dropped ones included."""
    for bucket, table in read_buckets(checked.paths("questions"), QUESTIONS):
        if bucket in buckets:
            yield bucket, questions_of(table)


def questions_to_ask(checked: Stage, buckets: Collection[int] = ALL_BUCKETS) -> Iterator[tuple[int, list[Question]]]:
    """Yield (bucket, questions) of the questions that the responder answers: kept ones that come without answers."""
    for bucket, questions in question_buckets(checked, buckets):
        yield bucket, [one for one in questions if one.drop_reason is None and not one.given]


def _requests(job: AnswerJob, samples: int, checked: Stage, buckets: Collection[int]) -> Iterator[Request]:
    """Yield the requests; those of one question stand together, so that a server's prefix cache pays."""
    for _, questions in questions_to_ask(checked, buckets):
        for question in questions:
            yield from (answer_request(job, question, index) for index in range(samples))


def _collected(generations: Generations, asked: Asked | None, samples: int, checked: Stage) -> Iterator[Answered]:
    """Yield every question with what came back for it, ungraded."""
    for bucket, questions in question_buckets(checked):
        answers = generations.lookup(bucket)
        for question in questions:
            candidates = [] if question.drop_reason else given_candidates(question)
            if asked is not None and question.drop_reason is None and not question.given:
                wanted = [answer_request(asked.job, question, index) for index in range(samples)]
                candidates = [candidate_of(one, Origin.RESPONDER, asked.job.model.name, answers) for one in wanted]
                asked.count(samples, (answers[one.request_id] for one in wanted if one.request_id in answers))
            yield question, candidates
