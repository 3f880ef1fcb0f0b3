"""The sampling stage: every sample that the sets of some buckets need is answered, in one stream over all of them."""

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.engines.answering import Run, Stored
from pipelines.engines.asking import Answers, Asker
from pipelines.engines.early_stop import Use
from pipelines.engines.shares import ALL_BUCKETS
from pipelines.judging.critiques import has_critique
from pipelines.judging.draws import Draw, Draws, draws_of
from pipelines.judging.extraction import read_parts, without_verdict
from pipelines.judging.samples import SamplingJob
from pipelines.judging.verdicts import answer_of
from schemas.generation import Completion, Request
from schemas.preference import CRITERIA, SETS, SETS_TABLE, PreferenceSet, Split, sets_of
from schemas.record import bucket_of
from schemas.trajectory import Purpose, RejectReason
from storage.root import Root
from storage.stages import Stage
from storage.table_parts import COUNTED_ROWS, id_ranges
from storage.tables import BucketReader, in_buckets

SAMPLED_SPLITS = (Split.TRAIN, Split.VALIDATION)
"""Test sets are sampled for nothing."""


def sample_sets(
    root: Root, run: Run, job: SamplingJob, curated: Stage, buckets: Collection[int] = ALL_BUCKETS
) -> Answers:
    """See that every sample the job wants of every sampled set of these buckets has its answer in the generations.

    Returns what was bought, and which requests were given up: judging counts the answers.

    An unreadable answer is sampled again as soon as its set's other samples are in. Requests of one set stand
    together, those that show one order next to each other, so that a server's prefix cache pays. Sets that differ only
    in what is not shown may want the very same request: it is sent once, and its answer counts for each.
    """
    out: dict[tuple[str, str], list[tuple[Draws, Draw]]] = {}

    def wanted(draws: Draws) -> list[Request]:
        """Return the requests for the samples that the set wants next and no other set has out."""
        return not_out([(draws, draw) for draw in draws.following()])

    def not_out(samples: Iterable[tuple[Draws, Draw]]) -> list[Request]:
        requests = []
        for draws, draw in samples:
            request = draws.request(draw)
            wanted_by = out.setdefault((request.request_id, request.query_id), [])
            wanted_by.append((draws, draw))
            if len(wanted_by) == 1:
                requests.append(request)
        return requests

    def first_requests() -> Iterator[Request]:
        for _, sets in sampled_sets(curated, buckets):
            for preference in sets:
                yield from not_out(first_samples(job, preference))

    def follow_up(request: Request, completion: Completion) -> Iterable[Request]:
        following: list[Request] = []
        for draws, draw in out.pop((request.request_id, request.query_id)):
            outcome = draws.outcomes[draw.sample_index] = draws.outcome_of(draw, completion)
            run.watcher.judged(outcome)
            following += wanted(draws)
        return following

    def use_of(request: Request, completion: Completion) -> Use:
        return use_of_judgement(*out[(request.request_id, request.query_id)][0], completion)

    asker = Asker(root, run, job)
    total = wanted_answers(job, curated, buckets)
    asker.send(f"sampling {job.purpose}", total, first_requests(), use_of, follow_up=follow_up)
    return asker.answers


def use_of_judgement(draws: Draws, draw: Draw, completion: Completion) -> Use:
    """Return what an answer is good for: one that RFT would reject for what it lacks beside its verdict is no use."""
    job, n_responses = draws.job, draws.preference.n_responses
    outcome = draws.outcome_of(draw, completion)
    if not outcome.readable or not job.is_for_rft:
        return Use(outcome.value, outcome.readable)
    text, wanted = job.text_of(completion.text or "", n_responses), job.parts_wanted(n_responses)
    if not has_critique(without_verdict(text), n_responses, wanted.analysis):
        return Use(RejectReason.NO_CRITIQUE.value, False)
    if wanted.criteria and not read_parts(answer_of(text))[0]:
        return Use(RejectReason.NO_PRINCIPLES.value, False)
    return Use(outcome.value, True)


def first_samples(job: SamplingJob, preference: PreferenceSet) -> list[tuple[Draws, Draw]]:
    """Return the samples that a set wants first, in the order in which they are sent: by what their prompts show."""
    drawn = [(draws, draw) for draws in draws_of(job, preference) for draw in draws.following()]
    return sorted(drawn, key=lambda one: (one[1].before, one[1].order))


class StoredSample(NamedTuple):
    """A sample that a set wants, and its stored answer, if there is one."""

    draws: Draws
    draw: Draw
    completion: Completion | None

    @property
    def is_again(self) -> bool:
        """Whether it takes the place of one that cannot be read."""
        return self.draw.sample_index >= self.draws.wanted


def stored_samples(
    job: SamplingJob, preference: PreferenceSet, answer_to: Callable[[Request], Completion | None]
) -> Iterator[StoredSample]:
    """Yield the samples that a set wants by what is stored: the first ones, and those in the place of unreadable ones.

    What follows from answers that are still missing is not known yet.
    """
    for draws in draws_of(job, preference):
        while following := list(draws.following()):
            for draw in following:
                completion = answer_to(draws.request(draw))
                if completion is not None:
                    draws.outcomes[draw.sample_index] = draws.outcome_of(draw, completion)
                yield StoredSample(draws, draw, completion)


def asks_anything(root: Root, job: SamplingJob, curated: Stage, retry_failed: bool = False) -> bool:
    """Say whether an answer is missing, or is to be sent for again, that sampling these sets wants."""
    stored = Stored(root)
    return any(
        sample.completion is None or (retry_failed and sample.completion.fault is not None)
        for _, sets in sampled_sets(curated)
        for preference in sets
        for sample in stored_samples(job, preference, stored.answer_to)
    )


def sampled_sets(curated: Stage, buckets: Collection[int] = ALL_BUCKETS) -> Iterator[tuple[int, list[PreferenceSet]]]:
    """Yield (bucket, sets) of the kept train and validation sets of these buckets, in the table's order.

    A large bucket comes in several parts.
    """
    read_before = sets_reader(curated)
    for end in id_ranges(curated.rows("sets")):
        rows = in_buckets(read_before(end), buckets)
        for bucket, sets in groupby(kept_sets(rows), lambda one: bucket_of(one.query_id)):
            yield bucket, list(sets)


def sets_reader(curated: Stage) -> Callable[[str], pa.Table]:
    """Return what reads the sets, on and on, up to a query_id: each set with the criteria of its question."""
    sets, criteria = BucketReader(curated.paths("sets"), SETS), BucketReader(curated.paths("criteria"), CRITERIA)
    return lambda end: _with_criteria(sets.before(end), criteria.before(end))


def _with_criteria(sets: pa.Table, criteria: pa.Table) -> pa.Table:
    """Return the sets with their criteria, as they are published; only sampled sets of several responses have some."""
    row = pc.index_in(sets.column("query_id"), criteria.column("query_id").combine_chunks())
    row = pc.if_else(pc.and_(_is_sampled(sets), pc.greater(sets.column("n_responses"), 1)), row, None)
    for field in list(CRITERIA)[1:]:
        sets = sets.append_column(field, criteria.column(field.name).take(row))
    return sets.select([name for name in SETS_TABLE.schema.names if name in sets.column_names])


def kept_sets(table: pa.Table) -> list[PreferenceSet]:
    """Return the sets of a table that are sampled: kept ones, in train and validation."""
    return sets_of(table.filter(_is_sampled(table)))


def _is_sampled(table: pa.Table) -> pa.ChunkedArray:
    is_sampled = pc.is_in(table.column("split"), pa.array(SAMPLED_SPLITS, pa.string()))
    return pc.and_(is_sampled, pc.is_null(table.column("drop_reason")))


def wanted_answers(job: SamplingJob, curated: Stage, buckets: Collection[int] = ALL_BUCKETS) -> int:
    """Return how many answers the job needs of these buckets, when every one is readable."""
    columns = ["query_id", "source", "split", "n_responses", "drop_reason"]
    hinted, answers = list(job.hinted_sources), 0
    given = BucketReader(curated.paths("criteria"), CRITERIA, ["query_id", "given_principles"])
    sets = BucketReader(curated.paths("sets"), SETS, columns)
    for end in id_ranges(curated.rows("sets"), COUNTED_ROWS):
        rows = in_buckets(sets.before(end), buckets)
        sampled = pl.DataFrame(rows.filter(_is_sampled(rows)))
        if job.purpose is Purpose.PAIRED:
            with_criteria = pl.DataFrame(given.before(end)).drop_nulls()
            sampled = sampled.filter(pl.col("n_responses") > 1).join(with_criteria, on="query_id", how="semi")
        answers += sampled.height * job.n + sampled.filter(pl.col("source").is_in(hinted)).height
    return answers
