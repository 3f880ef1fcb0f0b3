"""Asking a judge about a benchmark: what is not stored yet is sent, in one stream over all prompts."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import polars as pl

from pipelines.engines.answering import Run
from pipelines.engines.asking import Answers, Asker
from pipelines.engines.early_stop import Use
from pipelines.evaluation.judges import Judge
from pipelines.evaluation.prompts import Prompt
from pipelines.judging.draws import Draw, Draws
from pipelines.judging.extraction import read_answer
from schemas.evaluation import READABLE
from schemas.generation import Completion, Request, RequestIds, request_ids
from schemas.query import user
from schemas.trajectory import Outcome
from storage.generations import Generations
from storage.imports import ImportedAnswers
from storage.root import Root

GROUP_SAMPLES = 65_536
"""Samples that are looked up and read at a time; a bucket is never divided."""


class Sample(NamedTuple):
    """One sample of a prompt, and the id of its request."""

    prompt: Prompt
    draw: Draw
    request_id: str


def groups_of(prompts: Sequence[Prompt], judge: Judge) -> Iterator[tuple[list[int], list[Prompt]]]:
    """Yield (buckets, prompts) of some buckets at a time."""
    buckets: list[int] = []
    group: list[Prompt] = []
    for bucket, of_bucket in groupby(prompts, lambda prompt: prompt.bucket):
        buckets.append(bucket)
        group += of_bucket
        if len(group) * judge.n >= GROUP_SAMPLES:
            yield buckets, group
            buckets, group = [], []
    if group:
        yield buckets, group


def samples_of(prompts: Iterable[Prompt], judge: Judge) -> Iterator[Sample]:
    """Yield every sample of these prompts, those of a prompt together."""
    ids: dict[int, RequestIds] = {}  # by the number of responses, which the form of an answer may depend on
    for prompt in prompts:
        n = prompt.preference.n_responses
        if n not in ids:
            ids[n] = _ids(judge, n)
        of_prompt: RequestIds | None = None
        for draw in prompt.draws(judge).drawn(range(judge.n)):
            of_prompt = of_prompt or ids[n].following(draw.before)
            yield Sample(prompt, draw, of_prompt.of(draw.rest, draw.sample_index))


def _ids(judge: Judge, n_responses: int) -> RequestIds:
    return request_ids(judge.role, judge.identity, lambda text: judge.body_of(user(text), n_responses))


def missing_samples(root: Root, prompts: Sequence[Prompt], judge: Judge, retry_failed: bool) -> dict[int, list[int]]:
    """Return the samples without a stored answer, by the place of their prompt in `prompts`.

    With `retry_failed`, requests that were refused for good count as missing. Imported answers count as stored when
    they are sent for.
    """
    generations, missing = Generations(root), dict[int, list[int]]()
    place = 0
    for buckets, group in groups_of(prompts, judge):
        answers = pl.DataFrame(generations.answers(buckets, ["error"]))
        if retry_failed:
            answers = answers.filter(pl.col("error").is_null())
        stored = set(answers["request_id"])
        for prompt in group:
            absent = [one.draw.sample_index for one in samples_of([prompt], judge) if one.request_id not in stored]
            if absent:
                missing[place] = absent
            place += 1
    return missing


def ask(root: Root, run: Run, judge: Judge, prompts: Sequence[Prompt], title: str) -> Answers:
    """See that every sample of every prompt has its answer in the generations. Raises ForgeError.

    A failed request is given up for now, or stored as refused; its sample counts as one that cannot be read.
    """
    missing = missing_samples(root, prompts, judge, run.retry_failed)
    sent: dict[tuple[str, str], Prompt] = {}

    def requests() -> Iterator[Request]:
        for place, indices in missing.items():
            prompt = prompts[place]
            draws = prompt.draws(judge)
            for draw in draws.drawn(indices):
                request = draws.request(draw)
                key = request.request_id, request.query_id
                if key not in sent:  # two rows may want the very same request
                    sent[key] = prompt
                    yield request

    def use_of(request: Request, completion: Completion) -> Use:
        outcome = outcome_of(judge, sent[request.request_id, request.query_id], completion)
        return Use(outcome, outcome == READABLE)

    def follow_up(request: Request, completion: Completion) -> Iterable[Request]:
        run.watcher.judged(outcome_of(judge, sent.pop((request.request_id, request.query_id)), completion))
        return ()

    asker = Asker(root, run, judge)
    asker.send(f"evaluating {title}", sum(map(len, missing.values())), requests(), use_of, follow_up=follow_up)
    return asker.answers


def outcome_of(judge: Judge, prompt: Prompt, completion: Completion) -> str:
    """Return `readable`, or why an answer gives no scores."""
    if completion.text is None:
        return Outcome.FAILED.value
    n = prompt.preference.n_responses
    text = judge.text_of(completion.text, n)
    truth = (None, prompt.preference.label) if n == 1 else (0, None)
    reading = read_answer(text, completion.finish_reason, n, *truth, *judge.scale(n), with_parts=False)
    return READABLE if reading.outcome.readable else reading.outcome.value
