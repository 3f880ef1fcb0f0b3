"""The judging stage: stored answers become trajectories with an outcome. No model is called here."""

import gc
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from pipelines.grm.hint_leaks import leaks_hint, may_leak
from pipelines.grm.samples import Sample, SamplingJob, modes_of, next_samples, sample, samples_wanted, shown_set
from pipelines.grm.sampling import read_sample, sampled_sets
from schemas.columns import struct_lists
from schemas.generation import Completion
from schemas.preference import PreferenceSet
from schemas.query import messages_array
from schemas.record import content_id
from schemas.trajectory import JUDGED, PRINCIPLES, Mode, Outcome, Principle, Reading
from storage.generations import Generations
from storage.root import Root
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.tables import TableWriter

STAGE_VERSION = 1
TABLE_ROWS = 1_024
"""So many rows or more become an Arrow table at a time: one of a bucket's few rows would cost as much."""

_NO_ANSWER = Completion("")


class Row(NamedTuple):
    """One trajectory on its way into the table."""

    trajectory_id: str
    preference: PreferenceSet
    sample: Sample
    completion: Completion | None
    reading: Reading


@dataclass(frozen=True)
class Judged:
    """The trajectories of one purpose."""

    job: SamplingJob
    stage: Stage
    cached: int
    """How many of its answers were there before this run."""


def judged_key(job: SamplingJob, curated: Stage) -> str:
    """Return the key of the stage that holds the job's trajectories over these sets."""
    return stage_key(f"judged-{job.purpose}", STAGE_VERSION, job.settings(), [curated.content])


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
    key = stage_key(f"judged-{job.purpose}", STAGE_VERSION, settings, [curated.content])
    counts = _Counts()
    with _collector_at_rest(), TableWriter(root, key, "judged", JUDGED) as writer:
        rows: list[Row] = []
        for bucket, sets in sampled_sets(curated):
            answers = generations.lookup(bucket)
            rows += [row for preference in sets for row in _set_rows(job, preference, answers)]
            if len(rows) >= TABLE_ROWS:
                writer.write(_judged_table(job, rows))
                counts.add(rows)
                rows = []
        if rows:
            writer.write(_judged_table(job, rows))
            counts.add(rows)
    return finish_stage(root, key, {"judged": writer.files}, counts.facts())


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Keep Python's cycle collector from walking over millions of records that form no cycles, a tenth of the time."""
    was_at_work = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_at_work:
            gc.enable()


def _set_rows(job: SamplingJob, preference: PreferenceSet, answers: Mapping[str, Completion]) -> list[Row]:
    """Return a set's samples with what was read from their answers, in the order of their trajectory ids."""
    shown = shown_set(job, preference)
    rows: list[Row] = []
    for mode in modes_of(job, preference):
        outcomes: list[Outcome] = []
        while wanted := next_samples(outcomes, samples_wanted(job, mode), job.resample):
            for index in wanted:
                drawn = sample(job, preference, shown, mode, index)
                completion = answers.get(drawn.request.request_id)
                reading = read_sample(drawn, preference, completion)
                outcomes.append(reading.outcome)
                rows.append(Row(_trajectory_id(job, preference, drawn), preference, drawn, completion, reading))
    rows.sort(key=lambda row: row.trajectory_id)
    return rows


def _trajectory_id(job: SamplingJob, preference: PreferenceSet, drawn: Sample) -> str:
    return content_id("trajectory", preference.set_id, drawn.mode, job.purpose, drawn.request.request_id)


def _judged_table(job: SamplingJob, rows: list[Row]) -> pa.Table:
    """Return the rows as a table of JUDGED."""
    principles = [principle for row in rows for principle in row.reading.principles]
    further = {
        "purpose": pa.repeat(job.purpose.value, len(rows)),
        "model": pa.repeat(job.model.name, len(rows)),
        "temperature": pa.repeat(job.temperature, len(rows)),
        "prompt": messages_array([row.sample.messages for row in rows]),
        "principles": struct_lists(
            PRINCIPLES,
            [len(row.reading.principles) for row in rows],
            list(zip(*principles, strict=True)) or [()] * len(Principle._fields),
        ),
        "hint_leak": pa.array(_hint_leaks(job, rows), pa.bool_()),
    }
    columns = list(zip(*(_values(row) for row in rows), strict=True))
    plain = [field for field in JUDGED if field.name not in further]
    further |= {field.name: pa.array(values, field.type) for field, values in zip(plain, columns, strict=True)}
    return pa.table([further[name] for name in JUDGED.names], schema=JUDGED)


def _values(row: Row) -> tuple[Any, ...]:
    """Return a row's own values in the order of JUDGED: the plain columns that differ from row to row."""
    trajectory_id, preference, drawn, completion, reading = row
    answer = completion or _NO_ANSWER
    return (
        trajectory_id,
        drawn.request.request_id,
        preference.set_id,
        preference.query_id,
        preference.source,
        preference.domain,
        preference.split,
        drawn.mode,
        drawn.index,
        drawn.template.identity,
        drawn.order,
        answer.text,
        answer.reasoning,
        reading.critique,
        reading.scores,
        reading.margin,
        reading.outcome,
        drawn.has_reference,
        answer.finish_reason,
        answer.prompt_tokens,
        answer.completion_tokens,
        preference.n_responses,
        drawn.best_position,
        preference.label,
    )


def _hint_leaks(job: SamplingJob, rows: list[Row]) -> list[bool]:
    """Return which rows speak of their hint; a reference that stands in every prompt may be spoken of."""
    leaks = [False] * len(rows)
    hinted = [number for number, row in enumerate(rows) if row.sample.mode is Mode.HINTED]
    texts = [(rows[number].completion or _NO_ANSWER).text or "" for number in hinted]
    for number, text, suspect in zip(hinted, texts, may_leak(texts), strict=True):
        if suspect:
            drawn, reading = rows[number].sample, rows[number].reading
            leaks[number] = leaks_hint(
                text,
                principles=reading.principles,
                critique=reading.critique,
                reference_shown=drawn.has_reference and job.reference == "prompt",
            )
    return leaks


class _Counts:
    """What the manifest says of a role's requests, and of the outcomes of each source."""

    def __init__(self) -> None:
        self._outcomes: Counter[tuple[str, str, str]] = Counter()
        self._usage: Counter[str] = Counter()
        self._cost_usd = 0.0
        self._error: str | None = None

    def add(self, rows: list[Row]) -> None:
        for row in rows:
            self._outcomes[row.preference.source, row.sample.mode, row.reading.outcome] += 1
            answer = row.completion or _NO_ANSWER
            self._usage["failed"] += row.reading.outcome is Outcome.FAILED
            self._usage["prompt_tokens"] += answer.prompt_tokens or 0
            self._usage["completion_tokens"] += answer.completion_tokens or 0
            self._cost_usd += answer.cost_usd or 0.0
            self._error = self._error or answer.error

    def facts(self) -> dict[str, Any]:
        return {
            "requests": self._outcomes.total(),
            "failed": self._usage["failed"],
            "error": self._error,
            "prompt_tokens": self._usage["prompt_tokens"],
            "completion_tokens": self._usage["completion_tokens"],
            "cost_usd": round(self._cost_usd, 6),
            "outcomes": [
                {"source": source, "mode": mode, "outcome": outcome, "rows": rows}
                for (source, mode, outcome), rows in sorted(self._outcomes.items())
            ],
        }
