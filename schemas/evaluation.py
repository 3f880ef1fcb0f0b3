"""Evaluation: the rows of a benchmark, how each is shown to a judge, and the tables of an evaluation."""

from dataclasses import dataclass
from enum import StrEnum

from schemas.preference import Response
from schemas.query import Messages


class Protocol(StrEnum):
    """How a row of a benchmark is shown. It moves the figure, so it is named wherever a figure stands."""

    JOINT = "joint"
    """All responses in one prompt, shuffled anew for each sample."""
    BOTH_ORDERS = "both_orders"
    """A pair in each of its two orders, with a pool of samples for each order."""
    PAIRS = "pairs"
    """Each right response against each wrong one, shuffled anew for each sample."""
    SINGLE = "single"
    """One response a prompt."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a benchmark: a question, its responses in the order of the author, and which of them are right."""

    row_id: str
    """The benchmark's own id; where it has none, the file and the number of the row."""
    subset: str
    query: Messages
    responses: tuple[Response, ...]
    names: tuple[str, ...]
    """What the benchmark calls each response: "chosen", "rejected_1", "A"."""
    right: tuple[int, ...]
    """Indices of the right responses; none of a single response that is wrong."""
    domain: str = "general"
    reference: str | None = None
    pair: str | None = None
    """What two rows have in common that a rule scores together (RewardBench 2's Ties)."""

    def prompts(self, protocol: Protocol) -> list[tuple[int, ...]]:
        """Return the responses that each prompt shows, as indices: right ones before wrong ones in PAIRS.

        BOTH_ORDERS returns the two orders as they are shown; elsewhere the order is drawn for each sample.
        """
        everything = tuple(range(len(self.responses)))
        if protocol is Protocol.SINGLE:
            return [(index,) for index in everything]
        if protocol is Protocol.PAIRS:
            wrong = [index for index in everything if index not in self.right]
            return [(one, other) for one in self.right for other in wrong]
        if protocol is Protocol.BOTH_ORDERS:
            return [everything, everything[::-1]]
        return [everything]
