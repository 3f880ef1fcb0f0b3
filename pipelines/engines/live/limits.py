"""How much may be sent at once: requests and tokens a minute, and a concurrency that listens to the endpoint."""

from dataclasses import dataclass

from pipelines.engines.budget import Reservation

SHRINK_SHARE = 0.2
"""More than this share of throttled answers in a second makes the concurrency shrink."""
SHRINK_BY = 0.2
GROW_BY = 0.05
"""Of the full concurrency, for every second without complaint."""


@dataclass(slots=True)
class LastSecond:
    """Judges each full second of answers by how many of them were throttled.

    Never a second that has just begun: refusals come back sooner than answers, so its first ones mean nothing.
    """

    seconds: float = 0.0
    """What the second that was judged last took: longer than 1.0 where no answer came in between."""
    overloaded: bool = False
    """Whether more than `SHRINK_SHARE` of its answers were throttled."""
    _since: float = 0.0
    _answers: int = 0
    _throttled: int = 0

    def add(self, now: float, throttled: bool) -> bool:
        """Count an answer that came at `now` (monotonic seconds); True when a second was over, and is judged."""
        is_over = now - self._since >= 1.0
        if is_over:
            self.overloaded = self._throttled > SHRINK_SHARE * self._answers
            self.seconds = now - self._since
            self._since, self._answers, self._throttled = now, 0, 0
        self._answers += 1
        self._throttled += throttled
        return is_over


class Concurrency:
    """The number of requests that may be in flight: starts at the most, shrinks by a fifth, grows back.

    It shrinks at most once a second, and only when 429, 503 and time-outs exceed a fifth of that second's answers:
    a rate limit that refuses one request in twenty costs a retry, not a slower run.
    """

    __slots__ = ("_second", "most", "room")

    def __init__(self, most: int) -> None:
        self.most = self.room = most
        self._second = LastSecond()

    def answered(self, now: float, throttled: bool) -> None:
        """Count an answer that came at `now`; change the room after each full second."""
        if not self._second.add(now, throttled):
            return
        if self._second.overloaded:
            self.room = max(1, int(self.room * (1 - SHRINK_BY)))
        elif self.room < self.most:
            self.room = min(self.most, self.room + int(self._second.seconds) * max(1, int(self.most * GROW_BY)))


class TokenBucket:
    """A rate a minute, with a burst of one second's worth at most."""

    __slots__ = ("_burst", "_level", "_per_second", "_since")

    def __init__(self, per_minute: float) -> None:
        self._per_second = per_minute / 60
        self._burst = self._level = max(1.0, self._per_second)
        self._since: float | None = None

    def delay(self, now: float, amount: float) -> float:
        """Return the seconds until `amount` may go; 0.0 is now. More than a burst at once goes into debt."""
        if self._since is not None:
            self.take(-max(0.0, now - self._since) * self._per_second)
        self._since = now
        missing = min(amount, self._burst) - self._level
        # A millionth of slack: a level that a timer filled up exactly must not miss its mark by a rounding error.
        return max(0.0, missing / self._per_second) if missing > 1e-6 * self._burst else 0.0

    def take(self, amount: float) -> None:
        """Take an amount out; a negative one gives back."""
        self._level = min(self._burst, self._level - amount)


class RateLimits:
    """Requests and tokens a minute of one model. Tokens are estimated before a request and corrected after it."""

    __slots__ = ("_answer_tokens", "_answers", "_requests", "_tokens", "unlimited")

    def __init__(self, rpm: int | None, tpm: int | None) -> None:
        self._requests = TokenBucket(rpm) if rpm else None
        self._tokens = TokenBucket(tpm) if tpm else None
        self.unlimited = not (rpm or tpm)
        self._answers = 0
        self._answer_tokens = 0

    def expected_tokens(self, reservation: Reservation) -> float:
        """Return what a request will probably count: its prompt and a usual answer; at first all that it may take."""
        if not self._answers:
            return reservation.tokens
        return reservation.prompt_tokens + self._answer_tokens / self._answers

    def delay(self, now: float, tokens: float) -> float:
        """Return the seconds until a request of so many tokens may go."""
        requests_delay = self._requests.delay(now, 1) if self._requests else 0.0
        return max(requests_delay, self._tokens.delay(now, tokens) if self._tokens else 0.0)

    def take(self, tokens: float) -> None:
        """Count a request that goes now."""
        if self._requests:
            self._requests.take(1)
        if self._tokens:
            self._tokens.take(tokens)

    def settle(self, expected_tokens: float, prompt_tokens: int, answer_tokens: int) -> None:
        """Count what a request took in place of what was expected."""
        if self._tokens:
            self._tokens.take(prompt_tokens + answer_tokens - expected_tokens)
        if answer_tokens:
            self._answers += 1
            self._answer_tokens += answer_tokens
