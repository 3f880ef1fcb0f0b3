"""The prompts of a benchmark's rows: the sets of responses that a judge is shown, and in which order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pipelines.judging.draws import Draws
from pipelines.judging.samples import SamplingJob
from schemas.evaluation import Protocol, Row
from schemas.preference import LabelSource, PreferenceSet, preference_set
from schemas.record import bucket_of
from schemas.trajectory import Mode


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a judge is asked about a row: some of its responses, as a set."""

    row: int
    """Number of the row in its benchmark."""
    number: int
    """Number of the prompt among those of its row."""
    preference: PreferenceSet
    indices: tuple[int, ...]
    """indices[i] = index, in the row, of response i of the set."""
    shown: tuple[int, ...]
    """The same indices in the order of the last axis of votes."""
    fixed_order: tuple[int, ...] | None
    """The order shown, as indices of the set; None where each sample shuffles anew."""

    @property
    def bucket(self) -> int:
        return bucket_of(self.preference.query_id)

    def draws(self, judge: SamplingJob) -> Draws:
        """Return the samples of the prompt."""
        return Draws(judge, judge.shown_set(self.preference), Mode.NON_HINTED, self.fixed_order)


def prompts_of(rows: Sequence[Row], protocol: Protocol, source: str) -> list[Prompt]:
    """Return every prompt of these rows, bucket by bucket; `source` is what the sets call where they come from."""
    prompts = [prompt for number, row in enumerate(rows) for prompt in _prompts(number, row, protocol, source)]
    return sorted(prompts, key=lambda prompt: (prompt.preference.query_id, prompt.preference.set_id, prompt.number))


def _prompts(number: int, row: Row, protocol: Protocol, source: str) -> Iterator[Prompt]:
    for place, shown in enumerate(row.prompts(protocol)):
        indices = sorted(shown, key=lambda index: [part or "" for part in row.responses[index].content])
        fixed = tuple(map(indices.index, shown)) if protocol is Protocol.BOTH_ORDERS else None
        axis = tuple(sorted(shown)) if protocol is Protocol.BOTH_ORDERS else shown
        yield Prompt(number, place, set_of(row, indices, source), tuple(indices), axis, fixed)


def set_of(row: Row, indices: Sequence[int], source: str) -> PreferenceSet:
    """Return these responses as a set; the first right one stands for the best, or the first where none is known."""
    right = [index for index in indices if index in row.right]
    is_single = len(indices) == 1
    preference = preference_set(
        query=row.query,
        responses=[replace(row.responses[index], reward=float(index in row.right)) for index in indices],
        label_source=LabelSource.HUMAN,
        label=len(right) if is_single else None,
        source=source,
        source_id=row.row_id,
        source_revision="",
        license="",
        domain=row.domain,
        reference=row.reference,
    )
    best = None if is_single else indices.index(right[0]) if right else 0
    return replace(preference, best=best, drop_reason=None, given_principles=row.given_principles)
