"""What one stage of a run has done so far: counts, the recent rate, the time left, and these in words."""

import time
from collections import Counter, deque
from typing import NamedTuple

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
_READABLE = _SETTLED - {Outcome.FAILED}
JUDGED_OUTCOMES = frozenset({"correct", "incorrect", "tied"})
"""What a readable answer is where its set says which response is the best."""
USUAL_RESAMPLES = 2
"""How often an unreadable answer is sampled again: what `[grm] resample_unreadable` is unless a recipe changes it."""
FEWEST_IN_PERCENT = 0.01
"""A smaller share of readable answers is shown as two counts: "0 of 43 readable"."""


class _Sample(NamedTuple):
    """How far a stage was."""

    time: float
    bought: int
    answer_tokens: int


class _Rates(NamedTuple):
    """What comes in a second."""

    answers: float
    tokens: float


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
        self._sent: float | None = None
        """When the first request left. What was looked up before that is stored, and no measure of speed."""
        self._samples: deque[_Sample] = deque([_Sample(self.started, 0, 0)], SAMPLES)

    def count(self, completion: Completion) -> None:
        """Count an answer that was bought. A microsecond at most: this runs once an answer."""
        self.bought += 1
        self.failed += completion.error is not None
        self.prompt_tokens += completion.prompt_tokens or 0
        self.answer_tokens += completion.completion_tokens or 0
        self.cost_usd += completion.cost_usd or 0.0

    def count_retry(self, reason: str) -> None:
        self.retries[reason_of(reason)] += 1

    def fly(self, requests: int, room: int) -> None:
        """Note how many requests are in flight. The clock of the rates starts with the first."""
        self.flying, self.room = requests, room
        if requests and self._sent is None:
            self._sent = time.monotonic()
            self._samples = deque([_Sample(self._sent, self.bought, self.answer_tokens)], SAMPLES)

    def sample(self, now: float) -> None:
        """Remember how far the stage is, so that rates can look back. Called now and then."""
        if now - self._samples[-1].time >= SAMPLE_EVERY_S:
            self._samples.append(_Sample(now, self.bought, self.answer_tokens))

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
        return self._lately().answers

    @property
    def token_rate(self) -> float:
        """Answer tokens bought a second, lately."""
        return self._lately().tokens

    def _lately(self) -> "_Rates":
        """Return the rates of this run's own answers, over the last seconds."""
        now, bought, tokens = time.monotonic(), self.bought, self.answer_tokens
        for since in reversed(self._samples):
            if now - since.time >= WINDOW_S and bought - since.bought >= WINDOW_ANSWERS:
                break
        seconds = max(now - since.time, 1e-3)
        return _Rates((bought - since.bought) / seconds, (tokens - since.answer_tokens) / seconds)

    @property
    def _asking_s(self) -> float:
        """Seconds since the first request left."""
        return max(time.monotonic() - (self.started if self._sent is None else self._sent), 1e-3)

    @property
    def mean_rate(self) -> float:
        """Answers bought a second since the first request left."""
        return self.bought / self._asking_s

    @property
    def mean_token_rate(self) -> float:
        """Answer tokens bought a second since the first request left."""
        return self.answer_tokens / self._asking_s

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
    def readable(self) -> int:
        """Readable answers so far."""
        return sum(rows for outcome, rows in dict(self.outcomes).items() if outcome in _READABLE)

    @property
    def seconds_left(self) -> float | None:
        """The time left by the recent rate, and by the share of answers sampled again.

        None until this run itself has bought enough to tell its rate: what was stored before it was quick to find.
        """
        if self.left is None or (self.bought < min(self.flying, WINDOW_ANSWERS) and self._asking_s < WINDOW_S):
            return None
        rate, unsettled = self.rate, 1 - self.settled / max(self.answers, 1)
        samples = sum(unsettled**again for again in range(1 + USUAL_RESAMPLES))
        return None if rate <= 0 else self.left / rate * samples

    def parts(self) -> list[str]:
        """Return the state in phrases, the most telling first."""
        of = f" of {self.total:,}" if self.total else ""
        parts = [f"{self.settled:,}{of}"]
        parts += self._shares()
        if self.bought:
            parts += [*_tokens(self.token_rate), per_second(self.rate)]
        if self.flying or self.bought:
            parts.append(f"{self.flying:,} in flight")
        if self.cost_usd:
            parts.append(f"${self.cost_usd:,.4f}")
        return [*parts, *self._troubles(), *([f"{self.found:,} were there already"] if self.found else [])]

    def line(self, *, over: bool = False) -> str:
        """Return the state in one line; once the stage is over, with its mean rate."""
        of = f" of {self.total:,}" if self.total else ""
        parts = [f"{self.settled:,}{of} done", f"{self.answers:,} answers", f"{self.found:,} were there already"]
        parts += self._shares()
        if self.bought:
            answers, tokens = (self.mean_rate, self.mean_token_rate) if over else self._lately()
            parts += [*_tokens(tokens), per_second(answers)]
        parts += self._troubles()
        if self.cost_usd:
            parts.append(f"${self.cost_usd:,.4f}")
        if over:
            parts.append(duration(self.seconds))
        else:
            parts += [f"{self.flying:,} in flight"] if self.flying or self.bought else []
            left = self.seconds_left
            parts += [] if left is None else [f"{duration(left)} left"]
        return f"{self.name}: {', '.join(parts)}"

    def _shares(self) -> list[str]:
        """Return the share of readable answers, and that of right ones, where some can be read and may be right."""
        outcomes, readable = dict(self.outcomes), self.readable
        answers = sum(outcomes.values())
        if not answers:
            return []
        if readable < FEWEST_IN_PERCENT * answers:
            return [f"{readable:,} of {answers:,} readable"]
        shares = [f"{readable / answers:.0%} readable"]
        return [*shares, f"{self.correct_share:.0%} correct"] if JUDGED_OUTCOMES & outcomes.keys() else shares

    def _troubles(self) -> list[str]:
        retries = sum(dict(self.retries).values())
        words = {
            f"{retries:,} {'retry' if retries == 1 else 'retries'}": retries,
            f"{self.failed:,} failed": self.failed,
        }
        return [phrase for phrase, count in words.items() if count]


def _tokens(rate: float) -> list[str]:
    """Return a rate of tokens; nothing where the endpoint counts none, or a scorer writes none."""
    return [f"{rate:,.0f} tokens/s"] if rate >= 1 else []


def per_second(rate: float) -> str:
    """Return a rate as people say it: by the second, or by the minute where that is a fraction."""
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s" if rate >= 1 else f"{rate * 60:.1f}/min"


def duration(seconds: float) -> str:
    """Return seconds as `m:ss` or `h:mm:ss`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
