"""Asking a judge about a benchmark: what is not stored yet is sent, in one stream over all prompts."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import polars as pl

from pipelines.engines.answering import Run
from pipelines.engines.asking import Answers, Asker
from pipelines.engines.early_stop import Use
from pipelines.evaluation.prompts import Prompt
from pipelines.judging.draws import Draw, Draws
from pipelines.judging.samples import SamplingJob
from schemas.evaluation import READABLE
from schemas.generation import Completion, Request, RequestIds, request_ids
from schemas.query import user
from storage.generations import Generations
from storage.root import Root

GROUP_SAMPLES = 65_536
"""Samples that are looked up and read at a time; a bucket is never divided."""


class Sample(NamedTuple):
    """One sample of a prompt, and the id of its request."""

    prompt: Prompt
    draw: Draw
    request_id: str


def groups_of(prompts: Sequence[Prompt], judge: SamplingJob) -> Iterator[tuple[list[int], list[Prompt]]]:
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


def samples_of(prompts: Iterable[Prompt], judge: SamplingJob) -> Iterator[Sample]:
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


def _ids(judge: SamplingJob, n_responses: int) -> RequestIds:
    return request_ids(judge.role, judge.identity, lambda text: judge.body_of(user(text), n_responses))


def missing_samples(
    root: Root, prompts: Sequence[Prompt], judge: SamplingJob, retry_failed: bool
) -> dict[int, list[int]]:
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


def ask(root: Root, run: Run, judge: SamplingJob, prompts: Sequence[Prompt], title: str) -> Answers:
    """See that every sample of every prompt has its answer in the generations. Raises ForgeError.

    A failed request is given up for now, or stored as refused; its sample counts as one that cannot be read.
    """
    missing = missing_samples(root, prompts, judge, run.retry_failed)
    out: dict[tuple[str, str], tuple[Draws, Draw]] = {}
    sent: set[tuple[str, str]] = set()

    def requests() -> Iterator[Request]:
        for place, indices in missing.items():
            draws = prompts[place].draws(judge)
            for draw in draws.drawn(indices):
                request = draws.request(draw)
                key = request.request_id, request.query_id
                if key not in sent:  # two rows may want the very same request
                    sent.add(key)
                    out[key] = draws, draw
                    yield request

    def use_of(request: Request, completion: Completion) -> Use:
        draws, draw = out[request.request_id, request.query_id]
        outcome = draws.outcome_of(draw, completion)
        return Use(READABLE if outcome.readable else outcome.value, outcome.readable)

    def follow_up(request: Request, completion: Completion) -> Iterable[Request]:
        draws, draw = out.pop((request.request_id, request.query_id))
        outcome = draws.outcome_of(draw, completion)
        run.watcher.judged(READABLE if outcome.readable else outcome)
        return ()

    asker = Asker(root, run, judge)
    asker.send(f"evaluating {title}", sum(map(len, missing.values())), requests(), use_of, follow_up=follow_up)
    return asker.answers
