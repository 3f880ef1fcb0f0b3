"""The sampling stage: every sample that the sets of some buckets need is asked for, in one stream over all of them."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.engines.answering import Run, answer
from pipelines.engines.early_stop import Purpose as Wanted
from pipelines.engines.early_stop import Use
from pipelines.engines.pilot_advice import Asked
from pipelines.engines.shares import ALL_BUCKETS
from pipelines.engines.stored import Stored
from pipelines.judging.critiques import has_critique
from pipelines.judging.extraction import read_answer, read_parts, without_verdict
from pipelines.judging.samples import Sample, SamplingJob, modes_of, next_samples, sample, samples_wanted, shown_set
from pipelines.judging.shown_text import ShownSet
from pipelines.judging.verdicts import answer_of
from schemas.generation import Completion, FaultKind, Request
from schemas.preference import SETS, PreferenceSet, Split, sets_of
from schemas.record import bucket_of
from schemas.trajectory import Mode, Outcome, Purpose, RejectReason
from storage.root import Root
from storage.stages import Stage
from storage.tables import BucketReader, bucket_ranges, in_buckets, read_table

SAMPLED_SPLITS = (Split.TRAIN, Split.VALIDATION)
"""Test sets are sampled for nothing."""


@dataclass(slots=True)
class _SetInMode:
    """One set's samples of one mode, while answers are still out."""

    preference: PreferenceSet
    shown: ShownSet
    mode: Mode
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    asked: int = 0
    orders: Counter[tuple[int, ...]] = field(default_factory=Counter)
    """How often each order was asked for: in one order the prompt is the same."""


def sample_sets(
    root: Root, run: Run, job: SamplingJob, curated: Stage, buckets: Collection[int] = ALL_BUCKETS
) -> dict[str, str]:
    """See that every sample the job wants of every sampled set of these buckets has its answer in the generations.

    Returns the requests that failed for a passing reason, however often they were tried, with their last error by id:
    no answer of theirs is stored, and the next build asks for them again.

    An unreadable answer is sampled again as soon as its set's other samples are in. Requests of one set stand
    together, so that a server's prefix cache pays. Sets that differ only in what is not shown may want the very same
    request: it is asked once, and its answer counts for each.
    """
    waiting: dict[tuple[str, str], list[tuple[_SetInMode, Sample]]] = {}
    given_up: dict[str, str] = {}

    def further(state: _SetInMode) -> Iterator[Request]:
        """Yield the requests for the samples that the set wants next, given its outcomes so far."""
        outcomes = [state.outcomes[index] for index in range(state.asked)]
        for index in next_samples(outcomes, samples_wanted(job, state.mode), job.resample):
            drawn = sample(job, state.preference, state.shown, state.mode, index)
            state.asked += 1
            wanted_by = waiting.setdefault((drawn.request.request_id, drawn.request.query_id), [])
            wanted_by.append((state, drawn))
            repeat = state.orders[drawn.order]
            state.orders[drawn.order] += 1
            if len(wanted_by) == 1:
                yield replace(drawn.request, repeat=repeat) if repeat else drawn.request

    def requests() -> Iterator[Request]:
        for _, sets in sampled_sets(curated, buckets):
            for preference in sets:
                shown = shown_set(job, preference)
                for mode in modes_of(job, preference):
                    yield from list(further(_SetInMode(preference, shown, mode)))

    def follow_up(request: Request, completion: Completion) -> Iterable[Request]:
        if completion.fault is FaultKind.TRANSIENT:
            given_up[request.request_id] = completion.error or "no answer"
        following: list[Request] = []
        for state, drawn in waiting.pop((request.request_id, request.query_id)):
            outcome = outcome_of_sample(job, drawn, state.preference, completion)
            state.outcomes[drawn.index] = outcome
            run.watcher.judged(outcome)
            if len(state.outcomes) == state.asked:
                following += further(state)
        return following

    def use_of(request: Request, completion: Completion) -> Use:
        state, drawn = waiting[(request.request_id, request.query_id)][0]
        return use_of_sample(job, drawn, state.preference, completion)

    run.watcher.stage(job.stage_name, wanted_answers(job, curated, buckets))
    answer(root, run, job.model, requests(), follow_up, _wanted_of(job, use_of))
    return given_up


def _wanted_of(job: SamplingJob, use_of: Callable[[Request, Completion], Use]) -> Wanted:
    form = job.structured_output
    asked = Asked(job.role, job.model, "grm", job.given, job.max_tokens, job.temperature, form)
    return Wanted(f"sampling {job.purpose}", asked, use_of)


def use_of_sample(job: SamplingJob, drawn: Sample, preference: PreferenceSet, completion: Completion) -> Use:
    """Return what an answer is good for: one that RFT would reject for what it lacks beside its verdict is no use."""
    outcome = outcome_of_sample(job, drawn, preference, completion)
    if not outcome.readable or not job.is_for_rft:
        return Use(outcome.value, outcome.readable)
    n_responses = preference.n_responses
    text, wanted = job.text_of(completion.text or "", n_responses), job.parts_wanted(n_responses)
    if not has_critique(without_verdict(text), n_responses, wanted.analysis):
        return Use(RejectReason.NO_CRITIQUE.value, False)
    if wanted.criteria and not read_parts(answer_of(text))[0]:
        return Use(RejectReason.NO_PRINCIPLES.value, False)
    return Use(outcome.value, True)


class LookedUp(NamedTuple):
    """A sample that a set wants, and its stored answer."""

    drawn: Sample
    completion: Completion | None
    is_again: bool
    """Whether it takes the place of one that cannot be read."""


def looked_up(
    job: SamplingJob, preference: PreferenceSet, answer_to: Callable[[Request], Completion | None]
) -> Iterator[LookedUp]:
    """Yield the samples that a set wants by what is stored: the first ones, and those in the place of unreadable ones.

    What follows from answers that are still missing is not known yet.
    """
    shown = shown_set(job, preference)
    for mode in modes_of(job, preference):
        outcomes: list[Outcome] = []
        orders: Counter[tuple[int, ...]] = Counter()
        wanted = samples_wanted(job, mode)
        while indices := next_samples(outcomes, wanted, job.resample):
            completions = []
            for index in indices:
                drawn = sample(job, preference, shown, mode, index)
                completion = answer_to(replace(drawn.request, repeat=orders[drawn.order]))
                orders[drawn.order] += 1
                completions.append(completion)
                yield LookedUp(drawn, completion, index >= wanted)
                if completion is not None:
                    outcomes.append(outcome_of_sample(job, drawn, preference, completion))
            if None in completions:
                break


def asks_anything(root: Root, job: SamplingJob, curated: Stage, retry_failed: bool = False) -> bool:
    """Say whether an answer is missing, or is to be asked again, that sampling these sets wants."""
    stored = Stored(root)
    return any(
        one.completion is None or (retry_failed and one.completion.fault is not None)
        for _, sets in sampled_sets(curated)
        for preference in sets
        for one in looked_up(job, preference, stored.answer_to)
    )


def outcome_of_sample(job: SamplingJob, drawn: Sample, preference: PreferenceSet, completion: Completion) -> Outcome:
    """Return the outcome that judging will read, and nothing else."""
    if completion.text is None:
        return Outcome.FAILED
    n_responses = preference.n_responses
    truth = drawn.best_position, preference.label
    text = job.text_of(completion.text, n_responses)
    return read_answer(text, completion.finish_reason, n_responses, *truth, with_parts=False).outcome


def sampled_sets(curated: Stage, buckets: Collection[int] = ALL_BUCKETS) -> Iterator[tuple[int, list[PreferenceSet]]]:
    """Yield (bucket, sets) of the kept train and validation sets of these buckets, in the table's order."""
    reader = BucketReader(curated.paths("sets"), SETS)
    for group in bucket_ranges(curated.rows("sets")):
        rows = in_buckets(reader.through(group[-1]), buckets)
        for bucket, sets in groupby(kept_sets(rows), lambda one: bucket_of(one.query_id)):
            yield bucket, list(sets)


def kept_sets(table: pa.Table) -> list[PreferenceSet]:
    """Return the sets of a table that are sampled: kept ones, in train and validation."""
    is_sampled = pc.is_in(table.column("split"), pa.array(SAMPLED_SPLITS, pa.string()))
    return sets_of(table.filter(pc.and_(is_sampled, pc.is_null(table.column("drop_reason")))))


def wanted_answers(job: SamplingJob, curated: Stage, buckets: Collection[int] = ALL_BUCKETS) -> int:
    """Return how many answers the job needs of these buckets, when every one is readable."""
    columns = ["query_id", "source", "split", "given_principles", "drop_reason"]
    frame = pl.from_arrow(in_buckets(read_table(curated.paths("sets"), SETS, columns), buckets))
    assert isinstance(frame, pl.DataFrame)
    sampled = frame.filter(pl.col("drop_reason").is_null() & pl.col("split").is_in(SAMPLED_SPLITS))
    if job.purpose is Purpose.PAIRED:
        sampled = sampled.filter(pl.col("given_principles").is_not_null())
    return sampled.height * job.n + sampled.filter(pl.col("source").is_in(list(job.hinted_sources))).height
