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


def test_a_judge_that_nobody_can_read_costs_three_times_as_long_at_most() -> None:
    stage = tally(100, began_s_ago=10)
    buy(stage, 50, Outcome.UNPARSED)
    assert stage.seconds_left == pytest.approx(100 / 5 * 3, rel=0.05)


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
    assert stage.parts()[:5] == ["101 of 1,000", "99% readable", "99% correct", "500 tokens/s", "10/s"]
    assert stage.parts()[5] == "256 in flight"


def test_a_judge_that_nobody_can_read_is_not_called_wrong() -> None:
    stage = tally(60)
    buy(stage, 43, Outcome.UNPARSED)
    for line in (stage.line(), stage.line(over=True), "  ".join(stage.parts())):
        assert "0 of 43 readable" in line and "correct" not in line
    buy(stage, 1, Outcome.INCORRECT)
    assert "2% readable, 0% correct" in stage.line()
    stage.outcomes.clear()
    assert "readable" not in stage.line(), "nothing has been read"


def test_what_was_stored_is_no_speed() -> None:
    """A resumed stage looks up for a minute what is stored; then it asks, at four answers a second."""
    resumed = tally(1000, began_s_ago=60)
    resumed.found = 600
    resumed.outcomes[Outcome.CORRECT] += 600
    resumed.fly(32, 32)
    assert resumed.seconds_left is None and "left" not in resumed.line(), "this run has bought nothing yet"
    assert "32 in flight" in resumed.line() and "60% readable" not in resumed.line()
    buy(resumed, 2)
    assert resumed.seconds_left is None, "two of 32 in flight say little"
    time.sleep(0.2)
    buy(resumed, 38)
    assert resumed.rate == pytest.approx(40 / 0.2, rel=0.3)
    assert resumed.token_rate == pytest.approx(40 * 50 / 0.2, rel=0.3)
    assert resumed.mean_rate == pytest.approx(resumed.rate, rel=0.1), "the minute of looking up counts in neither"
    assert resumed.seconds_left == pytest.approx(360 / resumed.rate, rel=0.1)


def test_a_slow_endpoint_has_a_time_left_after_a_while() -> None:
    stage = tally(100, began_s_ago=2 * WINDOW_S)
    stage.flying = 32
    buy(stage, 3)
    assert stage.seconds_left == pytest.approx(97 / (3 / (2 * WINDOW_S)), rel=0.05)
    assert "1.7 tokens/s" not in stage.line() and "5 tokens/s" in stage.line()


@pytest.mark.parametrize(
    ("rate", "said"), [(4123.4, "4,123/s"), (12.3, "12/s"), (1.26, "1.3/s"), (0.05, "3.0/min"), (0.0, "0.0/min")]
)
def test_rates_are_said_in_a_unit_that_fits(rate: float, said: str) -> None:
    assert per_second(rate) == said


@pytest.mark.parametrize(("seconds", "said"), [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3661, "1:01:01")])
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said
