"""Rejection: which trajectories of RFT are accepted, and the one reason why each other is not (METHOD section 3)."""

from collections.abc import Iterator

import polars as pl

from pipelines.training_sets.balance import balanced, within_share
from schemas.recipe import RejectionSection
from schemas.trajectory import Mode, Outcome, RejectReason

READABLE_OUTCOMES = [outcome.value for outcome in Outcome if outcome.readable]

DECISION_COLUMNS = [
    "trajectory_id", "set_id", "query_id", "source", "split", "mode", "sample_index", "outcome", "draft_verdict",
    "no_critique", "no_principles", "hint_leak", "n_responses", "best_position", "label",
]  # fmt: skip
"""What a decision rests on; the texts are not among it."""

GROUP = ["source", "n_responses", "split", "mode"]
"""Balance holds in each of these groups, and therefore in every union of them."""


def pass_counts(trajectories: pl.DataFrame) -> pl.DataFrame:
    """Return set_id, pass_count (correct) and pass_samples (readable) of the non-hinted samples, sorted by set_id."""
    counted = (pl.col("mode") == Mode.NON_HINTED.value) & pl.col("outcome").is_in(READABLE_OUTCOMES)
    return (
        trajectories.group_by("set_id")
        .agg(
            pass_count=(counted & (pl.col("outcome") == Outcome.CORRECT.value)).sum().cast(pl.Int32),
            pass_samples=counted.sum().cast(pl.Int32),
        )
        .sort("set_id")
    )


def decide(trajectories: pl.DataFrame, rules: RejectionSection, n_rft: int) -> pl.DataFrame:
    """Return the trajectories, in the order given, with pass_count, pass_samples, accepted and reject_reason.

    `trajectories` has DECISION_COLUMNS, label_suspicion where the rules limit it, and too_long where the recipe limits
    the length of rows. Reasons come in the order of
    REJECT_PRECEDENCE. Among the recipe's caps, max_accepted_per_set is applied first and the hinted share last, so that
    no cap undoes the balance of another.
    """
    return evened_out(decide_sets(trajectories, rules, n_rft), rules)


def decide_sets(trajectories: pl.DataFrame, rules: RejectionSection, n_rft: int) -> pl.DataFrame:
    """Return the trajectories with pass_count, pass_samples and the reject_reason that their own set gives."""
    reasons = list(rejections(rules, n_rft))
    if "too_long" in trajectories.columns:
        reasons.append((RejectReason.TOO_LONG, pl.col("too_long")))
    reason = pl.coalesce(
        pl.when(pl.col("outcome") != Outcome.CORRECT.value).then(pl.col("outcome")),
        *(pl.when(condition).then(pl.lit(name.value)) for name, condition in reasons),
        pl.lit(None, pl.String),
    ).cast(trajectories.schema["outcome"])
    decided = trajectories.join(pass_counts(trajectories), on="set_id", how="left", maintain_order="left").with_columns(
        reject_reason=reason
    )
    if rules.max_accepted_per_set is not None:
        decided = _cap_per_set(decided, rules.max_accepted_per_set)
    return decided


def evened_out(decided: pl.DataFrame, rules: RejectionSection) -> pl.DataFrame:
    """Return what `decide_sets` found of all sets, rows rejected for the sake of balance, with accepted."""
    decided = balanced(decided, GROUP, "label", 1.5, RejectReason.LABEL_BALANCE)
    if rules.balance_positions:
        decided = balanced(decided, GROUP, "best_position", 1.1, RejectReason.POSITION_BALANCE, deviations=1.0)
        # Groups too small to hold every position kept one row of each that they had; together those may add up.
        decided = balanced(
            decided, [name for name in GROUP if name != "split"], "best_position", 1.1, RejectReason.POSITION_BALANCE
        )
    decided = within_share(decided, GROUP, rules.max_hinted_share)
    return decided.with_columns(accepted=pl.col("reject_reason").is_null())


def rejections(rules: RejectionSection, n_rft: int) -> Iterator[tuple[RejectReason, pl.Expr]]:
    """Yield the reasons for which a correct answer is rejected by itself, and when; the first that holds is taken.

    The caps, which take rows for the sake of the whole, come after all of these.
    """
    hinted = pl.col("mode") == Mode.HINTED.value
    all_correct = (pl.col("pass_count") == pl.col("pass_samples")) & (pl.col("pass_samples") >= n_rft)
    too_easy = all_correct & rules.drop_too_easy
    if rules.keep_hinted_when_too_easy:
        too_easy = too_easy & ~hinted
    yield RejectReason.DRAFT_VERDICT, pl.col("draft_verdict")
    yield RejectReason.NO_CRITIQUE, pl.col("no_critique")
    yield RejectReason.NO_PRINCIPLES, pl.col("no_principles")
    yield RejectReason.HINT_LEAK, hinted & pl.col("hint_leak")
    yield RejectReason.TOO_EASY, too_easy
    yield RejectReason.UNDECIDED, pl.col("pass_samples") < n_rft
    if rules.max_label_suspicion is not None:  # this one and the next are off unless the recipe gives them
        yield RejectReason.LABEL_SUSPECT, is_suspect(rules.max_label_suspicion)
    if rules.min_pass_for_hinted is not None:
        yield RejectReason.HINT_UNCONFIRMED, hinted & (pl.col("pass_count") < rules.min_pass_for_hinted)


def is_suspect(most: float) -> pl.Expr:
    """Say whether more speaks against a label than this. Where nothing speaks, nothing does against it."""
    return (pl.col("label_suspicion") > most).fill_null(False)


def _cap_per_set(decided: pl.DataFrame, most: int) -> pl.DataFrame:
    """Keep a set's first accepted samples, non-hinted ones before hinted ones."""
    rank = pl.struct(pl.col("mode") == Mode.HINTED.value, "sample_index", "trajectory_id").rank("ordinal")
    over = pl.col("reject_reason").is_null() & (rank.over("set_id", pl.col("reject_reason").is_null()) > most)
    return decided.with_columns(
        reject_reason=pl.when(over)
        .then(pl.lit(RejectReason.MAX_ACCEPTED.value, decided.schema["reject_reason"]))
        .otherwise("reject_reason")
    )
