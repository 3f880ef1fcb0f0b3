"""Rates a minute and the concurrency that listens, on a clock of our own."""

import pytest

from pipelines.engines.live.limits import Concurrency, LastSecond, RateLimits, TokenBucket


def answer(concurrency: Concurrency, second: float, good: int, throttled: int) -> None:
    for number in range(good + throttled):
        concurrency.answered(second + number / 1000, number < throttled)


def test_concurrency_shrinks_by_a_fifth_at_most_once_a_second() -> None:
    concurrency = Concurrency(100)
    concurrency.answered(0.0, False)
    answer(concurrency, 1.0, good=0, throttled=500)
    assert concurrency.room == 100  # the second is not over
    concurrency.answered(2.1, True)
    assert concurrency.room == 80
    answer(concurrency, 2.2, good=0, throttled=500)
    assert concurrency.room == 80
    concurrency.answered(3.2, True)
    assert concurrency.room == 64


def test_a_fifth_of_throttled_answers_is_no_reason_to_shrink() -> None:
    concurrency = Concurrency(100)
    concurrency.answered(0.0, False)
    for second in range(1, 20):
        answer(concurrency, second * 1.001, good=90, throttled=20)
    assert concurrency.room == 100


def test_concurrency_never_falls_below_one_and_grows_back_to_the_most() -> None:
    concurrency = Concurrency(40)
    for second in range(60):
        answer(concurrency, second * 1.01, good=0, throttled=5)
    assert concurrency.room == 1
    answer(concurrency, 70.0, good=10, throttled=0)
    for second in range(71, 110):
        answer(concurrency, second * 1.01, good=10, throttled=0)
    assert concurrency.room == 40


def test_a_bucket_lets_through_its_rate_and_no_burst_beyond_a_second() -> None:
    bucket = TokenBucket(600)  # ten a second
    sent, now = [], 0.0
    while now < 10:
        delay = bucket.delay(now, 1)
        if delay:
            now += delay
        else:
            bucket.take(1)
            sent.append(now)
    assert len(sent) == pytest.approx(10 + 100, abs=2)
    assert sum(moment < 0.5 for moment in sent) <= 16


def test_an_idle_bucket_does_not_save_up() -> None:
    bucket = TokenBucket(60)
    assert bucket.delay(0.0, 1) == 0
    bucket.take(1)
    assert bucket.delay(1000.0, 1) == 0
    bucket.take(1)
    assert bucket.delay(1000.0, 1) == pytest.approx(1.0)


def test_a_request_larger_than_the_burst_goes_into_debt_and_not_into_a_hang() -> None:
    limits = RateLimits(rpm=None, tpm=600)
    assert limits.delay(0.0, 100) == 0
    limits.take(100)
    assert limits.delay(0.0, 100) == pytest.approx(10.0)
    limits.settle(100, 5, 5)  # its answer was much shorter than feared
    assert limits.delay(0.0, 100) == pytest.approx(1.0)


def test_a_clock_that_jumps_back_hurts_nobody() -> None:
    bucket = TokenBucket(60)
    bucket.delay(100.0, 1)
    bucket.take(1)
    assert bucket.delay(50.0, 1) == pytest.approx(1.0)
    assert bucket.delay(51.0, 1) == 0


def test_a_second_that_has_just_begun_is_not_judged() -> None:
    second = LastSecond()
    second.add(10.0, False)
    for moment in range(5):
        assert not second.add(10.01 + moment / 1000, True)  # refusals come first
    for moment in range(100):
        second.add(10.2 + moment / 1000, False)
    assert second.add(11.1, True)
    assert not second.overloaded
