"""The manifest of an evaluation: the judge, the benchmarks, the claims, and the hash of every file."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from schemas.manifest import ModelUse, TableEntry, TableFile, UnreadableReason
from schemas.record import FORMAT


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # a newer minor version may say more


class BenchmarkEntry(_Part):
    """One benchmark as it was evaluated: rows = items + unreadable + left_out."""

    name: str
    kind: str
    protocol: str
    is_published_protocol: bool
    """Whether the benchmark's authors show its items so."""
    origin: str
    revision: str
    license: str
    redistribution: str
    rows: int
    items: int
    left_out: int
    """Rows beyond the recipe's limit, and those without a verdict in a file of verdicts."""
    unreadable: int
    """Rows that no item could be made of."""
    unreadable_reasons: list[UnreadableReason]
    sha256: str
    is_whole: bool
    """Whether it is the whole benchmark as published: a part of one has no total."""
    clusters: int
    samples: int
    """Judgements paid for, greedy ones aside."""
    outcomes: dict[str, int]
    """Judgements by `readable`, or by why they give no scores."""
    never_readable: int
    """Items of which no judgement can be read; they count as wrong."""
    in_training: int
    """Items whose question stands in the training rows of the recipe's own snapshot."""
    tokens: int
    """Generated tokens of these judgements, as far as the endpoint counted them."""
    cost_usd: float


class Claim(_Part):
    """A comparison that was fixed before any answer was read."""

    benchmark: str
    selector: str
    against: str
    k: int
    difference: float
    low: float
    high: float
    p: float
    """Of the sign-flip test; never 0."""
    p_holm: float
    """The same, corrected for every comparison of the evaluation."""
    smallest: float
    """The smallest difference that these clusters show with 80 % power."""


class EvaluationManifest(_Part):
    """`manifest.json`, written last: its existence means that the evaluation is whole."""

    format: int = FORMAT
    name: str
    version: str
    content_hash: str
    created_at: str
    package_version: str
    reader_version: int
    recipe: dict[str, Any]
    """Resolved, every default included; it holds no secret."""
    judge: ModelUse | None
    """None for finished verdicts of a file."""
    meta_rm: ModelUse | None = None
    """The Meta RM that scored the judge's answers; None without one."""
    judge_name: str
    k_max: int
    benchmarks: list[BenchmarkEntry]
    claims: list[Claim]
    checks: dict[str, Any]
    stages: list[str] = []
    """Keys of the stages under the root that it was made of; `grmforge gc` keeps them."""
    tables: dict[str, TableEntry]
    """By name: "items", "judgements", "figures", "credits"."""

    def files(self) -> list[TableFile]:
        """Return every data file."""
        return [file for table in self.tables.values() for file in table.files]
