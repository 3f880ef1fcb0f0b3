"""Re-tagging: sets whose two highest ratings are too near to each other are judged again, by a stronger model.

    sets of a source -> those that are uncertain, judged k times by models.teacher -> kept where most agree, or dropped

A vote is an ordinary judgement, non-hinted, the responses shuffled for each; it goes to the response that alone has the
highest score. The response with more than half of the readable votes is the new label. It confirms the old one, the
response that the source rated highest, or the set is dropped as `retag_disagreement`; so is a set without a new label,
or with no more than half of its votes readable. Either way `best` is the old label and `retagged_best` the new one.

A `tie` has no old label that could be confirmed, and a teacher alone is not two opinions: ties are not judged again.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.engines.answering import Run
from pipelines.engines.asking import Product, find_answered
from pipelines.judging.judging import find_judged, judge
from pipelines.judging.samples import SamplingJob, sampling_job
from pipelines.judging.sampling import sample_sets
from pipelines.judging.verdicts import READER_VERSION
from schemas.licenses import allowed_among
from schemas.preference import SETS, DropReason, PreferenceSet, Split, sets_of, sets_table
from schemas.recipe import BuildSection, Recipe, SourceSection
from schemas.trajectory import JUDGED, Purpose
from storage.root import Root
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tables import BucketReader, bucket_ranges, read_batches

STAGE_VERSION = 1
_VOTE = ["query_id", "trajectory_id", "set_id", "order", "scores"]


class Retag(StrEnum):
    """What the votes say of the old label."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNDECIDED = "undecided"
    """No response has most of the votes, or too few votes could be read."""


@dataclass(frozen=True, slots=True)
class Votes:
    """The readable votes on one set."""

    readable: int
    by_response: tuple[int, ...]
    """Votes of each response, by index; a vote whose highest score is shared goes to none."""

    def label(self, wanted: int) -> int | None:
        """Return the response with most of the votes; None without one, or where most of `wanted` are unreadable."""
        most = max(self.by_response)
        return None if 2 * self.readable <= wanted or 2 * most <= self.readable else self.by_response.index(most)


def retag_job(recipe: Recipe, section: SourceSection) -> SamplingJob | None:
    """Return what is asked of each uncertain set of a source; None where the recipe wants no votes on it."""
    job = sampling_job(recipe, Purpose.RETAG) if section.teacher_votes else None
    return replace(job, n=section.teacher_votes) if job else None


def retag(job: SamplingJob, build: BuildSection, root: Root, run: Run, stage: Stage) -> Product:
    """Return the stage of a source's sets with its uncertain ones judged again.

    Its facts are those of the source, with what was asked and what came of it under `synthesis`. Raises what asking
    raises, Waiting among it; what was answered by then is kept.
    """
    if found := find_retagged(job, build, root, stage, run.retry_failed):
        return Product(found)
    uncertain = uncertain_sets(build, root, stage)
    answers = sample_sets(root, run, job, uncertain)
    judged = None if answers.given_up else find_judged(root, job, uncertain, run.retry_failed)
    judged = judged or judge(root, job, uncertain, answers)
    answers.recall(judged.facts)
    answers.check(run, f"retag {stage.facts['source']}", uncertain.rows("sets"))
    key = _key(job, build, stage, sorted(answers.given_up))
    verdicts: Counter[Retag] = Counter()
    sets, judgements = BucketReader(stage.paths("sets"), SETS), BucketReader(judged.paths("judged"), JUDGED, _VOTE)
    with TableWriter(root, key, "sets", SETS) as writer:
        for buckets in bucket_ranges(stage.rows("sets")):
            batch, votes = sets.through(buckets[-1]), votes_of(judgements.through(buckets[-1]))
            writer.write(_decided_batch(batch, _is_uncertain(build, batch), votes, job.n, verdicts))
    funnel = [{"outcome": f"judged again: {verdict}", "rows": verdicts[verdict]} for verdict in Retag]
    facts = {**stage.facts, "synthesis": {"uses": [answers.facts(job)], "funnel": funnel}}
    made = finish_stage(root, key, {"sets": writer.files}, facts, [stage, judged])
    return Product(made, {job.role: answers.bought})


def find_retagged(
    job: SamplingJob, build: BuildSection, root: Root, stage: Stage, retry_failed: bool = False
) -> Stage | None:
    """Return the finished stage, unless it rests on failed requests that are to be sent again."""
    return find_answered(root, _key(job, build, stage), retry_failed)


def _key(job: SamplingJob, build: BuildSection, stage: Stage, given_up: Sequence[str] = ()) -> str:
    """Return the stage's key; where requests were given up, another one, so that the next build asks again."""
    settings = [job.key_settings(), build.license_keys, given_up, READER_VERSION]
    return stage_key(f"retagged-{stage.facts['source']}", STAGE_VERSION, settings, [stage.content])


def uncertain_sets(build: BuildSection, root: Root, stage: Stage) -> Stage:
    """Return the stage with the table `sets` of those that are judged again, as sets that sampling takes.

    Their label is the old one, which no prompt shows; their split says nothing, and no training table ever sees them.
    """
    key = stage_key(f"uncertain-{stage.facts['source']}", STAGE_VERSION, build.license_keys, [stage.content])
    if found := find_stage(root, key):
        return found
    with TableWriter(root, key, "sets", SETS) as writer:
        for batch in read_batches(stage.paths("sets"), SETS):
            uncertain = sets_of(batch.filter(_is_uncertain(build, batch)))
            sampled = [replace(one, best=old_label(one), drop_reason=None, split=Split.TRAIN) for one in uncertain]
            writer.write(sets_table(sampled))
    return finish_stage(root, key, {"sets": writer.files}, {}, [stage])


def old_label(preference: PreferenceSet) -> int:
    """Return the index of the response that the source rated highest."""
    rewards = [response.reward for response in preference.responses]
    return rewards.index(max(reward for reward in rewards if reward is not None))


def _is_uncertain(build: BuildSection, batch: pa.Table) -> pa.ChunkedArray:
    """Return which sets are judged again; those of a licence that the recipe refuses would be dropped whatever came."""
    uncertain = pc.fill_null(pc.equal(batch.column("drop_reason"), DropReason.UNCERTAIN.value), False)
    if build.licenses is None:
        return uncertain
    allowed = allowed_among(batch.column("license").to_pylist(), build.licenses)
    return pc.and_(uncertain, pc.is_in(batch.column("license"), pa.array(allowed, pa.string())))


def votes_of(judged: pa.Table) -> dict[str, Votes]:
    """Return the votes on each set, by set id. The rows are all that there are of their sets."""
    readable: Counter[str] = Counter()
    counts: dict[str, list[int]] = {}
    # A set that stands twice in its source has each of its votes twice.
    rows = pl.DataFrame(judged.select(_VOTE)).unique("trajectory_id")
    for set_id, order, scores in rows.select("set_id", "order", "scores").iter_rows():
        votes = counts.setdefault(set_id, [0] * len(order))
        readable[set_id] += scores is not None
        if scores is not None and scores.count(max(scores)) == 1:
            votes[order[scores.index(max(scores))]] += 1
    return {set_id: Votes(readable[set_id], tuple(votes)) for set_id, votes in counts.items()}


def decided(preference: PreferenceSet, votes: Votes, wanted: int) -> tuple[PreferenceSet, Retag]:
    """Return an uncertain set with both labels, kept or dropped by `wanted` votes, and what they say."""
    old, new = old_label(preference), votes.label(wanted)
    verdict = Retag.UNDECIDED if new is None else Retag.CONFIRMED if new == old else Retag.REFUTED
    return (
        replace(
            preference,
            best=old,
            retagged_best=new,
            votes=votes.by_response,
            drop_reason=None if verdict is Retag.CONFIRMED else DropReason.RETAG_DISAGREEMENT,
        ),
        verdict,
    )


def _decided_batch(
    batch: pa.Table, uncertain: pa.ChunkedArray, votes: Mapping[str, Votes], wanted: int, verdicts: Counter[Retag]
) -> pa.Table:
    """Return the batch with its uncertain sets decided, and count what the votes say."""
    made = [decided(one, votes[one.set_id], wanted) for one in sets_of(batch.filter(uncertain))]
    verdicts.update(verdict for _, verdict in made)
    both = pa.concat_tables([batch.filter(pc.invert(uncertain)), sets_table([one for one, _ in made])])
    came_from = pc.sort_indices(uncertain)  # stable: the rows of `both`, by their place in the batch
    return both.take(pc.sort_indices(came_from))
