"""Stopping early: a role whose first answers are of no use is sent nothing further. Stored answers count, too."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pipelines.engines.advice import Seen, advice
from pipelines.engines.jobs import Job
from schemas.errors import StoppedEarly
from schemas.generation import Completion, Request

LONGEST_EXAMPLE = 20_000
"""Characters of an answer that are shown; few have more, and nobody reads them in a terminal."""


class Use(NamedTuple):
    """What an answer is good for."""

    outcome: str
    """As it is counted in words, such as `unparsed`."""
    is_usable: bool
    """Whether it is readable, and may be published."""


@dataclass(frozen=True, slots=True)
class Look:
    """When a role's answers are looked at, and the least share of them that must be of use."""

    after: int
    least: float


BUILD = (Look(200, 0.2),)
PROBE = (Look(10, 1e-9), Look(20, 0.2))
"""After ten of which none is of use, or twenty of which too few are."""


@dataclass(frozen=True)
class Purpose:
    """What a role is asked for, with which settings, and how its answers are read."""

    what: str
    """Answers to the same `what` count together, such as those of all sources."""
    job: Job
    use_of: Callable[[Request, Completion], Use]


@dataclass(slots=True)
class Pilot:
    """The first answers of a role in one run, until it is clear whether they are of use."""

    looks: list[Look]
    """Those still to be taken; none once it is clear."""
    seen: set[str] = field(default_factory=set)
    """Requests that came to their end, failed ones among them: builds walk over the same ones again."""
    answers: Seen = field(default_factory=Seen)
    usable: int = 0
    examples: dict[str, Completion] = field(default_factory=dict)
    """The first answer of each outcome that is of no use."""
    stop: StoppedEarly | None = None

    @property
    def outcomes(self) -> Counter[str]:
        """How the answers were read."""
        return self.answers.outcomes

    @property
    def room(self) -> int | None:
        """How many requests a batch may hold before the first answers are read; None for any number."""
        left = self.looks[-1].after - len(self.seen) if self.looks else 0
        return left if left > 0 else None

    def see(self, purpose: Purpose, request: Request, completion: Completion) -> None:
        """Count an answer, and set `stop` where it is the one that shows the role to be of no use."""
        if not self.looks or request.request_id in self.seen:
            return
        self.seen.add(request.request_id)
        if completion.text is None:
            return
        use = purpose.use_of(request, completion)
        self.answers.see(use.outcome, completion, request.body.get("messages", ()))
        self.usable += use.is_usable
        if not use.is_usable:
            self.examples.setdefault(use.outcome, completion)
        if self.outcomes.total() >= self.looks[0].after:
            look = self.looks.pop(0)
            if self.usable < look.least * self.outcomes.total():
                self.looks.clear()
                self.stop = StoppedEarly(self._message(purpose), self._example())

    def _message(self, purpose: Purpose) -> str:
        counts = ", ".join(f"{rows} {outcome}" for outcome, rows in self.outcomes.most_common())
        return (
            f"{purpose.job.role} ({purpose.job.model.name}), {purpose.what}: {self.usable} of the first "
            f"{self.outcomes.total()} answers can be read and published ({counts}): nothing further is asked, and "
            f"every answer is kept. What may help: {'; '.join(advice(purpose.job, self.answers))}. "
            "--keep-going (in a flow, keep_going) goes on all the same"
        )

    def _example(self) -> str:
        outcome = next(outcome for outcome, _ in self.outcomes.most_common() if outcome in self.examples)
        completion = self.examples[outcome]
        thoughts = f"<think>\n{completion.reasoning}\n</think>\n\n" if completion.reasoning else ""
        text = f"{thoughts}{completion.text}"
        if len(text) > LONGEST_EXAMPLE:
            text = f"{text[:LONGEST_EXAMPLE]}\n[cut here: {len(text):,} characters in all]"
        finish = f", finish_reason {completion.finish_reason}" if completion.finish_reason else ""
        return f"one whole answer ({outcome}{finish}):\n\n{text}\n\n{'-' * 52}"


def looking_ahead(missing: Iterator[Request], pilot: Pilot, most: int = 512) -> Iterator[Request]:
    """Yield the missing requests, but first go on until it is clear whether the stored answers between them are of use.

    So a run after one that was stopped sends nothing. Where few answers are stored, `most` are held back at first.
    """
    held: list[Request] = []
    while pilot.looks and len(held) < most and (request := next(missing, None)) is not None:
        held.append(request)
    yield from held
    yield from missing
