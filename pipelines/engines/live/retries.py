"""Requests that failed for a passing reason, in line for their next try."""

import heapq
import random

from pipelines.engines.protocol import Attempt
from schemas.generation import Request

MAX_RETRY_AFTER_S = 120.0
"""An endpoint that asks for a longer wait is asked again after this one: a day's wait would be a silent hang."""
FIRST_BACKOFF_S = 0.5
MAX_BACKOFF_S = 60.0


class Retries:
    """A line ordered by when each request may be tried again. Times are monotonic seconds."""

    def __init__(self, max_retries: int) -> None:
        self._max_retries = max_retries
        self._line: list[tuple[float, int, Request]] = []
        self._failed: dict[str, int] = {}
        """Failed tries of each request that waits or is being tried again."""
        self.count = 0
        self.capped = 0
        """How often an endpoint asked for a longer wait than `MAX_RETRY_AFTER_S`."""

    def __len__(self) -> int:
        return len(self._line)

    @property
    def next_at(self) -> float | None:
        """When the first request of the line is due."""
        return self._line[0][0] if self._line else None

    def due(self, now: float) -> Request | None:
        """Take the first request out of the line if its time has come."""
        return heapq.heappop(self._line)[2] if self._line and self._line[0][0] <= now else None

    def put(self, request: Request, attempt: Attempt, now: float) -> bool:
        """Put a request in line after a failed try; False when its tries are used up."""
        failed = self._failed.get(request.request_id, 0) + 1
        if failed > self._max_retries:
            return False
        self._failed[request.request_id] = failed
        self.count += 1
        heapq.heappush(self._line, (now + self._wait(failed, attempt.retry_after_s), self.count, request))
        return True

    def forget(self, request: Request) -> None:
        """Forget the failed tries of a request that came to its end."""
        self._failed.pop(request.request_id, None)

    def _wait(self, failed: int, retry_after_s: float | None) -> float:
        """Return the seconds until the next try: as the endpoint asks, else doubled each time, spread a little.

        What failed together must not come back together.
        """
        if retry_after_s is None:
            return random.uniform(0.5, 1.0) * min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(failed - 1, 20))
        self.capped += retry_after_s > MAX_RETRY_AFTER_S
        return min(retry_after_s, MAX_RETRY_AFTER_S) * random.uniform(1.0, 1.05)
