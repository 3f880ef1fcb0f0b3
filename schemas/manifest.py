"""The manifest of a snapshot: where its rows came from, what became of them, and the hash of every file."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from schemas.record import FORMAT


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # a newer minor version may say more


class UnreadableReason(_Part):
    """Rows of one input that no set could be made of, for one reason."""

    reason: str
    rows: int
    examples: list[dict[str, str]]


class Input(_Part):
    """One source: rows = kept + dropped + unreadable."""

    source: str
    kind: str
    origin: str
    revision: str
    license: str
    redistribution: str
    unit: str
    rows: int
    sampled_out: int
    """Rows beyond the recipe's limit; not among `rows`."""
    left_out: int = 0
    """Rows that the section's `where` leaves out; not among `rows`."""
    merged: int = 0
    """Further rankings of the same responses, by other annotators; not among `rows`."""
    kept: int
    dropped: int
    unreadable: int
    unreadable_reasons: list[UnreadableReason]
    sha256: str

    @property
    def passed_over(self) -> dict[str, int]:
        """How many rows are not among `rows` although they were read, by the reason."""
        counts = {"left out by where": self.left_out, "merged with another ranking": self.merged}
        return {reason: rows for reason, rows in counts.items() if rows}


class ModelUse(_Part):
    """What one role's answers took, over all runs that bought them."""

    role: str
    engine: str
    model: str
    requests: int
    cached: int
    """Answered before this run began."""
    failed: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float


class FunnelRow(_Part):
    """How many rows of a source ended a stage in an outcome."""

    source: str
    stage: str
    outcome: str
    rows: int


@dataclass(frozen=True)
class TableFile:
    """One file of a table; `path` is relative to the table's stage or snapshot."""

    path: str
    rows: int
    bytes: int
    sha256: str


class TableEntry(_Part):
    rows: int
    files: list[TableFile]


class Manifest(_Part):
    """`manifest.json`, written last: its existence means that the snapshot is whole."""

    format: int = FORMAT
    name: str
    version: str
    content_hash: str
    created_at: str
    package_version: str
    reader_version: int | None = None
    """Of the reader that judged its answers; None in versions that do not say."""
    seed: int
    recipe: dict[str, Any]
    """Resolved, every default included; it holds no secret."""
    inputs: list[Input]
    models: list[ModelUse]
    funnel: list[FunnelRow]
    checks: dict[str, Any]
    stages: list[str] = []
    """Keys of all stages under the root that it was made of; `grmforge gc` keeps them. Older versions do not say."""
    tables: dict[str, TableEntry]
    """By published path: "rft/train", "trajectories/accepted", .."""
