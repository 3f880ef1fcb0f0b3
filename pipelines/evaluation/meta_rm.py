"""The Meta RM in an evaluation: what it is asked about a judge's answers. Every readable judgement gets a score.

`scoring` asks for the scores that are missing, `judgements` reads those that are stored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipelines.engines.jobs import ScoringJob, scoring_job
from pipelines.evaluation.samples import Sample
from pipelines.judging.meta_rm_text import judgement_turns, meta_rm_template
from pipelines.judging.prompts import Template
from pipelines.judging.samples import SamplingJob
from pipelines.judging.shown_text import ShownSet
from schemas.evaluation import Row
from schemas.generation import Request
from schemas.recipe import Recipe

ROLE = "meta_rm"
Scores = Sequence[float] | None
"""The scores of an answer in the order shown; None where it cannot be read."""


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
        scores: Sequence[Scores],
    ) -> Iterator[Request | None]:
        """Yield the request for the score of each sample; None where there is no judgement to score."""
        prompt, shown = None, None
        for sample, text, given in zip(samples, texts, scores, strict=True):
            if given is None or text is None:
                yield None
                continue
            if shown is None or sample.prompt is not prompt:  # the samples of a prompt stand together
                prompt, shown = sample.prompt, judge.shown_set(sample.prompt.preference)
            yield self._request(judge, rows[sample.prompt.row], sample, shown, text, given)

    def key_settings(self) -> dict[str, Any]:
        """Return everything that the scores depend on."""
        return {"identity": self.job.identity, "body": self.job.body(()), "template": self.template.identity}

    def _request(
        self, judge: SamplingJob, row: Row, sample: Sample, shown: ShownSet, text: str, scores: Sequence[float]
    ) -> Request:
        order, scale = sample.draw.order, judge.scale(len(sample.draw.order))
        turns = judgement_turns(self.template, shown, order, text, scale)
        right = [sample.prompt.indices[index] in row.right for index in order]
        return self.job.scoring(sample.prompt.preference.query_id, turns, is_right(right, scores, scale))


def meta_rm_of(recipe: Recipe) -> MetaRm | None:
    """Return the recipe's Meta RM; None where it has none."""
    job = scoring_job(recipe, ROLE)
    return None if job is None else MetaRm(job, meta_rm_template())


def is_right(right: Sequence[bool], scores: Sequence[float], scale: tuple[int, int]) -> bool:
    """Say whether a judgement is right: a right response stands above every wrong one, or a single one is told."""
    if len(scores) == 1:
        return (scores[0] > sum(scale) / 2) == right[0]
    best = max((score for score, one in zip(scores, right, strict=True) if one), default=float("-inf"))
    return all(best > score for score, one in zip(scores, right, strict=True) if not one)
