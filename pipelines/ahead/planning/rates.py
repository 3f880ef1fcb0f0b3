"""How quickly an endpoint answers: measured by a probe, or remembered from earlier runs' event logs."""

from collections.abc import Collection
from dataclasses import dataclass

from pipelines.ahead.probing.sampling import Timing
from storage.root import Root
from storage.run_events import read_events, run_ids

RUNS_READ = 20
ANSWERS_AT_LEAST = 100
"""Fewer say little of the rate of a whole build."""


@dataclass(frozen=True)
class AnswerRate:
    """Answers a second, and where the figure comes from."""

    value: float
    basis: str


def time_words(hours: float) -> str:
    """Return a time in the unit that people would use for it."""
    for unit, a_unit in (("hours", 1.0), ("minutes", 60.0), ("seconds", 3600.0)):
        if hours * a_unit >= 1.0:
            return f"{hours * a_unit:,.1f} {unit}"
    return "under a second"


def probed_rate(timing: Timing) -> AnswerRate | None:
    """Return a probe's rate; None where every answer was there already."""
    if not timing.bought:
        return None
    return AnswerRate(
        timing.bought / max(timing.seconds, 1e-3),
        f"at the rate of a probe of {timing.bought:,} requests; with more in flight it is quicker",
    )


def earlier_rate(root: Root, stages: Collection[str]) -> AnswerRate | None:
    """Return the rate at which the latest run that asked for enough in a stage of such a name was answered."""
    for run_id in run_ids(root)[:RUNS_READ]:
        rate = 0.0
        for event in read_events(root, run_id):
            counts = event.get("event") in ("progress", "stage_ended") and event.get("stage") in stages
            if counts and event.get("bought", 0) >= ANSWERS_AT_LEAST:
                rate = float(event.get("rate") or 0.0)
        if rate > 0:
            return AnswerRate(rate, f"at the rate of run {run_id}")
    return None
