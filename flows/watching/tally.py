"""What one stage of a run has done so far: counts, the recent rate, the time left, and these in words."""

import time
from collections import Counter, deque

from pipelines.engines.faults import reason_of
from schemas.generation import Completion
from schemas.trajectory import Outcome

WINDOW_S = 15.0
"""The rate counts the last 15 seconds, or a longer time until it has seen `WINDOW_ANSWERS`."""
WINDOW_ANSWERS = 32
SAMPLE_EVERY_S = 1.0
SAMPLES = 600
READABLE = "readable"
"""What a readable answer is where nothing says which response is the best."""
_SETTLED = frozenset({READABLE, *(outcome for outcome in Outcome if outcome.readable or outcome is Outcome.FAILED)})
JUDGED_OUTCOMES = frozenset({"correct", "incorrect", "tied"})
"""What a readable answer is where its set says which response is the best."""


class StageTally:
    """Counts of one stage. Written by the thread that asks, read by the one that shows."""

    def __init__(self, name: str, total: int | None, started: float | None = None) -> None:
        self.name = name
        self.total = total
        """Answers that the stage needs when every one is readable; None where it asks for none."""
        self.started = time.monotonic() if started is None else started
        self.bought = self.found = self.failed = 0
        self.prompt_tokens = self.answer_tokens = 0
        self.cost_usd = 0.0
        self.flying = self.room = 0
        self.outcomes: Counter[str] = Counter()
        self.unreadable_kept = 0
        """Unreadable answers that no further sample takes the place of."""
        self.retries: Counter[str] = Counter()
        """By reason, without the words of the endpoint."""
        self._samples: deque[tuple[float, int]] = deque([(self.started, 0)], SAMPLES)

    def count(self, completion: Completion) -> None:
        """Count an answer that was bought. A microsecond at most: this runs once an answer."""
        self.bought += 1
        self.failed += completion.error is not None
        self.prompt_tokens += completion.prompt_tokens or 0
        self.answer_tokens += completion.completion_tokens or 0
        self.cost_usd += completion.cost_usd or 0.0

    def count_retry(self, reason: str) -> None:
        self.retries[reason_of(reason)] += 1

    def sample(self, now: float) -> None:
        """Remember how far the stage is, so that `rate` can look back. Called now and then."""
        if now - self._samples[-1][0] >= SAMPLE_EVERY_S:
            self._samples.append((now, self.bought))

    def judged(self, outcome: str, is_kept: bool) -> None:
        """Count an answer that was read."""
        self.outcomes[outcome] += 1
        self.unreadable_kept += is_kept and outcome not in _SETTLED

    @property
    def answers(self) -> int:
        return self.bought + self.found

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def rate(self) -> float:
        """Answers bought a second, lately: what an endpoint did an hour ago says little of the next minute."""
        now, bought = time.monotonic(), self.bought
        for since, before in reversed(self._samples):
            if now - since >= WINDOW_S and bought - before >= WINDOW_ANSWERS:
                break
        return (bought - before) / max(now - since, 1e-3)

    @property
    def mean_rate(self) -> float:
        """Answers bought a second since the stage began."""
        return self.bought / max(self.seconds, 1e-3)

    @property
    def settled(self) -> int:
        """Answers that need no further sample: readable ones, requests that failed for good, and others that are kept.

        Every answer, in stages that judge none.
        """
        outcomes = dict(self.outcomes)  # a copy: the other thread goes on counting
        if not outcomes:
            return self.answers
        return sum(rows for outcome, rows in outcomes.items() if outcome in _SETTLED) + self.unreadable_kept

    @property
    def correct_share(self) -> float:
        """The share of correct answers so far: no more than these can be accepted."""
        return self.outcomes[Outcome.CORRECT] / max(sum(dict(self.outcomes).values()), 1)

    @property
    def left(self) -> int | None:
        """Answers still needed when every one of them is readable."""
        return None if self.total is None else max(0, self.total - self.settled)

    @property
    def seconds_left(self) -> float | None:
        """The time left by the recent rate, and by the share of answers sampled again; None while nothing is bought."""
        rate, left = self.rate, self.left
        return None if left is None or rate <= 0 else left / rate / max(self.settled / max(self.answers, 1), 0.1)

    def parts(self) -> list[str]:
        """Return the state in phrases, the most telling first."""
        of = f" of {self.total:,}" if self.total else ""
        parts = [f"{self.settled:,}{of}"]
        if self.bought:
            parts += [per_second(self.rate), *self._correct(), f"{self.flying:,} in flight"]
        if self.cost_usd:
            parts.append(f"${self.cost_usd:,.4f}")
        return [*parts, *self._troubles(), *([f"{self.found:,} were there already"] if self.found else [])]

    def line(self, *, over: bool = False) -> str:
        """Return the state in one line; once the stage is over, with its mean rate."""
        of = f" of {self.total:,}" if self.total else ""
        parts = [f"{self.settled:,}{of} done", f"{self.answers:,} answers", f"{self.found:,} were there already"]
        if self.bought:
            parts += [per_second(self.mean_rate if over else self.rate), *self._correct()]
        parts += self._troubles()
        if self.cost_usd:
            parts.append(f"${self.cost_usd:,.4f}")
        if over:
            parts.append(duration(self.seconds))
        elif self.seconds_left is not None:
            parts += [f"{self.flying:,} in flight", f"{duration(self.seconds_left)} left"]
        return f"{self.name}: {', '.join(parts)}"

    def _correct(self) -> list[str]:
        """Return the share of right answers, or of readable ones where nothing says what is right."""
        if not self.outcomes:
            return []
        if JUDGED_OUTCOMES & self.outcomes.keys():
            return [f"{self.correct_share:.0%} correct"]
        return [f"{self.outcomes[READABLE] / self.outcomes.total():.0%} readable"]

    def _troubles(self) -> list[str]:
        retries = sum(dict(self.retries).values())
        words = {
            f"{retries:,} {'retry' if retries == 1 else 'retries'}": retries,
            f"{self.failed:,} failed": self.failed,
        }
        return [phrase for phrase, count in words.items() if count]


def per_second(rate: float) -> str:
    """Return a rate as people say it: by the second, or by the minute where that is a fraction."""
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s" if rate >= 1 else f"{rate * 60:.1f}/min"


def duration(seconds: float) -> str:
    """Return seconds as `m:ss` or `h:mm:ss`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
