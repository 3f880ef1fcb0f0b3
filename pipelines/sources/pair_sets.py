"""Sets of the sources whose rows are a better and a worse answer: Messages, transcripts or conversations."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipelines.sources.pairs import pair_of
from pipelines.sources.preference_sets import response_of
from pipelines.sources.source import Origin
from schemas.preference import DropReason, LabelSource, PreferenceSet, Split, preference_set


def set_of_pair(
    row: Mapping[str, Any],
    origin: Origin,
    *,
    label_source: LabelSource,
    rewards: tuple[float, float] | None = None,
    models: Sequence[str | None] = (None, None),
    part: str | None = None,
    min_margin: float = 0.0,
    split: Split | None = None,
    drop_reason: DropReason | None = None,
) -> PreferenceSet:
    """Return the set of `chosen` and `rejected` (and a `prompt`, where the row has one).

    The rewards are those of `pair_of` unless given. `models` gave the two answers, and `part` is what the row is a part
    of: the responses' `origin`. A set with a reason to be dropped has no best response. Raises RowError.
    """
    pair = pair_of({key: value for key, value in row.items() if value is not None})
    given = rewards or pair.rewards
    if rewards is None and pair.is_contradicted and given[0] != given[1]:
        drop_reason = drop_reason or DropReason.SCORES_CONTRADICT
    read = [
        response_of(value, key, reward)
        for key, value, reward in zip(("chosen", "rejected"), pair.responses, given, strict=True)
    ]
    made = preference_set(
        query=pair.query,
        responses=[replace(one, model=model, origin=part) for one, model in zip(read, models, strict=True)],
        label_source=label_source,
        min_margin=min_margin,
        split=split,
        drop_reason=drop_reason,
        **origin,
    )
    return replace(made, best=None) if drop_reason else made
