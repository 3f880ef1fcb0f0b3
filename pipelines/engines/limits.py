"""How much may be asked at once: requests and tokens a minute, and a concurrency that listens to the endpoint."""

SHRINK_SHARE = 0.2
"""More than this share of throttled answers in a second makes the concurrency shrink."""
SHRINK_BY = 0.2
GROW_BY = 0.05
"""Of the full concurrency, for every second without complaint."""


class LastSecond:
    """How many answers the running second brought, and how many of them said "too much"."""

    __slots__ = ("answers", "since", "throttled")

    def __init__(self) -> None:
        self.since = 0.0
        self.answers = 0
        self.throttled = 0

    def add(self, throttled: bool) -> None:
        self.answers += 1
        self.throttled += throttled

    def restart(self, now: float) -> None:
        self.since, self.answers, self.throttled = now, 0, 0

    @property
    def overloaded(self) -> bool:
        return self.throttled > SHRINK_SHARE * self.answers


class Concurrency:
    """The number of requests that may be in flight: starts at the most, shrinks by a fifth, grows back.

    It shrinks at most once a second, and only when 429, 503 and time-outs exceed a fifth of that second's answers:
    a rate limit that refuses one request in twenty costs a retry, not a slower run.
    """

    __slots__ = ("_second", "most", "room")

    def __init__(self, most: int) -> None:
        self.most = most
        self.room = most
        self._second = LastSecond()

    def answered(self, now: float, throttled: bool) -> None:
        """Count an answer that came at `now` (monotonic seconds), and judge each second when it is over."""
        second = self._second
        if now - second.since < 1.0:
            second.add(throttled)
            return
        if second.overloaded:
            self.room = max(1, int(self.room * (1 - SHRINK_BY)))
        elif self.room < self.most:
            calm_seconds = int(now - second.since)
            self.room = min(self.most, self.room + calm_seconds * max(1, int(self.most * GROW_BY)))
        second.restart(now)
        second.add(throttled)


class TokenBucket:
    """A rate a minute, with a burst of one second's worth at most."""

    __slots__ = ("_burst", "_level", "_per_second", "_since")

    def __init__(self, per_minute: float) -> None:
        self._per_second = per_minute / 60
        self._burst = max(1.0, self._per_second)
        self._level = self._burst
        self._since: float | None = None

    def delay(self, now: float, amount: float) -> float:
        """Return the seconds until `amount` may go; 0.0 is now. More than a burst at once goes into debt."""
        if self._since is not None:
            self._level = min(self._burst, self._level + max(0.0, now - self._since) * self._per_second)
        self._since = now
        missing = min(amount, self._burst) - self._level
        # A millionth of slack: a level that a timer filled up exactly must not miss its mark by a rounding error.
        return max(0.0, missing / self._per_second) if missing > 1e-6 * self._burst else 0.0

    def take(self, amount: float) -> None:
        """Take an amount out; a negative one gives back."""
        self._level = min(self._burst, self._level - amount)


class RateLimits:
    """Requests and tokens a minute of one model. Tokens are estimated before a request and corrected after it."""

    __slots__ = ("_requests", "_tokens", "unlimited")

    def __init__(self, rpm: int | None, tpm: int | None) -> None:
        self._requests = TokenBucket(rpm) if rpm else None
        self._tokens = TokenBucket(tpm) if tpm else None
        self.unlimited = not (rpm or tpm)

    def delay(self, now: float, tokens: float) -> float:
        """Return the seconds until a request of so many tokens may go."""
        requests_delay = self._requests.delay(now, 1) if self._requests else 0.0
        return max(requests_delay, self._tokens.delay(now, tokens) if self._tokens else 0.0)

    def take(self, tokens: float) -> None:
        """Count a request that goes now."""
        if self._requests:
            self._requests.take(1)
        self.correct(tokens)

    def correct(self, tokens: float) -> None:
        """Count the difference between a request's real tokens and its estimate."""
        if self._tokens:
            self._tokens.take(tokens)
