"""The samples of an evaluation: a prompt of a benchmark, drawn so many times, each with the id of its request."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from pipelines.evaluation.prompts import Prompt
from pipelines.evaluation.reward_model import RewardModel
from pipelines.judging.draws import Draw
from pipelines.judging.samples import SamplingJob
from schemas.generation import RequestIds, request_ids
from schemas.query import user

Judge = SamplingJob | RewardModel
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
    if isinstance(judge, RewardModel):
        for prompt in prompts:
            yield Sample(prompt, judge.draw, judge.request_of(prompt).request_id)
        return
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
