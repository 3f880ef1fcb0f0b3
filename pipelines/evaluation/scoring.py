"""Asking the Meta RM about a judge's answers: scores that are not stored yet are sent for, bucket by bucket."""

from collections import Counter
from collections.abc import Iterator, Sequence

import polars as pl

from pipelines.engines.answering import Run
from pipelines.engines.asking import Answers, Asker
from pipelines.engines.early_stop import Use
from pipelines.evaluation.meta_rm import MetaRm
from pipelines.evaluation.prompts import Prompt
from pipelines.evaluation.samples import groups_of, samples_of
from pipelines.evaluation.stored_answers import OF_ANSWER, answers_to, read_answers
from pipelines.judging.samples import SamplingJob
from schemas.evaluation import READABLE, Row
from schemas.generation import Request
from storage.generations import Generations
from storage.root import Root


def wanted_scores(
    root: Root, meta_rm: MetaRm, judge: SamplingJob, rows: Sequence[Row], prompts: Sequence[Prompt], retry_failed: bool
) -> Iterator[tuple[Request, bool]]:
    """Yield (request, whether its score is stored) of the judgements that are stored and readable; equal ones once.

    With `retry_failed`, those that were refused for good count as missing.
    """
    generations = Generations(root)
    for buckets, group in groups_of(prompts, judge):
        samples = list(samples_of(group, judge))
        answers = pl.DataFrame(generations.answers(buckets, OF_ANSWER))
        texts, readings = read_answers(judge, samples, answers_to(samples, answers))
        of_use = answers.filter(pl.col("error").is_null()) if retry_failed else answers
        stored, seen = set(of_use["request_id"]), set[str]()
        for request in meta_rm.requests(judge, rows, samples, texts, readings):
            if request is not None and request.request_id not in seen:
                seen.add(request.request_id)
                yield request, request.request_id in stored


def ask_for_scores(
    root: Root,
    run: Run,
    meta_rm: MetaRm,
    judge: SamplingJob,
    rows: Sequence[Row],
    prompts: Sequence[Prompt],
    title: str,
) -> Answers:
    """See that every readable judgement that is stored has its score in the generations. Raises ForgeError.

    A judgement whose score failed has none, and is chosen last.
    """

    def missing_of(some: Sequence[Prompt]) -> Iterator[Request]:
        wanted = wanted_scores(root, meta_rm, judge, rows, some, run.retry_failed)
        return (request for request, is_stored in wanted if not is_stored)

    asker = Asker(root, run, meta_rm.job)
    # They are made twice, to be counted and to be sent: all of them together are too large to be kept.
    missing = Counter(request.query_id for request in missing_of(prompts))
    if missing:
        left = [prompt for prompt in prompts if prompt.preference.query_id in missing]
        use = Use(READABLE, True)
        asker.send(f"scoring judgements of {title}", missing.total(), missing_of(left), lambda *_: use, "scoring")
    return asker.answers
