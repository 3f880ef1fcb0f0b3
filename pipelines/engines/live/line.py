"""The line of requests that are to be sent: retries that are due, follow-ups, then new ones."""

import heapq
import random
from collections import deque
from collections.abc import Iterable, Iterator

from schemas.generation import Request

WAITING_AT_LEAST = 64
"""No new request is pulled while so many wait for their next try, or as many as may be in flight."""
MAX_RETRY_AFTER_S = 120.0
"""An endpoint that wants a longer wait gets the request again after this one: a day's wait would be a silent hang."""
FIRST_BACKOFF_S = 0.5
MAX_BACKOFF_S = 60.0


class Line:
    """Retries stand in it by when each may be tried again. Times are monotonic seconds."""

    def __init__(self, requests: Iterator[Request], max_retries: int, max_concurrency: int = 0) -> None:
        """`requests` is pulled one by one, and only when one of them is next."""
        self._new = requests
        self._is_exhausted = False
        self._follow_ups: deque[Request] = deque()
        self._retries: list[tuple[float, int, Request]] = []
        self._most_waiting = max(WAITING_AT_LEAST, max_concurrency)
        self._max_retries = max_retries
        self._failed: dict[str, int] = {}
        """Failed tries of each request that waits or is being tried again."""
        self._count = 0
        self.capped_waits = 0
        """How often an endpoint wanted a longer wait than `MAX_RETRY_AFTER_S`."""

    @property
    def next_retry_at(self) -> float | None:
        """When the first retry is due."""
        return self._retries[0][0] if self._retries else None

    @property
    def may_have_more(self) -> bool:
        """Whether anything may be left to send, now or later."""
        return not self._is_exhausted or bool(self._follow_ups) or bool(self._retries)

    def next(self, now: float) -> Request | None:
        """Take the next request out of the line; None where there is none now."""
        if self._retries and self._retries[0][0] <= now:
            return heapq.heappop(self._retries)[2]
        if self._follow_ups:
            return self._follow_ups.popleft()
        # A pile of retries means that the endpoint is in trouble: pulling more rows would only make the pile higher.
        if self._is_exhausted or len(self._retries) >= self._most_waiting:
            return None
        request = next(self._new, None)
        self._is_exhausted = request is None
        return request

    def put_behind(self, request: Request) -> None:
        """Put a request behind all that waits to be sent."""
        self._follow_ups.append(request)

    def put_in_front(self, follow_ups: Iterable[Request]) -> None:
        """Put follow-ups before all that is new, and before earlier follow-ups."""
        self._follow_ups.extendleft(reversed(list(follow_ups)))

    def put_back(self, request: Request, retry_after_s: float | None, now: float) -> bool:
        """Put a request in line after a failed try; False when its tries are used up."""
        failed = self._failed.get(request.request_id, 0) + 1
        if failed > self._max_retries:
            return False
        self._failed[request.request_id] = failed
        self._count += 1
        heapq.heappush(self._retries, (now + self._wait(failed, retry_after_s), self._count, request))
        return True

    def forget(self, request: Request) -> None:
        """Forget the failed tries of a request that came to its end."""
        self._failed.pop(request.request_id, None)

    def _wait(self, failed: int, retry_after_s: float | None) -> float:
        """Return the seconds until the next try: as the endpoint wants, else doubled each time, spread a little.

        What failed together must not come back together.
        """
        if retry_after_s is None:
            return random.uniform(0.5, 1.0) * min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(failed - 1, 20))
        self.capped_waits += retry_after_s > MAX_RETRY_AFTER_S
        return min(retry_after_s, MAX_RETRY_AFTER_S) * random.uniform(1.0, 1.05)
