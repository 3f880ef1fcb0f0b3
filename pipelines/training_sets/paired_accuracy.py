"""Whether given criteria help: the judge's accuracy with and without them, on the same sets.

Principles filtered by agreement with the truth raised the accuracy of untrained judges, and lowered the trained GRM's
(METHOD section 7): rubric mode is worth it only where this says so.
"""

from typing import Any

import polars as pl

from pipelines.training_sets.balance import rounded
from pipelines.training_sets.rejection import READABLE_OUTCOMES
from schemas.trajectory import Mode, Outcome


def paired_accuracy(rft: pl.DataFrame, paired: pl.DataFrame, principles: str) -> dict[str, Any]:
    """Return the accuracy of both ways, over sets with readable samples of both, a set counting once.

    `principles` is how RFT's samples were drawn, "self" or "rubric"; the others are `paired`. `difference` is that of
    given criteria less that of the judge's own, with its standard error over sets.
    """
    other = "self" if principles == "rubric" else "rubric"
    both = _accuracy(rft, principles).join(_accuracy(paired, other), on="set_id")
    differences = both.select(difference=pl.col("rubric") - pl.col("self"))["difference"]
    deviation = differences.std() if both.height > 1 else None
    return {
        "sets": both.height,
        "self": rounded(both["self"].mean()),
        "rubric": rounded(both["rubric"].mean()),
        "difference": rounded(differences.mean()),
        "standard_error": rounded(deviation / both.height**0.5 if isinstance(deviation, float) else None),
    }


def _accuracy(samples: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return, for each set of several responses, the share of its readable non-hinted samples that are correct."""
    readable = (
        pl.col("outcome").is_in(READABLE_OUTCOMES)
        & (pl.col("mode") == Mode.NON_HINTED.value)
        & (pl.col("n_responses") > 1)
    )
    correct = (pl.col("outcome") == Outcome.CORRECT.value).mean()
    return samples.filter(readable).group_by("set_id", maintain_order=True).agg(correct.alias(name)).sort("set_id")
