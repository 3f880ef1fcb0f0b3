"""Pairs for scalar and pairwise baselines: the best response of a set against each other one."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pipelines.judging.transcripts import said_by
from schemas.preference import PreferenceSet
from schemas.query import single_turns
from schemas.tables import table_of
from schemas.training import PAIRS


def pairs_table(sets: Sequence[PreferenceSet]) -> pa.Table:
    """Return n - 1 pairs a set, in the order of the sets; sets of a single response have none.

    A response that is a conversation is one answer, the text that a judge reads. `margin` is the distance between the
    two rewards, in the source's own units.
    """
    pairs = [
        (preference, preference.responses[preference.best], other)
        for preference in sets
        if preference.best is not None
        for index, other in enumerate(preference.responses)
        if index != preference.best
    ]
    columns: dict[str, Any] = {
        "prompt": [preference.query for preference, _, _ in pairs],
        "chosen": single_turns("assistant", pa.array([said_by(chosen) for _, chosen, _ in pairs], pa.string())),
        "rejected": single_turns("assistant", pa.array([said_by(rejected) for _, _, rejected in pairs], pa.string())),
        "margin": [
            None if chosen.reward is None or rejected.reward is None else chosen.reward - rejected.reward
            for _, chosen, rejected in pairs
        ],
    }
    return table_of(PAIRS, [preference for preference, _, _ in pairs], columns)
