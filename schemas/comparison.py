"""What is different between two versions of a snapshot; pipelines/reporting/comparing.py finds it."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TableChange:
    """Rows of a table, told apart by their ids."""

    table: str
    before: int
    after: int
    added: int
    gone: int


@dataclass(frozen=True, slots=True)
class InputCounts:
    """What the manifest says of one source."""

    revision: str
    rows: int
    kept: int
    dropped: int
    unreadable: int


@dataclass(frozen=True, slots=True)
class InputChange:
    source: str
    before: InputCounts | None
    """None where the older version has no such source; likewise `after`."""
    after: InputCounts | None


@dataclass(frozen=True, slots=True)
class Judged:
    """Answers that were judged for RFT."""

    answers: int = 0
    accepted: int = 0
    sets: int = 0

    @property
    def share(self) -> float | None:
        return self.accepted / self.answers if self.answers else None


@dataclass(frozen=True, slots=True)
class AcceptanceChange:
    source: str
    before: Judged
    after: Judged
    new: Judged
    """Of `after`, the answers that the older version does not have."""


@dataclass(frozen=True, slots=True)
class OutcomeChange:
    """How many of a source's answers in one mode had an outcome, and of how many."""

    source: str
    mode: str
    outcome: str
    before: int
    of_before: int
    after: int
    of_after: int


@dataclass(frozen=True, slots=True)
class GivenChange:
    """How many sets of a source were given criteria found for them, of those with several responses but test sets."""

    source: str
    before: int
    of_before: int
    after: int
    of_after: int


@dataclass(frozen=True, slots=True)
class RubricCounts:
    """Rubrics made of a source's questions, those of them that are kept, and how often answers meet what is kept."""

    made: int = 0
    kept: int = 0
    hit_rate: float | None = None
    """Mean over the criteria kept of the share of a panel's answers that meet it."""


@dataclass(frozen=True, slots=True)
class RubricsChange:
    source: str
    before: RubricCounts
    after: RubricCounts


@dataclass(frozen=True, slots=True)
class LeakChange:
    """AUC of the leak probe within a source's sets, with its standard error; None where it was not measured."""

    source: str
    task: str
    before: float | None
    se_before: float | None
    after: float | None
    se_after: float | None


@dataclass(frozen=True, slots=True)
class Use:
    """What a role's answers took; `asked` is the part that was bought by the run that published the version."""

    requests: int
    asked: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float


@dataclass(frozen=True, slots=True)
class UseChange:
    role: str
    model: str
    before: Use | None
    after: Use | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is different between two versions; every list is in the newer one's order, what has gone last."""

    old: str
    """name@version; so is `new`."""
    new: str
    tables: tuple[TableChange, ...]
    relabelled: int
    """Kept sets of both versions whose best response, or label, is another one now."""
    inputs: tuple[InputChange, ...]
    acceptance: tuple[AcceptanceChange, ...]
    overall: AcceptanceChange
    outcomes: tuple[OutcomeChange, ...]
    given: tuple[GivenChange, ...]
    """Empty where no judge was given criteria."""
    rubrics: tuple[RubricsChange, ...]
    leaks: tuple[LeakChange, ...]
    models: tuple[UseChange, ...]
    readers: tuple[int | None, int | None] = (None, None)
    """Versions of the reader that judged the answers of `old` and `new`; where they differ, `acceptance` holds the old
    answers as the newer reader reads them."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
