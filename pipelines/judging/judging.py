"""The judging stage: stored answers become trajectories with an outcome. No model is called here."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import polars as pl
import pyarrow as pa

from pipelines.engines.asking import Answers, find_answered
from pipelines.judging.samples import SamplingJob
from pipelines.judging.sampling import sampled_sets
from pipelines.judging.trajectories import OF_ANSWER, trajectories
from pipelines.judging.verdicts import READER_VERSION
from schemas.preference import PreferenceSet
from schemas.trajectory import JUDGED, Outcome
from storage.generations import Generations
from storage.root import Root
from storage.stages import Stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tables import many_records

STAGE_VERSION = 2
_VERSION = STAGE_VERSION * 1000 + READER_VERSION  # another reader judges every stored answer anew
GROUP_SETS = 2048
"""Sets of so many buckets are judged together: what a table costs whatever it holds is shared by as many rows."""


@dataclass(frozen=True)
class Judged:
    """The trajectories of one purpose."""

    job: SamplingJob
    stage: Stage
    cached: int
    """How many of its answers were there before this run."""


def judged_key(job: SamplingJob, curated: Stage, answers: Answers | None = None) -> str:
    """Return the key of the stage that holds the job's trajectories over these sets.

    Where answers were given up, it is another one, so that the next build asks for them again.
    """
    settings = job.key_settings() if answers is None else answers.in_key(job.key_settings())
    return stage_key(f"judged-{job.purpose}", _VERSION, settings, [curated.content])


def find_judged(root: Root, job: SamplingJob, curated: Stage, retry_failed: bool = False) -> Stage | None:
    """Return the finished stage, unless it holds failed requests that are to be sent again."""
    return find_answered(root, judged_key(job, curated), retry_failed)


def judge(root: Root, job: SamplingJob, curated: Stage, sampled: Answers | None = None) -> Stage:
    """Return the stage with the table `judged`, sorted by (query_id, set_id, trajectory_id).

    `sampled` is what `sample_sets` returned, where it gave up something. The facts count the answers, and the outcomes
    of each source.
    """
    generations = Generations(root)
    key = judged_key(job, curated, sampled)
    answers, outcomes = Answers(), Counter[tuple[str, str, str]]()
    with many_records(), TableWriter(root, key, "judged", JUDGED, "arrow") as writer:
        for sets, stored in _groups(job, curated, generations):
            table, completions = trajectories(job, sets, stored)
            writer.write(table)
            counted = table.group_by(["source", "mode", "outcome"]).aggregate([([], "count_all")])
            for *kind, rows in zip(*(column.to_pylist() for column in counted.columns), strict=True):
                outcomes[tuple(kind)] += rows
            answers.recall(_usage(table, completions))
    by_source = [
        {"source": source, "mode": mode, "outcome": outcome, "rows": rows}
        for (source, mode, outcome), rows in sorted(outcomes.items())
    ]
    facts = answers.facts() | {"error": answers.error, "outcomes": by_source}
    return finish_stage(root, key, {"judged": writer.files}, facts, [curated])


def stored_trajectories(root: Root, job: SamplingJob, curated: Stage) -> Iterator[tuple[list[PreferenceSet], pa.Table]]:
    """Yield sampled sets, some at a time, with the trajectories of their stored answers, as JUDGED has them.

    Stored failures are among them, with their `error` in a last column. What is not answered yet is left out. Nothing
    is written.
    """
    generations = Generations(root)
    for sets, stored in _groups(job, curated, generations):
        if stored.height:
            table, completions = trajectories(job, sets, stored)
            is_stored = completions["text"].is_not_null() | completions["error"].is_not_null()
            with_errors = table.append_column("error", completions["error"].to_arrow().cast(pa.string()))
            yield sets, with_errors.filter(is_stored.to_arrow())


def _usage(table: pa.Table, completions: pl.DataFrame) -> dict[str, Any]:
    return {
        "requests": table.num_rows,
        "failed": int((pl.Series(table.column("outcome")) == Outcome.FAILED.value).sum()),
        "prompt_tokens": int(completions["prompt_tokens"].sum()),
        "completion_tokens": int(completions["completion_tokens"].sum()),
        "cost_usd": float(completions["cost_usd"].sum()),
        "error": next(iter(completions["error"].drop_nulls()), None),
    }


def _groups(
    job: SamplingJob, curated: Stage, generations: Generations
) -> Iterator[tuple[list[PreferenceSet], pl.DataFrame]]:
    """Yield the sampled sets, those of some buckets or of part of one at a time, with the job's answers there."""
    sets: list[PreferenceSet] = []
    buckets: list[int] = []
    answers_of = lru_cache(maxsize=1)(
        partial(_answers, generations, job.role)
    )  # the parts of a bucket follow each other
    for bucket, more in sampled_sets(curated):
        if bucket not in buckets[-1:]:
            buckets.append(bucket)
        sets += more
        if len(sets) >= GROUP_SETS:
            yield sets, answers_of(tuple(buckets))
            sets, buckets = [], []
    if sets:
        yield sets, answers_of(tuple(buckets))


def _answers(generations: Generations, role: str, buckets: tuple[int, ...]) -> pl.DataFrame:
    return pl.DataFrame(generations.answers(buckets, OF_ANSWER, role))
