"""The rate of a plan: a probe's, or what earlier runs left in their logs."""

from pathlib import Path

import pytest

from pipelines.ahead.estimates import Timing, earlier_rate, time_words
from storage.root import Root
from storage.run_events import RunEvents

STAGE = "sampling rft with judge"


def write_run(
    root: Root, run_id: str, *, bought: int, rate: float, stage: str = STAGE, event: str = "progress"
) -> None:
    events = RunEvents(root, run_id)
    events.write("run_started")
    events.write(event, stage=stage, bought=bought, rate=rate)
    events.close()


def test_the_latest_run_that_asked_for_enough_knows(tmp_path: Path) -> None:
    root = Root(tmp_path)
    assert earlier_rate(root, [STAGE]) is None
    write_run(root, "20260101", bought=5_000, rate=40.0, event="stage_ended")
    write_run(root, "20260102", bought=500, rate=50.0)  # killed before its stage ended
    write_run(root, "20260103", bought=20, rate=900.0)  # too few
    write_run(root, "20260104", bought=5_000, rate=900.0, stage="sampling difficulty with judge")
    found = earlier_rate(root, [STAGE])
    assert found is not None
    assert (found.value, found.basis) == (50.0, "at the rate of run 20260102")


def test_a_probe_that_bought_nothing_knows_nothing() -> None:
    assert Timing(bought=0, seconds=0.1).rate() is None
    rate = Timing(bought=60, seconds=3.0).rate()
    assert rate is not None
    assert rate.value == pytest.approx(20)
    assert "60 requests" in rate.basis


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (123.456, "123.5 hours"),
        (1.0, "1.0 hours"),
        (0.5, "30.0 minutes"),
        (0.01, "36.0 seconds"),
        (1e-5, "under a second"),
    ],
)
def test_a_time_is_said_in_a_unit_that_fits(hours: float, said: str) -> None:
    assert time_words(hours) == said
