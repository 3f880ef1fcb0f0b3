"""Stored answers of a judge as judgements: a table with a row a sample, and pools of scores to compute with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.engines.scorer.replies import stored_score
from pipelines.evaluation.meta_rm import MetaRm
from pipelines.evaluation.prompts import Prompt
from pipelines.evaluation.reward_model import RewardModel
from pipelines.evaluation.samples import Judge, Sample, groups_of, samples_of
from pipelines.evaluation.stored_answers import OF_ANSWER, USAGE, Read, answers_to, read_answers
from schemas.evaluation import GREEDY_INDEX, JUDGEMENTS, Protocol, Row
from schemas.trajectory import Outcome
from storage.generations import Generations
from storage.root import Root

GRADES = (1, 10)
COUNTED = ("requests", "failed", *USAGE)


@dataclass
class Pool:
    """The scores of rows of one shape: equally many prompts, each with equally many responses."""

    rows: list[int]
    """Numbers of the rows in their benchmark."""
    scores: np.ndarray
    """float32 [rows, prompts, K, shown], float64 of finished verdicts; NaN where a sample cannot be read.

    See `Prompt.shown` for the last axis."""
    tokens: np.ndarray
    """float32 [rows, prompts, K]: tokens of each answer; NaN where the endpoint did not count."""
    orders: np.ndarray
    """int16 [rows, prompts, K, shown]: which place on the last axis of scores the response at each position has."""
    meta_rm: np.ndarray | None = None
    """float64 [rows, prompts, K]: the Meta RM's score of each answer; None where no Meta RM is asked."""
    logprobs: np.ndarray | None = None
    """float64 [rows, prompts, K]: the mean log-probability of each answer's tokens, where it was asked for."""

    def part(self, places: Sequence[int]) -> "Pool":
        """Return the pool of some of its rows."""

        def of(array: np.ndarray | None) -> np.ndarray | None:
            return None if array is None else array[places]

        kept = [self.rows[place] for place in places]
        main = (self.scores[places], self.tokens[places], self.orders[places])
        return Pool(kept, *main, of(self.meta_rm), of(self.logprobs))


@dataclass
class Judgements:
    """What a judge said of a benchmark, and what it took."""

    pools: list[Pool]
    outcomes: dict[str, int] = field(default_factory=dict)
    """Samples by `readable`, or by why they give no scores."""
    facts: dict[str, Any] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))
    """What the answers took, as `Answers.recall` reads it."""
    meta_rm_facts: dict[str, Any] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))
    """The same of the Meta RM's scores of these judgements."""


def pools_of(rows: Sequence[Row], protocol: Protocol, k: int, precision: type = np.float32) -> list[Pool]:
    """Return empty pools for these rows, those of one shape together; scores have this precision."""
    shapes: dict[tuple[int, int], list[int]] = {}
    for number, row in enumerate(rows):
        prompts = row.prompts(protocol)
        shapes.setdefault((len(prompts), len(prompts[0])), []).append(number)
    return [
        Pool(
            numbers,
            np.full((len(numbers), prompts, k, shown), np.nan, precision),
            np.full((len(numbers), prompts, k), np.nan, np.float32),
            np.zeros((len(numbers), prompts, k, shown), np.int16),
        )
        for (prompts, shown), numbers in sorted(shapes.items())
    ]


def read_judgements(
    root: Root,
    judge: Judge,
    rows: Sequence[Row],
    prompts: Sequence[Prompt],
    protocol: Protocol,
    write: Callable[[pa.Table], None],
    meta_rm: MetaRm | None = None,
) -> Judgements:
    """Read every stored answer of the judge about these prompts, and write the judgements in the order of prompts.

    `write` gets some prompts at a time, each with all its samples. A sample without a stored answer is one that failed.
    With a Meta RM its stored scores are read too.
    """
    read = Judgements(pools_of(rows, protocol, judge.n))
    for pool in read.pools if meta_rm is not None else ():
        pool.meta_rm = np.full(pool.tokens.shape, np.nan)
    place_of = {row: (pool, place) for pool in read.pools for place, row in enumerate(pool.rows)}
    generations = Generations(root)
    for buckets, group in groups_of(prompts, judge):
        samples = list(samples_of(group, judge))
        answers = pl.DataFrame(generations.answers(buckets, OF_ANSWER))
        found = answers_to(samples, answers)
        texts, readings = read_answers(judge, samples, found)
        marks: list[float | None] = [None] * len(samples)
        if meta_rm is not None and not isinstance(judge, RewardModel):
            asked = meta_rm.requests(judge, rows, samples, texts, readings)
            asked_ids = [None if request is None else request.request_id for request in asked]
            marks = _marks(asked_ids, answers, read.meta_rm_facts)
        table = _table(judge, rows, samples, found.with_columns(texts), readings, marks)
        write(table)
        counted = found["completion_tokens"], found["logprob"]
        for sample, reading, mark, tokens, logprob in zip(samples, readings, marks, *counted, strict=True):
            pool, place = place_of[sample.prompt.row]
            _fill(pool, place, judge, sample, reading.scores, mark, tokens, logprob)
        for outcome, count in zip(*np.unique(table.column("outcome"), return_counts=True), strict=True):
            read.outcomes[str(outcome)] = read.outcomes.get(str(outcome), 0) + int(count)
        _count(read.facts, table, found)
    return read


def _fill(
    pool: Pool,
    place: int,
    judge: Judge,
    sample: Sample,
    scores: Sequence[float] | None,
    mark: float | None,
    tokens: int | None,
    logprob: float | None,
) -> None:
    """Put one sample into its pool; `place` is that of its row there."""
    prompt, index = sample.prompt, sample.draw.sample_index
    pool.tokens[place, prompt.number, index] = np.nan if tokens is None else tokens
    order = [prompt.shown.index(prompt.indices[response]) for response in sample.draw.order]
    pool.orders[place, prompt.number, index] = order
    if scores is not None:
        pool.scores[place, prompt.number, index, order] = _graded(judge, scores)
    if pool.meta_rm is not None and mark is not None:
        pool.meta_rm[place, prompt.number, index] = mark
    if logprob is not None:
        if pool.logprobs is None:
            pool.logprobs = np.full(pool.tokens.shape, np.nan)
        pool.logprobs[place, prompt.number, index] = logprob


def _graded(judge: Judge, scores: Sequence[float]) -> Sequence[float]:
    """Return scores on the scale of 1 to 10, which the rules know: a 1 of 0 and 1 is a 10.

    Those of a reward model stay on its own scale.
    """
    if isinstance(judge, RewardModel):
        return scores
    return scores if judge.scale(len(scores)) == GRADES else [GRADES[1] if score else GRADES[0] for score in scores]


def _count(facts: dict[str, Any], table: pa.Table, answers: pl.DataFrame) -> None:
    """Add what these answers took."""
    facts["requests"] += table.num_rows
    facts["failed"] += pc.sum(pc.equal(table.column("outcome"), Outcome.FAILED.value)).as_py()
    for name in USAGE:
        facts[name] += answers[name].sum() or 0
    facts["error"] = facts.get("error") or next(iter(answers["error"].drop_nulls()), None)


def _marks(request_ids: Sequence[str | None], answers: pl.DataFrame, facts: dict[str, Any]) -> list[float | None]:
    """Return the stored score of each judgement; count in `facts` what the scores took."""
    wanted = {request_id for request_id in request_ids if request_id is not None}
    stored = answers.filter(pl.col("request_id").is_in(list(wanted)))
    scores = {request_id: stored_score(text) for request_id, text in stored.select("request_id", "text").iter_rows()}
    facts["requests"] += len(wanted)
    facts["failed"] += sum(scores.get(request_id) is None for request_id in wanted)
    for name in USAGE:
        facts[name] += stored[name].sum() or 0
    facts["error"] = facts.get("error") or next(iter(stored["error"].drop_nulls()), None)
    return [None if request_id is None else scores.get(request_id) for request_id in request_ids]


def _table(
    judge: Judge,
    rows: Sequence[Row],
    samples: Sequence[Sample],
    answers: pl.DataFrame,
    readings: Sequence[Read],
    marks: Sequence[float | None],
) -> pa.Table:
    """Return the judgements of these samples."""
    columns: Mapping[str, Any] = {
        "benchmark": pa.repeat(samples[0].prompt.preference.source, len(samples)),
        "item_id": [rows[sample.prompt.row].row_id for sample in samples],
        "set_id": [sample.prompt.preference.set_id for sample in samples],
        "query_id": [sample.prompt.preference.query_id for sample in samples],
        "prompt": [sample.prompt.number for sample in samples],
        "sample_index": [
            sample.draw.sample_index if judge.settings.temperature else GREEDY_INDEX for sample in samples
        ],
        "request_id": [sample.request_id for sample in samples],
        "order": [[sample.prompt.indices[index] for index in sample.draw.order] for sample in samples],
        "outcome": [reading.outcome for reading in readings],
        "scores": [reading.scores for reading in readings],
        "meta_rm": marks,
        "text": answers["text"].to_arrow(),
        **{name: answers[name].to_arrow() for name in OF_ANSWER[1:-2]},
    }
    arrays = [
        value.cast(field.type) if isinstance(value, pa.Array) else pa.array(value, field.type)
        for field in JUDGEMENTS
        for value in [columns[field.name]]
    ]
    return pa.table(arrays, schema=JUDGEMENTS)
