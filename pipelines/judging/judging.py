"""The judging stage: stored answers become trajectories with an outcome. No model is called here."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from pipelines.judging.samples import SamplingJob
from pipelines.judging.sampling import sampled_sets
from pipelines.judging.trajectories import OF_ANSWER, trajectories
from pipelines.judging.verdicts import READER_VERSION
from schemas.preference import PreferenceSet
from schemas.trajectory import JUDGED, Outcome
from storage.generations import Generations
from storage.root import Root
from storage.stages import Stage, find_stage, finish_stage, stage_key
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


def judged_key(job: SamplingJob, curated: Stage) -> str:
    """Return the key of the stage that holds the job's trajectories over these sets."""
    return stage_key(f"judged-{job.purpose}", _VERSION, job.settings(), [curated.content])


def find_judged(root: Root, job: SamplingJob, curated: Stage, retry_failed: bool = False) -> Stage | None:
    """Return the finished stage, unless it holds failed requests that are to be asked again."""
    found = find_stage(root, judged_key(job, curated))
    return None if found is not None and retry_failed and found.facts["failed"] else found


def judge(root: Root, job: SamplingJob, curated: Stage, given_up: Collection[str]) -> Stage:
    """Return the stage with the table `judged`, sorted by (query_id, set_id, trajectory_id).

    Where requests were given up for a passing reason, the stage stands under a key of its own, so that the next build
    asks for them again.
    """
    generations = Generations(root)
    settings = [job.settings(), sorted(given_up)] if given_up else job.settings()
    key = stage_key(f"judged-{job.purpose}", _VERSION, settings, [curated.content])
    counts = _Counts()
    with many_records(), TableWriter(root, key, "judged", JUDGED, "arrow") as writer:
        for sets, answers in _groups(curated, generations):
            table, completions = trajectories(job, sets, answers)
            writer.write(table)
            counts.add(table, completions)
    return finish_stage(root, key, {"judged": writer.files}, counts.facts(), [curated])


def _groups(curated: Stage, generations: Generations) -> Iterator[tuple[list[PreferenceSet], pl.DataFrame]]:
    """Yield the sampled sets, those of some buckets at a time, with all answers of these buckets."""
    sets: list[PreferenceSet] = []
    buckets: list[int] = []
    for bucket, more in sampled_sets(curated):
        sets += more
        buckets.append(bucket)
        if len(sets) >= GROUP_SETS:
            yield sets, _answers(generations, buckets)
            sets, buckets = [], []
    if sets:
        yield sets, _answers(generations, buckets)


def _answers(generations: Generations, buckets: list[int]) -> pl.DataFrame:
    frame = pl.from_arrow(generations.answers(buckets, OF_ANSWER))
    assert isinstance(frame, pl.DataFrame)
    return frame


class _Counts:
    """What the manifest says of a role's requests, and of the outcomes of each source."""

    def __init__(self) -> None:
        self._outcomes: Counter[tuple[str, str, str]] = Counter()
        self._tokens = {"prompt_tokens": 0, "completion_tokens": 0}
        self._cost_usd = 0.0
        self._error: str | None = None

    def add(self, table: pa.Table, completions: pl.DataFrame) -> None:
        """Count trajectories, and the completion of each."""
        counted = table.group_by(["source", "mode", "outcome"]).aggregate([([], "count_all")])
        for *kind, rows in zip(*(column.to_pylist() for column in counted.columns), strict=True):
            self._outcomes[tuple(kind)] += rows
        for name in self._tokens:
            self._tokens[name] += int(completions[name].sum())
        self._cost_usd += float(completions["cost_usd"].sum())
        self._error = self._error or next(iter(completions["error"].drop_nulls()), None)

    def facts(self) -> dict[str, Any]:
        return {
            "requests": self._outcomes.total(),
            "failed": sum(rows for (_, _, outcome), rows in self._outcomes.items() if outcome == Outcome.FAILED),
            "error": self._error,
            **self._tokens,
            "cost_usd": round(self._cost_usd, 6),
            "outcomes": [
                {"source": source, "mode": mode, "outcome": outcome, "rows": rows}
                for (source, mode, outcome), rows in sorted(self._outcomes.items())
            ],
        }
