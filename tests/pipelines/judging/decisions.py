"""Frames of judged trajectories, for the tests of rejection and balance."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from pipelines.training_sets.rejection import DECISION_COLUMNS
from schemas.record import content_id

SCHEMA = dict.fromkeys(DECISION_COLUMNS, pl.String) | {
    "sample_index": pl.Int32,
    **dict.fromkeys(["draft_verdict", "no_critique", "no_principles", "hint_leak"], pl.Boolean),
    "n_responses": pl.Int32,
    "best_position": pl.Int32,
    "label": pl.Int32,
}


def a_sample(
    set_id: str, index: int = 0, outcome: str = "correct", mode: str = "non_hinted", **given: Any
) -> dict[str, Any]:
    row = {
        "trajectory_id": content_id("t", set_id, index, mode),
        "set_id": set_id,
        "query_id": content_id("q", set_id),
        "source": "own",
        "split": "train",
        "mode": mode,
        "sample_index": index,
        "outcome": outcome,
        **dict.fromkeys(["draft_verdict", "no_critique", "no_principles", "hint_leak"], False),
        "n_responses": 2,
        "best_position": 0,
        "label": None,
    }
    return row | given


def samples(set_id: str, outcomes: Sequence[str], hinted: str | None = None, **given: Any) -> list[dict[str, Any]]:
    """Return a set's non-hinted samples with these outcomes, and its hinted one."""
    rows = [a_sample(set_id, index, outcome, **given) for index, outcome in enumerate(outcomes)]
    return rows + ([a_sample(set_id, 0, hinted, "hinted", **given)] if hinted else [])


def frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA)
