"""The build's hard ceilings: what a request may cost at most is reserved before it is sent, and settled after."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipelines.engines.jobs import prompt_bytes
from schemas.answer_limit import NoLimit, answer_limit
from schemas.errors import BudgetReached, ForgeError
from schemas.generation import Completion
from schemas.recipe import BudgetSection, ModelSection, Price
from schemas.record import canonical_json

BYTES_PER_TOKEN = 4
UNLIMITED_ANSWER = 32_768
"""Tokens to reserve for an answer whose request sets no limit; a recipe with a ceiling on tokens has none such."""
FREE = Price()
WARN_AT = 0.8
_CEILINGS = ("max_cost_usd", "max_tokens", "max_requests")


@dataclass(frozen=True, slots=True)
class Reservation:
    """The most that one request in flight may spend."""

    tokens: int
    cost_usd: float
    price: Price
    prompt_tokens: int
    """Estimated, for an answer that comes without usage."""


def reservation_of(body: dict[str, Any], price: Price | None, *, is_scored: bool = False) -> Reservation:
    """Return the most that a request may cost, by its body as it is sent: its prompt, and its longest answer.

    The prompt is estimated generously. Tools and forms count with it, since some endpoints put them into it. The text
    of `is_scored` is only read: the answer is a number, and has no tokens.
    """
    price = price or FREE
    size = prompt_bytes(body)
    beside = sum(
        len(canonical_json(part)) for key, part in body.items() if key != "messages" and isinstance(part, dict | list)
    )
    # Text has about four bytes a token, but digits, code and rare scripts come near one: a ceiling must stay one.
    prompt = size + beside + 16
    try:
        answer = 0 if is_scored else answer_limit(body)
    except NoLimit:
        answer = UNLIMITED_ANSWER
    return Reservation(
        tokens=prompt + answer,
        cost_usd=dollars(price, prompt, answer),
        price=price,
        prompt_tokens=size // BYTES_PER_TOKEN + 1,
    )


def spent_tokens(reservation: Reservation, completion: Completion) -> tuple[int, int]:
    """Return (prompt, answer) tokens of a completion: by its usage, by the length of its answer, or none."""
    prompt, answer = completion.prompt_tokens, completion.completion_tokens
    if completion.text is None:
        return prompt or 0, answer or 0
    written = len(completion.text) + len(completion.reasoning or "")
    return (
        reservation.prompt_tokens if prompt is None else prompt,
        written // BYTES_PER_TOKEN + 1 if answer is None else answer,
    )


def cost_usd(model: ModelSection, prompt_tokens: int | None, completion_tokens: int | None) -> float | None:
    """Return what an answer cost, in a batch half of it; None without a price or without counts."""
    price = model.price
    if price is None or prompt_tokens is None or completion_tokens is None:
        return None
    return dollars(price, prompt_tokens, completion_tokens)


def dollars(price: Price, prompt_tokens: int, answer_tokens: int) -> float:
    """Return what so many tokens cost."""
    return (prompt_tokens * price.input + answer_tokens * price.output) / 1e6


class Spent(NamedTuple):
    """What was spent."""

    requests: int = 0
    """Tries, as `max_requests` counts them."""
    tokens: int = 0
    cost_usd: float = 0.0
    answers: int = 0
    """Requests that came to their end, each once."""


class Budget:
    """What may be spent and what was, over all dispatches of a build, one after the other.

    Reservations carry the price of their model, so roles of different prices share one budget. An answer without
    usage counts by its length. A failed try counts as a request; where its answer broke off, which an endpoint may well
    bill, it counts with all that was reserved, unless the endpoint gave usage. Answers found in generations cost
    nothing and never come here.
    """

    def __init__(
        self, max_cost_usd: float | None = None, max_tokens: int | None = None, max_requests: int | None = None
    ) -> None:
        self.max_cost_usd = max_cost_usd
        self.max_tokens = max_tokens
        self.max_requests = max_requests
        self.requests = 0
        """Sent, retries included."""
        self.answers = 0
        """Requests that came to their end, however often each was tried."""
        self.tokens = 0
        self.cost_usd = 0.0
        self._reserved_tokens = 0
        self._reserved_usd = 0.0
        self.is_part = False
        """Whether the ceilings are one share's part of the recipe's, which messages then say."""
        self.is_in_use = False
        """Whether a dispatch runs that asks this budget before each request; whoever starts one says so."""
        self.in_flight = 0
        self.stopped: ForgeError | None = None
        """Why nothing further may go, where someone said so."""
        self.wait_s: float | None = None
        """How long what is in flight is waited for after that; None is as long as it takes."""
        self.late: ForgeError | None = None
        """What `stopped` becomes where that is not enough."""
        self.on_stop: Callable[[], None] = lambda: None
        """Wakes the dispatch that uses this budget. Safe in a signal handler and in any thread."""
        self._warned: set[str] = set()

    @classmethod
    def of(cls, section: BudgetSection) -> "Budget":
        return cls(section.max_cost_usd, section.max_tokens, section.max_requests)

    @property
    def spent(self) -> Spent:
        """What was spent so far."""
        return Spent(self.requests, self.tokens, self.cost_usd, self.answers)

    def carry(self, spent: Spent) -> None:
        """Count what an earlier part of the same build spent in another process."""
        for name, amount in Spent(*spent)._asdict().items():  # the parameters of a flow come back as plain lists
            setattr(self, name, getattr(self, name) + amount)

    def reserve(self, need: Reservation) -> bool:
        """Set the most that a request may cost aside; False while what is in flight must be settled first.

        Whoever gets False and has nothing in flight raises what `reached` returns.
        """
        if self.stopped is not None or self._ceiling(need):
            return False
        self.requests += 1
        self.in_flight += 1
        self._reserved_tokens += need.tokens
        self._reserved_usd += need.cost_usd
        return True

    def release(self, reservation: Reservation) -> None:
        """Free a reservation whose request was never answered, because the run ends."""
        self.in_flight -= 1
        self._reserved_tokens -= reservation.tokens
        self._reserved_usd -= reservation.cost_usd

    def settle(self, reservation: Reservation, completion: Completion, broke_off: bool = False) -> str | None:
        """Put what a try really cost in the place of its reservation; return a warning, once a ceiling, at 80 %.

        `broke_off`: the endpoint may bill an answer that never came whole.
        """
        self.release(reservation)
        if broke_off and completion.prompt_tokens is None and completion.completion_tokens is None:
            self.tokens += reservation.tokens
            self.cost_usd += reservation.cost_usd
        else:
            prompt, answer = spent_tokens(reservation, completion)
            self.tokens += prompt + answer
            cost_usd = completion.cost_usd
            self.cost_usd += dollars(reservation.price, prompt, answer) if cost_usd is None else cost_usd
        return self._warning()

    def stop(self, reason: ForgeError, wait_s: float | None = None, late: ForgeError | None = None) -> None:
        """Let nothing further go, as at a ceiling: what is in flight comes in first, then `reached` is the reason.

        After `wait_s` what is still in flight is given up, and `late` is the reason.
        """
        self.stopped, self.wait_s, self.late = reason, wait_s, late
        self.on_stop()

    @property
    def is_stopped(self) -> bool:
        return self.stopped is not None

    def reached(self, need: Reservation) -> ForgeError:
        """Return the error that says which ceiling stands before a request, what was spent, and how to go on."""
        if self.stopped is not None:
            return self.stopped
        ceiling = self._ceiling(need) or "max_requests"
        next_needs = {"max_cost_usd": need.cost_usd, "max_tokens": need.tokens}.get(ceiling)
        next_one = "" if next_needs is None else f", and the next request may take up to {_words(ceiling, next_needs)}"
        cost = f"${self.cost_usd:.4f}, " if self.cost_usd else ""
        return BudgetReached(
            f"budget: {self._spent(ceiling)} spent{next_one}; in all {cost}{self.tokens:,} tokens, "
            f"{_words('max_requests', self.requests)}; "
            f"everything bought is kept: run again to go on with as much again, or raise [budget] {ceiling}"
        )

    def _ceiling(self, need: Reservation) -> str | None:
        """Return the first ceiling that a reservation would break through."""
        if self.max_requests is not None and self.requests + 1 > self.max_requests:
            return "max_requests"
        if self.max_tokens is not None and self.tokens + self._reserved_tokens + need.tokens > self.max_tokens:
            return "max_tokens"
        if self.max_cost_usd is not None and (
            # Sums of floats may miss by a rounding error what their terms add up to.
            self.cost_usd + self._reserved_usd + need.cost_usd > self.max_cost_usd * (1 + 1e-9)
        ):
            return "max_cost_usd"
        return None

    def _warning(self) -> str | None:
        for ceiling in _CEILINGS:
            most, spent = getattr(self, ceiling), getattr(self, ceiling.removeprefix("max_"))
            if most and spent / most >= WARN_AT and ceiling not in self._warned:
                self._warned.add(ceiling)
                return f"budget: {self._spent(ceiling)} spent ({spent / most:.0%})"
        return None

    def _spent(self, ceiling: str) -> str:
        spent, most = _words(ceiling, getattr(self, ceiling.removeprefix("max_"))), getattr(self, ceiling)
        return f"{spent} of {most}, its part of {ceiling}," if self.is_part else f"{spent} of {ceiling} = {most}"


def _words(ceiling: str, amount: float) -> str:
    """Return an amount of what a ceiling counts."""
    if ceiling == "max_cost_usd":
        return f"${amount:.4f}"
    what = ceiling.removeprefix("max_")
    return f"{amount:,} {what[:-1] if what == 'requests' and amount == 1 else what}"
