"""The Meta RM in an evaluation: what it is asked about a judge's answers. Every readable judgement gets a score.

`scoring` asks for the scores that are missing, `judgements` reads those that are stored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipelines.engines.jobs import ScoringJob, scoring_job
from pipelines.evaluation.samples import Sample
from pipelines.evaluation.stored_answers import Read
from pipelines.judging.meta_rm_text import canonical_answer, meta_rm_prompt, meta_rm_template
from pipelines.judging.prompts import Template
from pipelines.judging.samples import SamplingJob
from pipelines.judging.shown_text import ShownSet
from schemas.evaluation import Row
from schemas.generation import Request
from schemas.query import Message
from schemas.recipe import Recipe

ROLE = "meta_rm"


@dataclass(frozen=True)
class MetaRm:
    """The recipe's Meta RM."""

    job: ScoringJob
    template: Template

    def requests(
        self,
        judge: SamplingJob,
        rows: Sequence[Row],
        samples: Sequence[Sample],
        texts: Sequence[str | None] | pl.Series,
        readings: Sequence[Read],
    ) -> Iterator[Request | None]:
        """Yield the request for the score of each sample; None where there is no judgement to score."""
        prompt, shown = None, None
        for sample, text, reading in zip(samples, texts, readings, strict=True):
            if reading.scores is None or text is None:
                yield None
                continue
            if shown is None or sample.prompt is not prompt:  # the samples of a prompt stand together
                prompt, shown = sample.prompt, judge.shown_set(sample.prompt.preference)
            scale = judge.scale(len(sample.draw.order))
            right = is_right(_right_shown(sample, rows[sample.prompt.row]), reading.scores, scale)
            yield self.request_of(shown, sample.draw.order, text, scale, right, is_forgiven=reading.is_forgiven)

    def key_settings(self) -> dict[str, Any]:
        """Return everything that the scores depend on."""
        return {"identity": self.job.identity, "body": self.job.body(()), "template": self.template.identity}

    def request_of(
        self,
        shown: ShownSet,
        order: Sequence[int],
        text: str,
        scale: tuple[int, int],
        right: bool,
        *,
        is_forgiven: bool,
    ) -> Request:
        """Return the request for the score of a readable judgement, which saw the responses in this order."""
        answer = canonical_answer(text, len(order), scale) if is_forgiven else text
        turns = (*meta_rm_prompt(self.template, shown, order), Message("assistant", answer))
        return self.job.scoring(shown.preference.query_id, turns, right)


def meta_rm_of(recipe: Recipe) -> MetaRm | None:
    """Return the recipe's Meta RM; None where it has none."""
    job = scoring_job(recipe, ROLE)
    return None if job is None else MetaRm(job, meta_rm_template())


def _right_shown(sample: Sample, row: Row) -> list[bool]:
    """Return which responses are right, in the order shown."""
    return [sample.prompt.indices[index] in row.right for index in sample.draw.order]


def is_right(right: Sequence[bool], scores: Sequence[float], scale: tuple[int, int]) -> bool:
    """Say whether a judgement is right: a right response stands above every wrong one, or a single one is told."""
    if len(scores) == 1:
        return (scores[0] > sum(scale) / 2) == right[0]
    best = max((score for score, one in zip(scores, right, strict=True) if one), default=float("-inf"))
    return all(best > score for score, one in zip(scores, right, strict=True) if not one)
