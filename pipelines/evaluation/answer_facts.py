"""What the answers of an evaluation have in common, counted over whole columns of its judgements."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from schemas.evaluation import GREEDY_INDEX, JUDGEMENTS, READABLE
from storage.tables import read_batches

_COLUMNS = ["benchmark", "sample_index", "outcome", "scores", "completion_tokens"]


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """Of the answers about one benchmark, greedy ones aside unless their name says so."""

    readable: int = 0
    compared: int = 0
    """Readable ones that score several responses."""
    tied: int = 0
    """How many of these put several responses on top."""
    greedy: int = 0
    greedy_readable: int = 0
    greedy_tokens: float = 0.0
    """Generated tokens of all greedy answers."""

    @property
    def tied_share(self) -> float | None:
        return self.tied / self.compared if self.compared else None


def answer_facts(paths: Sequence[Path]) -> dict[str, AnswerFacts]:
    """Return what is known of the answers, by benchmark."""
    parts = [_counted(pl.DataFrame(pl.from_arrow(batch))) for batch in read_batches(paths, JUDGEMENTS, _COLUMNS)]
    if not parts:
        return {}
    totals = pl.concat(parts).group_by("benchmark").sum()
    return {name: AnswerFacts(*counts) for name, *counts in totals.iter_rows()}


def _counted(judgements: pl.DataFrame) -> pl.DataFrame:
    is_greedy = pl.col("sample_index") == GREEDY_INDEX
    can_read = pl.col("outcome") == READABLE
    several = ~is_greedy & can_read & (pl.col("scores").list.len() > 1)
    ordered = pl.col("scores").list.sort(descending=True)
    on_top = ordered.list.get(0, null_on_oob=True) == ordered.list.get(1, null_on_oob=True)
    return judgements.group_by("benchmark").agg(
        readable=(~is_greedy & can_read).sum().cast(pl.Int64),
        compared=several.sum().cast(pl.Int64),
        tied=(several & on_top).sum().cast(pl.Int64),
        greedy=is_greedy.sum().cast(pl.Int64),
        greedy_readable=(is_greedy & can_read).sum().cast(pl.Int64),
        greedy_tokens=pl.col("completion_tokens").filter(is_greedy).sum().cast(pl.Float64),
    )
