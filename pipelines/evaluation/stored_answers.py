"""Stored answers of a judge, and what is read of each: its scores, or why there are none."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import polars as pl

from pipelines.engines.scorer.replies import stored_score
from pipelines.evaluation.reward_model import RewardModel
from pipelines.evaluation.samples import Judge, Sample
from pipelines.judging.extraction import read_answer
from pipelines.judging.readings import begin_reading
from pipelines.judging.samples import SamplingJob
from pipelines.judging.verdicts import FORGIVEN
from schemas.evaluation import READABLE
from schemas.trajectory import Outcome, Reading

USAGE = ("prompt_tokens", "completion_tokens", "cost_usd")
OF_ANSWER = ["text", "reasoning", "finish_reason", *USAGE, "logprob", "error"]


class Read(NamedTuple):
    """What is read of an answer."""

    outcome: str
    """`readable`, or why there are no scores."""
    scores: Sequence[float] | None
    """In the order shown."""
    is_forgiven: bool = False
    """Whether the verdict has another form than the canonical one."""


def answers_to(samples: Sequence[Sample], answers: pl.DataFrame) -> pl.DataFrame:
    """Return the answer to each sample; a row of nulls where there is none."""
    place_of = {request_id: place for place, request_id in enumerate(answers["request_id"])}
    places = pl.Series([place_of.get(sample.request_id) for sample in samples], dtype=pl.UInt32)
    return answers.select(pl.col(OF_ANSWER).gather(places))


def read_answers(judge: Judge, samples: Sequence[Sample], answers: pl.DataFrame) -> tuple[pl.Series, list[Read]]:
    """Return the answers as the text that the template asks for, and what is read of each."""
    texts = answers["text"]
    if isinstance(judge, RewardModel):
        return texts, [_score_in(text) for text in texts]
    if judge.settings.structured_output == "json_schema":
        both = zip(texts, samples, strict=True)
        rendered = [None if text is None else judge.text_of(text, len(one.draw.order)) for text, one in both]
        texts = pl.Series("text", rendered, pl.String)
    return texts, list(_readings(judge, samples, texts, answers["finish_reason"]))


def _readings(
    judge: SamplingJob, samples: Sequence[Sample], texts: pl.Series, finish_reasons: pl.Series
) -> Iterator[Read]:
    """Yield (`readable` or why not, the scores in the order shown) of each sample."""
    n_responses = [len(sample.draw.order) for sample in samples]
    labels = [sample.prompt.preference.label for sample in samples]
    if judge.grades_single and 1 in n_responses:  # a scale of its own, which the way by columns does not know
        low, high = judge.scale(1)
        for text, reason, n, label in zip(texts, finish_reasons, n_responses, labels, strict=True):
            best_position = None if n == 1 else 0
            yield _outcome(read_answer(text, reason, n, best_position, label, low, high, with_parts=False))
        return
    questions = pl.DataFrame(
        [
            texts,
            finish_reasons,
            pl.Series("n_responses", n_responses, pl.Int32),
            pl.Series("best_position", [None if n == 1 else 0 for n in n_responses], pl.Int32),
            pl.Series("label", labels, pl.Int32),
        ]
    )
    laid, others = begin_reading(questions, with_parts=False)
    for reading, scores, form in zip(others, laid["scores"].to_list(), laid["verdict_form"], strict=True):
        yield Read(READABLE, scores, form == FORGIVEN) if reading is None else _outcome(reading)


def _score_in(text: str | None) -> Read:
    if text is None:
        return Read(Outcome.FAILED.value, None)
    score = stored_score(text)
    return Read(Outcome.UNPARSED.value, None) if score is None else Read(READABLE, (score,))


def _outcome(reading: Reading) -> Read:
    if not reading.outcome.readable:
        return Read(reading.outcome.value, None)
    return Read(READABLE, reading.scores, reading.verdict_form == FORGIVEN)
