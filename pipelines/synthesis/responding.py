"""Responding: the responder answers every question that comes without answers, and all answers are graded."""

from collections.abc import Collection, Iterator

from pipelines.engines.answering import Run
from pipelines.engines.asking import Asker, find_answered, use_by
from pipelines.engines.shares import ALL_BUCKETS
from pipelines.synthesis.answers import answer_request, candidate_of, given_candidates, holds_answer, settings_of
from pipelines.synthesis.grading import Answered, graded
from pipelines.synthesis.questions import question_buckets, questions_to_ask
from schemas.candidate import CANDIDATES, Candidate, Origin, candidates_of, candidates_table
from schemas.errors import RecipeError
from schemas.generation import Request
from schemas.question import QUESTIONS, questions_of
from storage.generations import Generations
from storage.root import Root
from storage.stages import Stage, finish_stage, stage_key
from storage.table_parts import id_ranges
from storage.table_writer import TableWriter
from storage.tables import BucketReader, many_records

STAGE_VERSION = 3
"""Counts the verifiers' changes, too: a changed verifier grades stored answers anew."""
_QUESTIONS_AT_ONCE = 512
"""Questions that are read with all their answers at a time."""


def responded(root: Root, run: Run, responder: Asker | None, samples: int, checked: Stage) -> Stage:
    """Return the stage with the table `candidates`, sorted by (query_id, origin, sample_index).

    `responder` is None where the recipe has none. The facts hold what it took, and how the verdicts fell.
    """
    source = checked.facts["source"]
    name, settings = f"candidates-{source}", [settings_of(responder.job) if responder else None, samples]
    if found := find_answered(root, stage_key(name, STAGE_VERSION, settings, [checked.content]), run.retry_failed):
        return found
    if responder is not None:
        ask_questions(responder, samples, checked)
        settings = responder.answers.in_key(settings)
    elif questions := sum(len(questions) for _, questions in questions_to_ask(checked)):
        raise RecipeError(f"source {source}: {questions:,} questions have no answers; add [models.responder]")
    run.watcher.stage(f"grading {source}", None)
    key = stage_key(name, STAGE_VERSION, settings, [checked.content])
    with many_records(), TableWriter(root, key, "candidates", CANDIDATES) as writer:
        for _, candidates in graded(_collected(Generations(root), responder, samples, checked)):
            writer.write(candidates_table(candidates))
    use = None
    if responder is not None:
        responder.check(f"answers to {source}")
        use = responder.answers.facts(responder.job) if responder.answers.requests else None
    return finish_stage(root, key, {"candidates": writer.files}, {"use": use}, [checked])


def ask_questions(responder: Asker, samples: int, checked: Stage, buckets: Collection[int] = ALL_BUCKETS) -> None:
    """See that the questions of these buckets have their answers in the generations.

    The requests of one question stand together, so that a server's prefix cache pays.
    """

    def requests() -> Iterator[Request]:
        for _, questions in questions_to_ask(checked, buckets):
            for question in questions:
                yield from (answer_request(responder.job, question, index) for index in range(samples))

    total = samples * sum(len(questions) for _, questions in questions_to_ask(checked, buckets))
    if total:
        what = answering_stage(checked.facts["source"])
        responder.send(what, total, requests(), use_by(holds_answer), kind="answering questions")


def answering_stage(source: str) -> str:
    """Return what the responder does for a source, as watchers, event logs and plans name it."""
    return f"answering {source}"


def answered_questions(checked: Stage, candidates: Stage) -> Iterator[Answered]:
    """Yield every question with its graded candidates, in the order of the questions' table."""
    questions = BucketReader(checked.paths("questions"), QUESTIONS)
    answers = BucketReader(candidates.paths("candidates"), CANDIDATES)
    for end in id_ranges(checked.rows("questions"), _QUESTIONS_AT_ONCE):
        of_query: dict[str, list[Candidate]] = {}
        for candidate in candidates_of(answers.before(end)):
            of_query.setdefault(candidate.query_id, []).append(candidate)
        for question in questions_of(questions.before(end)):
            yield question, [] if question.drop_reason else of_query.get(question.query_id, [])


def _collected(generations: Generations, responder: Asker | None, samples: int, checked: Stage) -> Iterator[Answered]:
    """Yield every question with what came back for it, ungraded."""
    for bucket, questions in question_buckets(checked):
        answers = generations.lookup(bucket)
        for question in questions:
            candidates = [] if question.drop_reason else given_candidates(question)
            if responder is not None and question.drop_reason is None and not question.given:
                job = responder.job
                wanted = [answer_request(job, question, index) for index in range(samples)]
                found = [answers.get(request.request_id) for request in wanted]
                responder.answers.count(samples, filter(None, found))
                candidates = [
                    candidate_of(request, Origin.RESPONDER, job.model.name, completion)
                    for request, completion in zip(wanted, found, strict=True)
                ]
            yield question, candidates
