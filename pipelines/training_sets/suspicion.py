"""Suspects: sets whose label the evidence speaks against, as a probability and in words.

Under a right label judges tend to prefer the labelled response, under a wrong one some other. Given the label, judges
are independent of each other; the samples of one judge are not, and `judges` learns by how much. So three misses of one
judge say less than one miss each of three, and misses that agree on one other response say more than scattered ones.
The probability is a posterior under PRIOR_NOISE. It orders sets for people to look at; it is no verdict: whatever all
judges get wrong together looks like a wrong label.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from pipelines.training_sets.compact import compacted, words_of
from pipelines.training_sets.judges import gains, judges_of
from pipelines.training_sets.rejection import is_suspect
from pipelines.training_sets.verifying import verifiers_votes
from pipelines.training_sets.votes import NOT_JUDGES, VERIFIER, patterns_of, teachers_votes, votes_reader
from schemas.preference import SETS, SETS_TABLE
from schemas.suspicion import PRIOR_NOISE, SuspicionReason
from schemas.trajectory import Purpose
from storage.stages import Stage
from storage.table_parts import id_ranges
from storage.tables import BucketReader

_SETS = ("query_id", "set_id", "source", "n_responses", "best", "label", "votes", "retagged_best", "drop_reason")
_NAMES = ["label_suspicion", "suspicion_reasons"]
_DIGITS = 4
"""So that a probability is the same on every machine."""
_SEVERAL = 2
_STEPS = (0.1, 0.5, 0.9)
_PART_SETS = 16_384
_REASONS = pl.Enum([reason.value for reason in SuspicionReason])


@dataclass(frozen=True)
class Suspicion:
    """What speaks against labels."""

    sets: pl.DataFrame
    """A row a set, in the order of the curated ones: set_id, source, n_responses, is_kept and the published columns.

    Those of a build are made small."""
    judges: pl.DataFrame
    """JUDGES, as their votes show them."""
    patterns: pl.DataFrame
    """How many sets got the same votes from a judge; see `patterns_of`."""

    def kept(self) -> pl.DataFrame:
        """Return set_id and label_suspicion of the kept sets."""
        return self.sets.filter("is_kept").select("set_id", "label_suspicion")

    def above(self, most: float | None) -> pl.DataFrame:
        """Return the set_id of the kept sets that are more suspect than this; none where there is no limit."""
        return self.kept().filter(pl.lit(False) if most is None else is_suspect(most)).select("set_id")

    def columns(self, start: int = 0, rows: int | None = None) -> pa.Table:
        """Return the columns of so many published sets, from this one on."""
        of_sets = self.sets.slice(start, rows).with_columns(pl.col("suspicion_reasons").cast(pl.List(pl.String)))
        return pa.table([of_sets[name].to_arrow().cast(SETS_TABLE.schema.field(name).type) for name in _NAMES], _NAMES)

    def check(self) -> dict[str, Any]:
        """Return what a manifest says of it: each judge, and how many sets of each source are how suspect."""
        suspicion = pl.col("label_suspicion")
        judged = self.sets.lazy().filter("is_kept", suspicion.is_not_null())
        counts = judged.group_by(pl.col("source").cast(pl.String)).agg(
            sets=pl.len(), **{f"above_{step:g}": (suspicion > step).sum() for step in _STEPS}
        )
        return {
            "prior_noise": PRIOR_NOISE,
            "judges": self.judges.to_dicts(),
            "sources": counts.sort("source").collect().to_dicts(),
        }


def suspicion_of(curated: Stage, judged: Mapping[Purpose, Stage]) -> Suspicion:
    """Return how suspect the label of each set is. No model is asked."""
    return _suspected(list(_parts(curated, judged)))


def _parts(curated: Stage, judged: Mapping[Purpose, Stage]) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Yield sets, some at a time, with the votes on them, all of it made small."""
    sets_reader, votes_before = BucketReader(curated.paths("sets"), SETS, _SETS), votes_reader(judged)
    source = words_of(curated.paths("sets"), SETS, "source")
    verified, start = verifiers_votes(curated), 0
    for end in id_ranges(curated.rows("sets"), _PART_SETS):
        sets = with_labels(pl.DataFrame(sets_reader.before(end)).drop("query_id"), start)
        rows = sets.filter("is_kept").select("row", "set_id")
        by_judges = votes_before(end).join(rows, on="set_id", how="inner").drop("set_id")
        by_verifier = verified.filter(pl.col("row").is_between(start, start + sets.height, closed="left"))
        votes = pl.concat([by_judges, teachers_votes(sets), by_verifier], how="diagonal")
        small = votes.with_columns(pl.col("judge").cast(pl.Categorical), pl.col("response").cast(pl.UInt16))
        yield compacted(sets.drop("votes", "drop_reason", "best", "label"), source=source), small
        start += sets.height


def with_labels(sets: pl.DataFrame, start: int = 0) -> pl.DataFrame:
    """Return the sets with row, counted from `start`, is_kept, labelled (the index of the best response, or the label
    of a single one) and candidates, of which one is right."""
    return sets.with_row_index("row", start).with_columns(
        is_kept=pl.col("drop_reason").is_null(),
        labelled=pl.coalesce("best", "label"),
        candidates=pl.max_horizontal("n_responses", pl.lit(2, pl.Int32)),
    )


def suspected(sets: pl.DataFrame, votes: pl.DataFrame, judges: pl.DataFrame | None = None) -> Suspicion:
    """Return how suspect the label of each set is, by these votes: row, judge, response and votes.

    The judges are those that the votes show, unless they are given.
    """
    return _suspected([(sets, votes)], judges)


def _suspected(parts: Sequence[tuple[pl.DataFrame, pl.DataFrame]], judges: pl.DataFrame | None = None) -> Suspicion:
    """Return the same of parts of the sets with the votes on them: only what judges are like takes all of them."""
    counted = [patterns_of(by_judge(_on_labels(sets, votes))) for sets, votes in parts]
    patterns = patterns_of(pl.concat(counted))
    judges = judges_of(patterns) if judges is None else judges
    return Suspicion(pl.concat([_found(sets, votes, judges) for sets, votes in parts]), judges, patterns)


def _on_labels(sets: pl.DataFrame, votes: pl.DataFrame) -> pl.DataFrame:
    """Return the votes on labelled sets, in order, each beside what its set is like."""
    of_sets = sets.filter(pl.col("labelled").is_not_null()).select(
        "row", pl.col("source").cast(pl.String), pl.col("n_responses").cast(pl.Int32), "labelled", "candidates"
    )
    votes = votes.with_columns(pl.col("judge").cast(pl.String), pl.col("response").cast(pl.Int32))
    return votes.join(of_sets, on="row", how="inner").sort("row", "judge", "response")


def _found(sets: pl.DataFrame, votes: pl.DataFrame, judges: pl.DataFrame) -> pl.DataFrame:
    """Return the sets, in their order, with what speaks against the label of each."""
    votes = _on_labels(sets, votes)
    reasons = _reasons(sets, by_judge(votes)).with_columns(pl.col("suspicion_reasons").cast(pl.List(_REASONS)))
    found = _posterior(votes, judges).join(reasons, on="row", how="left", maintain_order="left")
    columns = ("set_id", "source", "n_responses", "is_kept", "label_suspicion", "suspicion_reasons")
    return sets.join(found, on="row", how="left", maintain_order="left").select(columns)


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
