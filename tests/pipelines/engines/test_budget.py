"""Ceilings hold, with what is in flight reserved, over roles of different prices."""

import pytest

from pipelines.engines.budget import Budget, Reservation, reservation_of
from schemas.errors import BudgetReached, Interrupted
from schemas.generation import Completion, FaultKind
from schemas.recipe import BudgetSection, Price

CHEAP = Price(input=0.1, output=0.4)
DEAR = Price(input=10, output=40)


def need(max_tokens: int = 100, price: Price | None = None, prompt: str = "x" * 84) -> Reservation:
    return reservation_of({"messages": [{"role": "user", "content": prompt}], "max_tokens": max_tokens}, price)


def answered(prompt_tokens: int | None = 42, completion_tokens: int | None = 50, text: str = "x" * 200) -> Completion:
    return Completion("r", text, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)


def test_without_ceilings_everything_goes_and_is_counted() -> None:
    budget = Budget.of(BudgetSection())
    for _ in range(1000):
        reservation = need(price=CHEAP)
        assert budget.reserve(reservation)
        assert budget.settle(reservation, answered()) is None
    assert (budget.requests, budget.tokens) == (1000, 92_000)
    assert budget.cost_usd == pytest.approx(1000 * (42 * 0.1 + 50 * 0.4) / 1e6)


def test_what_is_in_flight_is_reserved_at_its_most() -> None:
    budget = Budget(max_tokens=500)
    first, second, third = need(), need(), need()
    assert first.tokens == 200
    assert budget.reserve(first) and budget.reserve(second)
    assert not budget.reserve(third)  # 400 of 500 may be spent already
    budget.settle(first, answered())
    assert budget.reserve(third)  # 92 spent and 200 reserved


def test_requests_are_counted_when_they_are_sent_and_not_when_they_are_refused() -> None:
    budget = Budget(max_requests=2)
    reservations = [need() for _ in range(3)]
    assert [budget.reserve(reservation) for reservation in reservations] == [True, True, False]
    budget.settle(reservations[0], Completion("r", error="429", fault=FaultKind.TRANSIENT))
    assert not budget.reserve(reservations[2])  # a failed request was a request


def test_roles_of_different_prices_share_one_ceiling() -> None:
    budget = Budget(max_cost_usd=0.01)
    cheap = need(1000, CHEAP)
    assert budget.reserve(cheap)
    budget.settle(cheap, answered(100, 1000))
    assert budget.cost_usd == pytest.approx(0.00041)
    assert budget.reserve(need(200, DEAR))  # 0.009 at most
    assert not budget.reserve(need(200, DEAR))
    assert not budget.reserve(need(4000, CHEAP))


def test_the_error_says_what_was_spent_which_ceiling_and_the_way_out() -> None:
    budget = Budget(max_cost_usd=0.01)
    dear = need(200, DEAR)
    budget.reserve(dear)
    budget.settle(dear, answered(100, 200))
    error = budget.reached(need(200, DEAR))
    assert isinstance(error, BudgetReached)
    assert error.exit_code == 3
    message = str(error)
    assert "$0.0090 of max_cost_usd = 0.01" in message
    assert "300 tokens, 1 request;" in message
    assert "raise [budget] max_cost_usd" in message
    assert "run again to go on" in message
    assert "\n" not in message


def test_a_ceiling_on_requests_says_no_more_than_there_is_to_say() -> None:
    budget = Budget(max_requests=2)
    for _ in range(2):
        budget.reserve(need(200))
        budget.settle(need(200), answered(100, 200))
    assert str(budget.reached(need(200))) == (
        "budget: 2 requests of max_requests = 2 spent; in all 600 tokens, 2 requests; everything bought is kept: "
        "run again to go on with as much again, or raise [budget] max_requests"
    )


def test_a_share_says_that_its_ceiling_is_a_part() -> None:
    budget = Budget(max_requests=5)
    budget.is_part = True
    warnings = []
    for _ in range(5):
        budget.reserve(need(200))
        warnings.append(budget.settle(need(200), answered(100, 200)))
    assert warnings == [None, None, None, "budget: 4 requests of 5, its part of max_requests, spent (80%)", None]
    assert str(budget.reached(need(200))).startswith("budget: 5 requests of 5, its part of max_requests, spent; in all")


def test_it_warns_once_at_80_percent_of_each_ceiling() -> None:
    budget = Budget(max_requests=10, max_tokens=10_000)
    warnings = []
    for _ in range(10):
        reservation = need()
        assert budget.reserve(reservation)
        warnings.append(budget.settle(reservation, answered()))
    assert [number for number, warning in enumerate(warnings) if warning] == [7]
    assert "8 requests of max_requests = 10" in str(warnings[7])


def test_an_answer_without_usage_counts_by_its_length_and_a_failure_not_at_all() -> None:
    budget = Budget(max_tokens=1000)
    first, second = need(), need()
    budget.reserve(first)
    budget.settle(first, answered(None, None))
    assert budget.tokens == 22 + 51
    budget.reserve(second)
    budget.settle(second, Completion("r", error="400", fault=FaultKind.REQUEST))
    assert budget.tokens == 73


def test_released_reservations_are_free_again() -> None:
    budget = Budget(max_tokens=250)
    reservation = need()
    assert budget.reserve(reservation)
    assert not budget.reserve(need())
    budget.release(reservation)
    assert budget.reserve(need())


def test_text_of_many_bytes_is_reserved_by_its_bytes() -> None:
    assert need(prompt="語" * 84).tokens > need().tokens + 150


def test_a_stopped_budget_lets_nothing_further_go_and_says_why() -> None:
    budget = Budget()
    reservation = need()
    assert budget.reserve(reservation)
    assert (budget.in_flight, budget.is_stopped) == (1, False)
    reason = Interrupted("someone pressed Ctrl-C")
    budget.stop(reason)
    assert not budget.reserve(need())
    budget.settle(reservation, answered())
    assert budget.in_flight == 0
    assert budget.reached(need()) is reason


def test_what_an_earlier_part_spent_counts() -> None:
    earlier, later = Budget(max_requests=3), Budget(max_requests=3)
    for _ in range(2):
        assert earlier.reserve(need())
    later.carry(earlier.spent)
    assert later.reserve(need())
    assert not later.reserve(need())


def test_a_prompt_of_one_token_a_byte_stays_below_its_reservation() -> None:
    digits = "7" * 4_000  # many tokenizers give each digit a token of its own
    assert need(prompt=digits).tokens >= 4_000 + 100
