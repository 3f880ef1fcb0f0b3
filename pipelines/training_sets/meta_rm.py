"""The Meta RM set: trajectories labelled right or wrong, balanced so that the set alone does not tell them apart."""

from collections.abc import Mapping

import polars as pl
import pyarrow as pa

from pipelines.judging.meta_rm_text import meta_rm_prompt
from pipelines.judging.prompts import Template
from pipelines.judging.samples import SamplingJob
from pipelines.training_sets.rejection import READABLE_OUTCOMES
from pipelines.training_sets.rft import completions
from schemas.preference import PreferenceSet
from schemas.tables import table_of
from schemas.training import META_RM
from schemas.trajectory import Mode, Outcome

IS_CANDIDATE = (
    (pl.col("mode") == Mode.NON_HINTED.value)
    & pl.col("outcome").is_in(READABLE_OUTCOMES)
    & ~pl.col("draft_verdict").fill_null(False)
)


def meta_rm_candidates(trajectories: pl.DataFrame) -> pl.DataFrame:
    """Return the readable non-hinted trajectories with `right`, and their set's set_correct and set_readable.

    `trajectories` has trajectory_id, set_id, split, model, mode, outcome, draft_verdict. Counts are per set and policy.
    An answer that took an earlier verdict back gives two, of which a label says nothing.
    """
    right = pl.col("outcome") == Outcome.CORRECT.value
    return trajectories.filter(IS_CANDIDATE).with_columns(
        right=right,
        set_correct=right.sum().over("set_id", "model").cast(pl.Int32),
        set_readable=pl.len().over("set_id", "model").cast(pl.Int32),
    )


def choose_meta_rm(candidates: pl.DataFrame, one_label_share: float) -> pl.DataFrame:
    """Return the candidates to keep: as many right as wrong ones of each set and policy, and few sets of one label.

    Sets whose samples are all right or all wrong give one row each, as many right as wrong, up to `one_label_share` of
    the rows of a split. So half of the rows are negatives, whatever the judge (METHOD section 5 needs a quarter).
    """
    return chosen_among(eligible(candidates), one_label_share)


def eligible(candidates: pl.DataFrame) -> pl.DataFrame:
    """Return the candidates that their own set lets be chosen, with `pairs`; whole sets may come some at a time."""
    pairs = pl.min_horizontal(pl.col("set_correct"), pl.col("set_readable") - pl.col("set_correct"))
    rank = pl.col("trajectory_id").rank("ordinal").over("set_id", "model", "right")
    ranked = candidates.with_columns(rank=rank, pairs=pairs)
    return ranked.filter(pl.col("rank") <= pl.max_horizontal("pairs", 1)).drop("rank")


def chosen_among(rows: pl.DataFrame, one_label_share: float) -> pl.DataFrame:
    """Return those of the eligible rows of all sets that keep sets of one label within their share."""
    is_mixed = pl.col("pairs") > 0
    mixed, single = rows.filter(is_mixed), rows.filter(~is_mixed)
    kept = [mixed]
    for split in single["split"].unique().cast(pl.String).sort():
        here = single.filter(pl.col("split") == split).sort("set_id", "model")
        right, wrong = here.filter(pl.col("right")), here.filter(~pl.col("right"))
        mixed_rows = mixed.filter(pl.col("split") == split).height
        # Sets of one label make at most their share of all rows.
        room = here.height if one_label_share >= 1 else int(one_label_share / (1 - one_label_share) * mixed_rows + 1e-9)
        each = min(right.height, wrong.height, room // 2)
        kept += [right.head(each), wrong.head(each)]
    return pl.concat(kept).drop("pairs")


def set_alone_auc(candidates: pl.DataFrame) -> float | None:
    """Return the AUC with which a set's share of right samples predicts a row's label; None for a single class.

    It is what a scorer reaches that knows the query and never looks at the trajectory: 0.5 is the aim.
    """
    return auc_of(by_share(candidates))


def by_share(candidates: pl.DataFrame) -> pl.DataFrame:
    """Return how many candidates are right, and how many there are, for each share of right samples."""
    share = pl.col("set_correct") / pl.col("set_readable")
    return candidates.group_by(share=share).agg(right=pl.col("right").sum(), rows=pl.len())


def auc_of(counts: pl.DataFrame) -> float | None:
    """Return the same by such counts, of all sets or of several parts of them."""
    counts = counts.group_by("share").agg(pl.col("right", "rows").cast(pl.Int64).sum()).sort("share")
    positives = int(counts["right"].sum())
    negatives = int(counts["rows"].sum()) - positives
    if not positives or not negatives:
        return None
    rank = pl.col("rows").cum_sum() - pl.col("rows") + (pl.col("rows") + 1) / 2
    ranks = float(counts.select((rank * pl.col("right")).sum()).item())
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


def meta_rm_table(
    chosen: pa.Table, sets: Mapping[str, PreferenceSet], job: SamplingJob, template: Template
) -> pa.Table:
    """Return the Meta RM rows of chosen trajectories, in their order.

    `chosen` has JUDGED's columns with right, set_correct and set_readable. The prompt is Meta RM's own: context and
    responses in the trajectory's order, no criteria; the completion is the answer, scores included.
    """
    of_rows = [sets[set_id] for set_id in chosen.column("set_id").to_pylist()]
    orders = chosen.column("order").to_pylist()
    columns = {
        "prompt": [
            meta_rm_prompt(template, job.shown_set(preference), order)
            for preference, order in zip(of_rows, orders, strict=True)
        ],
        "completion": completions(chosen),
        "label": chosen.column("right"),
        "policy": chosen.column("model"),
        "origin": chosen.column("purpose"),
        "license": [preference.license for preference in of_rows],
    }
    return table_of(META_RM, chosen, columns)
