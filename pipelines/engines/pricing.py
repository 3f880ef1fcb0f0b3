"""What a request may cost at most, and what its answer did cost: in tokens and in US dollars."""

from dataclasses import dataclass
from typing import Any

from pipelines.engines.request_body import prompt_bytes
from schemas.answer_limit import NoLimit, answer_limit
from schemas.generation import Completion
from schemas.recipe import ModelSection, Price
from schemas.record import canonical_json

BYTES_PER_TOKEN_RESERVED = 1
"""Text has about four bytes a token, but digits, code and rare scripts come near one: a ceiling must stay one."""
BYTES_PER_TOKEN = 4
UNLIMITED_ANSWER = 32_768
"""Tokens to reserve for an answer whose request sets no limit; a recipe with a ceiling on tokens has none such."""
FREE = Price()


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
    prompt = (size + beside) // BYTES_PER_TOKEN_RESERVED + 16
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
