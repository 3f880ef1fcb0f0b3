"""Suspects: sets whose label the evidence speaks against, as a probability and in words.

Under a right label judges tend to prefer the labelled response, under a wrong one some other. Given the label, judges
are independent of each other; the samples of one judge are not, and `judges` learns by how much. So three misses of one
judge say less than one miss each of three, and misses that agree on one other response say more than scattered ones.
The probability is a posterior under PRIOR_NOISE. It orders sets for people to look at; it is no verdict: whatever all
judges get wrong together looks like a wrong label.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from pipelines.training_sets.judges import gains, judges_of
from pipelines.training_sets.rejection import is_suspect
from pipelines.training_sets.verifying import verifiers_votes
from pipelines.training_sets.votes import NOT_JUDGES, VERIFIER, judges_votes, teachers_votes
from schemas.preference import SETS, SETS_TABLE
from schemas.suspicion import PRIOR_NOISE, SuspicionReason
from schemas.trajectory import Purpose
from storage.stages import Stage
from storage.tables import read_frame

_SETS = ("set_id", "source", "n_responses", "best", "label", "votes", "retagged_best", "drop_reason")
_NAMES = ["label_suspicion", "suspicion_reasons"]
_DIGITS = 4
"""So that a probability is the same on every machine."""
_SEVERAL = 2
_STEPS = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Suspicion:
    """What speaks against labels."""

    sets: pl.DataFrame
    """A row a set, in the order of the curated ones: set_id, source, n_responses, is_kept and the published columns."""
    judges: pl.DataFrame
    """JUDGES, as their votes show them."""
    votes: pl.DataFrame
    """A row a set and judge; see `by_judge`."""

    def kept(self) -> pl.DataFrame:
        """Return set_id and label_suspicion of the kept sets."""
        return self.sets.filter("is_kept").select("set_id", "label_suspicion")

    def above(self, most: float | None) -> pl.DataFrame:
        """Return the set_id of the kept sets that are more suspect than this; none where there is no limit."""
        return self.kept().filter(pl.lit(False) if most is None else is_suspect(most)).select("set_id")

    def columns(self) -> pa.Table:
        """Return the columns of the published sets."""
        return pa.table(
            [self.sets[name].to_arrow().cast(SETS_TABLE.schema.field(name).type) for name in _NAMES], _NAMES
        )

    def check(self) -> dict[str, Any]:
        """Return what a manifest says of it: each judge, and how many sets of each source are how suspect."""
        suspicion = pl.col("label_suspicion")
        judged = self.sets.filter("is_kept", suspicion.is_not_null())
        counts = judged.group_by("source").agg(
            sets=pl.len(), **{f"above_{step:g}": (suspicion > step).sum() for step in _STEPS}
        )
        return {
            "prior_noise": PRIOR_NOISE,
            "judges": self.judges.to_dicts(),
            "sources": counts.sort("source").to_dicts(),
        }


def suspicion_of(curated: Stage, judged: Mapping[Purpose, Stage]) -> Suspicion:
    """Return how suspect the label of each set is. No model is asked."""
    sets = with_labels(read_frame(curated.paths("sets"), SETS, _SETS))
    rows = sets.filter("is_kept").select("row", "set_id")
    by_judges = judges_votes(judged).join(rows, on="set_id", how="inner").drop("set_id")
    return suspected(sets, pl.concat([by_judges, teachers_votes(sets), verifiers_votes(curated)], how="diagonal"))


def with_labels(sets: pl.DataFrame) -> pl.DataFrame:
    """Return the sets with row, is_kept, labelled (the index of the best response, or the label of a single one) and
    candidates, of which one is right."""
    return sets.with_row_index("row").with_columns(
        is_kept=pl.col("drop_reason").is_null(),
        labelled=pl.coalesce("best", "label"),
        candidates=pl.max_horizontal("n_responses", pl.lit(2, pl.Int32)),
    )


def suspected(sets: pl.DataFrame, votes: pl.DataFrame, judges: pl.DataFrame | None = None) -> Suspicion:
    """Return how suspect the label of each set is, by these votes: row, judge, response and votes.

    The judges are those that the votes show, unless they are given.
    """
    of_sets = sets.select("row", "source", "n_responses", "labelled", "candidates").filter(
        pl.col("labelled").is_not_null()
    )
    votes = votes.join(of_sets, on="row", how="inner").sort("row", "judge", "response")
    together = by_judge(votes)
    judges = judges_of(together) if judges is None else judges
    found = _posterior(votes, judges).join(_reasons(sets, together), on="row", how="left", maintain_order="left")
    columns = ("set_id", "source", "n_responses", "is_kept", "label_suspicion", "suspicion_reasons")
    return Suspicion(sets.join(found, on="row", how="left", maintain_order="left").select(columns), judges, together)


def by_judge(votes: pl.DataFrame) -> pl.DataFrame:
    """Return a row a set and judge: on_label and others (votes), and preferred, which has more than half of them."""
    is_label = pl.col("response") == pl.col("labelled")
    most = pl.col("votes").arg_max()
    return (
        votes.group_by("row", "judge", "source", "n_responses", "labelled")
        .agg(
            on_label=pl.col("votes").filter(is_label).sum(),
            others=pl.col("votes").filter(~is_label).sort(descending=True),
            preferred=pl.when(2 * pl.col("votes").max() > pl.col("votes").sum()).then(pl.col("response").get(most)),
        )
        .sort("row", "judge")
    )


def _posterior(votes: pl.DataFrame, judges: pl.DataFrame) -> pl.DataFrame:
    """Return row and label_suspicion of every set with a vote."""
    keys = ["judge", "source", "n_responses"]
    votes = votes.join(judges.select(*keys, "accuracy", "correlation"), on=keys, how="left", maintain_order="left")
    gained = gains(
        *(votes[name].cast(pl.Float64).to_numpy() for name in ("votes", "candidates", "accuracy", "correlation"))
    )
    cells = (
        votes.select("row", "response", "labelled", "candidates", gained=pl.Series(gained))
        .sort("row", "response", maintain_order=True)
        .group_by("row", "response", "labelled", "candidates", maintain_order=True)
        .agg(pl.col("gained").sum())
    )
    is_label = pl.col("response") == pl.col("labelled")
    other = pl.when(~is_label).then("gained")
    log_odds = pl.col("evidence").log() + pl.col("top") - pl.col("label") + math.log(PRIOR_NOISE / (1 - PRIOR_NOISE))
    return (
        cells.with_columns(other=other)
        .with_columns(top=pl.max_horizontal(pl.col("other").max().over("row"), 0.0))
        .group_by("row", "candidates", "top", maintain_order=True)
        .agg(
            label=pl.col("gained").filter(is_label).sum(),
            voted=pl.col("other").count(),
            weights=(pl.col("other") - pl.col("top")).exp().sum(),
        )
        .with_columns(evidence=_mean_weight())
        .select("row", label_suspicion=(1 / (1 + (-log_odds).exp())).round(_DIGITS))
    )


def _mean_weight() -> pl.Expr:
    """Return the mean likelihood of the other responses, those without a vote among them, over e to the power `top`."""
    others = pl.col("candidates") - 1
    return (pl.col("weights") + (others - pl.col("voted")) * (-pl.col("top")).exp()) / others


def _reasons(sets: pl.DataFrame, together: pl.DataFrame) -> pl.DataFrame:
    """Return row and suspicion_reasons of every set with a vote, the reasons in the order of their enum."""
    is_judge, preferred = ~pl.col("judge").is_in(NOT_JUDGES), pl.col("preferred")
    votes = pl.col("on_label") + pl.col("others").list.sum()
    elsewhere = preferred.filter(is_judge) != pl.col("labelled").filter(is_judge)
    same = preferred.filter(is_judge).null_count() + preferred.filter(is_judge).n_unique() == 1
    verifiers = preferred.filter(pl.col("judge") == VERIFIER) != pl.col("labelled").first()
    found = together.group_by("row", maintain_order=True).agg(
        none_right=(pl.col("on_label").filter(is_judge).sum() == 0) & (votes.filter(is_judge).sum() >= _SEVERAL),
        judges_agree=(is_judge.sum() >= _SEVERAL) & same & elsewhere.all(),
        verifier=verifiers.any(),
    )
    teacher = sets.select("row", teacher=(pl.col("retagged_best") != pl.col("labelled")).fill_null(False))
    flags = {
        "none_right": SuspicionReason.NONE_RIGHT,
        "judges_agree": SuspicionReason.JUDGES_AGREE,
        "teacher": SuspicionReason.TEACHER,
        "verifier": SuspicionReason.VERIFIER,
    }
    reasons = [pl.when(flag).then(pl.lit(reason.value)) for flag, reason in flags.items()]
    return found.join(teacher, on="row", how="left", maintain_order="left").select(
        "row", suspicion_reasons=pl.concat_list(reasons).list.drop_nulls()
    )
