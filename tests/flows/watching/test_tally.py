"""What a stage's counts say: the rate of late, the time left, and a line for people."""

import time

import pytest

from flows.watching.tally import WINDOW_S, StageTally, duration, per_second
from schemas.generation import Completion, FaultKind
from schemas.trajectory import Outcome

ANSWER = Completion("r", "text", prompt_tokens=100, completion_tokens=50, cost_usd=0.01)


def tally(total: int | None = 1000, *, began_s_ago: float = 0.0) -> StageTally:
    """Return a stage that began some time ago."""
    return StageTally("sampling rft with judge", total, time.monotonic() - began_s_ago)


def buy(stage: StageTally, answers: int, outcome: Outcome = Outcome.CORRECT) -> None:
    for _ in range(answers):
        stage.count(ANSWER)
        stage.outcomes[outcome] += 1


def test_the_rate_is_that_of_late() -> None:
    stage = tally(began_s_ago=120)
    buy(stage, 1000)
    stage.sample(time.monotonic() - WINDOW_S - 1)  # a thousand by then, forty since
    buy(stage, 40)
    assert stage.rate == pytest.approx(40 / (WINDOW_S + 1), rel=0.05)
    assert stage.mean_rate == pytest.approx(1040 / 120, rel=0.05)


def test_a_slow_endpoint_is_watched_for_longer() -> None:
    stage = tally(began_s_ago=100)
    buy(stage, 10)
    stage.sample(time.monotonic() - 20)
    assert stage.rate == pytest.approx(0.1, rel=0.05), "no answer in the last 20 s is not a rate of nothing"


def test_the_time_left_counts_samples_that_will_be_drawn_again() -> None:
    stage = tally(1000, began_s_ago=10)
    buy(stage, 400)
    buy(stage, 100, Outcome.UNPARSED)
    assert (stage.settled, stage.left) == (400, 600)
    assert stage.seconds_left == pytest.approx(600 / 50 / 0.8, rel=0.05)
    assert stage.correct_share == 0.8


def test_nothing_is_said_of_time_before_anything_is_bought() -> None:
    stage = tally()
    assert stage.seconds_left is None
    assert tally(None).seconds_left is None
    assert "left" not in stage.line()


def test_the_line_names_what_people_ask_for() -> None:
    stage = tally(1000, began_s_ago=10)
    buy(stage, 100)
    stage.found = 7
    stage.flying = 256
    stage.count(Completion("r", error="http://e: HTTP 400: no", fault=FaultKind.REQUEST))
    stage.outcomes[Outcome.FAILED] += 1
    stage.count_retry("http://e/v1: HTTP 429: slow down, prompt 'secret'")
    line = stage.line()
    for part in ("101 of 1,000 done", "7 were there already", "10/s", "99% correct", "1 retry", "1 failed", "$1.0000"):
        assert part in line
    assert "256 in flight" in line
    assert "1:3" in line  # 899 answers at 10 a second, some of which will be drawn again
    assert stage.retries == {"HTTP 429": 1}
    assert "in flight" not in stage.line(over=True)
    assert stage.parts()[:4] == ["101 of 1,000", "10/s", "99% correct", "256 in flight"]


@pytest.mark.parametrize(
    ("rate", "said"), [(4123.4, "4,123/s"), (12.3, "12/s"), (1.26, "1.3/s"), (0.05, "3.0/min"), (0.0, "0.0/min")]
)
def test_rates_are_said_in_a_unit_that_fits(rate: float, said: str) -> None:
    assert per_second(rate) == said


@pytest.mark.parametrize(("seconds", "said"), [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3661, "1:01:01")])
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said
