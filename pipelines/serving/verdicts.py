"""What became of the responses of one group: a reward each, or a failure with a name. A failure is never a number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from schemas.explained import Explained


class Cause(Explained):
    """Why a response has no reward."""

    UNREADABLE = "unreadable", "no sample of the judge has scores that can be read"
    CUT_OFF = "cut_off", "the judge's answers ended at the token limit, before their verdict"
    REFUSED = "refused", "the judge declined"
    REJECTED = "rejected", "the endpoint refuses this very request"
    OVER_BUDGET = "over_budget", "the next request would exceed the recipe's [budget]"
    UNREACHABLE = "unreachable", "the judge's endpoint gives no answer"
    NOT_STORED = "not_stored", "the root takes no more answers, so that none is bought"
    UNSCORED = "unscored", "the Meta RM gave none of the judgements a score to choose by"
    NOT_LINKED = "not_linked", "it was judged only among responses that share none with the others of its group"
    ALONE = "alone", "there is nothing to compare it with, and judged alone answers are scored badly"
    EMPTY = "empty", "the response holds nothing that can be seen"
    TOO_LONG = "too_long", "it does not fit a prompt with another response"
    LATE = "late", "its group was judged before it came"
    TIMED_OUT = "timed_out", "the judgement took longer than a call may; it goes on, and is stored"
    STOPPING = "stopping", "the service ends, and begins nothing new"


class Failure(NamedTuple):
    """Why a response has no reward, with what is known beside the name."""

    cause: Cause
    detail: str = ""

    def as_json(self) -> dict[str, str]:
        words = self.cause.meaning.words
        return {"name": self.cause.value, "why": f"{words}: {self.detail}" if self.detail else words}


Reward = float | Failure


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a group. Its rewards are comparable with each other, and with nothing else."""

    rewards: tuple[Reward, ...]
    """One a response, in the order in which they came."""
    readable: int = 0
    samples: int = 0
    """Samples of the judge; `readable` are those whose scores could be read."""
    parts: int = 0
    """How many different selections of the responses were judged."""
    size: int = 0
    """How many responses the group was to have."""
    is_partial: bool = False
    """Whether some had not come by the deadline."""

    @property
    def mean(self) -> float | None:
        """The mean of the rewards; None where all of them failed."""
        numbers = numbers_of(self.rewards)
        return sum(numbers) / len(numbers) if numbers else None

    @property
    def failed_share(self) -> float:
        return sum(isinstance(reward, Failure) for reward in self.rewards) / len(self.rewards) if self.rewards else 0.0


def numbers_of(rewards: Sequence[Reward]) -> list[float]:
    """Return the rewards that are numbers."""
    return [reward for reward in rewards if not isinstance(reward, Failure)]


def failed(n: int, cause: Cause, detail: str = "") -> Verdict:
    """Return the verdict on so many responses that all failed for one cause."""
    return Verdict((Failure(cause, detail),) * n, size=n)
