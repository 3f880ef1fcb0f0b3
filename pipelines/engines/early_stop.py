"""Stopping early: a role whose first answers are of no use is asked nothing further. Stored ones count, too."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pipelines.engines.pilot_advice import Asked, advice
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
    """What a role is asked for, how its answers are read, and which of the recipe's settings decide how they are."""

    what: str
    """Answers to the same `what` count together, such as those of all sources."""
    asked: Asked
    use_of: Callable[[Request, Completion], Use]


@dataclass(slots=True)
class Pilot:
    """The first answers of a role in one run, until it is clear whether they are of use."""

    looks: list[Look]
    """Those still to be taken; none once it is clear."""
    seen: set[str] = field(default_factory=set)
    """Requests that came to their end, failed ones among them: builds walk over the same ones again."""
    outcomes: Counter[str] = field(default_factory=Counter)
    usable: int = 0
    reasoning: int = 0
    """Answers with thoughts of their own."""
    examples: dict[str, Completion] = field(default_factory=dict)
    """The first answer of each outcome that is of no use."""
    has_system_turn: bool = False
    stop: StoppedEarly | None = None

    @property
    def answers(self) -> int:
        return self.outcomes.total()

    @property
    def room(self) -> int | None:
        """How many requests a batch may hold before the first answers are read; None for any number."""
        wanted = self.looks[-1].after if self.looks else 0
        return wanted - len(self.seen) if len(self.seen) < wanted else None

    def see(self, purpose: Purpose, request: Request, completion: Completion) -> None:
        """Count an answer, and set `stop` where it is the one that shows the role to be of no use."""
        if not self.looks or request.request_id in self.seen:
            return
        self.seen.add(request.request_id)
        if completion.text is None:
            return
        use = purpose.use_of(request, completion)
        self.outcomes[use.outcome] += 1
        self.usable += use.is_usable
        self.reasoning += bool(completion.reasoning)
        self.has_system_turn |= any(turn.get("role") == "system" for turn in request.body.get("messages", ()))
        if not use.is_usable:
            self.examples.setdefault(use.outcome, completion)
        if self.answers >= self.looks[0].after:
            look = self.looks.pop(0)
            if self.usable < look.least * self.answers:
                self.looks.clear()
                self.stop = StoppedEarly(self._message(purpose), self._example())

    def _message(self, purpose: Purpose) -> str:
        counts = ", ".join(f"{rows} {outcome}" for outcome, rows in self.outcomes.most_common())
        may_help = "; ".join(advice(purpose.asked, self.outcomes, self.reasoning, self.has_system_turn))
        return (
            f"{purpose.asked.role} ({purpose.asked.model.name}), {purpose.what}: {self.usable} of the first "
            f"{self.answers} answers can be read and published ({counts}): nothing further is asked, and every answer "
            f"is kept. What may help: {may_help}. --keep-going (in a flow, keep_going) goes on all the same"
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

    So a run after one that was stopped asks nothing. Where few answers are stored, `most` are held back at first.
    """
    held: list[Request] = []
    while pilot.looks and len(held) < most and (request := next(missing, None)) is not None:
        held.append(request)
    yield from held
    yield from missing
