"""Balance: no position and no label may be right more often than another, whatever the judge prefers.

Shuffling alone does not do it: a judge that favours the first position gets its best-first items accepted more often
(METHOD section 3).
"""

import math

import numpy as np
import polars as pl

from schemas.trajectory import Mode, RejectReason


def balanced(
    decided: pl.DataFrame,
    group: list[str],
    column: str,
    ratio: float,
    reason: RejectReason,
    deviations: float = math.inf,
) -> pl.DataFrame:
    """Reject accepted rows until in each group the commonest class has at most `ratio` times the rows of the rarest.

    `column` is the class: best_position (0..n-1) or label (0, 1); rows where it is null take no part. A class that a
    group lacks counts as 0; then each other class keeps one row, since a handful of rows shows no preference. Nor may
    a class exceed the rarest by more than `deviations` times the root of its rows, which is chance alone: in large
    groups a fixed ratio would leave a preference that any test finds.
    """
    taking_part = pl.col("reject_reason").is_null() & pl.col(column).is_not_null()
    counts = decided.lazy().filter(taking_part).group_by(*group, column).len("class_rows").collect()
    # So many rows are `deviations` standard deviations more than the rarest class has.
    is_bounded = not math.isinf(deviations)
    by_chance = pl.col("rarest") + deviations * pl.col("rarest").sqrt() if is_bounded else pl.lit(math.inf)
    caps = (
        counts.group_by(group)
        .agg(rarest=pl.col("class_rows").min(), classes=pl.len())
        .with_columns(expected=pl.max_horizontal("n_responses", 2))
        .with_columns(rarest=pl.when(pl.col("classes") < pl.col("expected")).then(0).otherwise("rarest"))
        .with_columns(most=pl.min_horizontal(pl.col("rarest") * ratio, by_chance))
        .select(*group, cap=pl.max_horizontal((pl.col("most") + 1e-9).floor(), 1))
    )
    return _keep_ranks(decided, taking_part, caps, [*group, column], group, reason)


def within_share(decided: pl.DataFrame, group: list[str], share: float) -> pl.DataFrame:
    """Reject hinted rows until they are at most `share` of the accepted, the same number in each class of a group."""
    accepted = pl.col("reject_reason").is_null()
    is_hinted = pl.col("mode") == Mode.HINTED.value
    hinted, others = decided.select(a=(accepted & is_hinted).sum(), b=(accepted & ~is_hinted).sum()).row(0)
    if share >= 1 or hinted <= share * (hinted + others):
        return decided
    kept_part = share / (1 - share) * others / hinted
    decided = decided.with_columns(position_or_label=pl.coalesce("best_position", "label"))
    taking_part = accepted & is_hinted
    caps = (
        decided.lazy()
        .filter(taking_part)
        .group_by(*group, "position_or_label")
        .len("class_rows")
        .group_by(group)
        .agg(cap=(pl.col("class_rows").min() * kept_part).floor())
        .collect()
    )
    columns = [*group, "position_or_label"]
    return _keep_ranks(decided, taking_part, caps, columns, group, RejectReason.HINTED_SHARE).drop("position_or_label")


def _keep_ranks(
    decided: pl.DataFrame,
    taking_part: pl.Expr,
    caps: pl.DataFrame,
    class_columns: list[str],
    group: list[str],
    reason: RejectReason,
) -> pl.DataFrame:
    """Reject, in each class, the rows beyond the group's cap in the order of their ids, which are hashes."""
    # Only the rows that take part are ranked, and of these only the columns that are needed are copied.
    rank = pl.col("trajectory_id").rank("ordinal").over(*class_columns)
    over = (
        decided.lazy()
        .with_row_index("row")
        .filter(taking_part)
        .select("row", "trajectory_id", *class_columns)
        .join(caps.lazy(), on=group, how="left", maintain_order="left", nulls_equal=True)
        .filter(rank > pl.col("cap"))
        .select("row")
        .collect()["row"]
    )
    is_over = np.zeros(decided.height, bool)
    is_over[over.to_numpy()] = True
    return decided.with_columns(
        reject_reason=pl.when(pl.Series(is_over))
        .then(pl.lit(reason.value, decided.schema["reject_reason"]))
        .otherwise("reject_reason")
    )


def position_counts(decided: pl.DataFrame, rows: pl.Expr) -> dict[str, list[int]]:
    """Return, for each `source/n`, how often the best response stands at each position among these rows."""
    counts = (
        decided.lazy()
        .filter(rows & pl.col("best_position").is_not_null())
        .group_by("source", "n_responses", "best_position")
        .len()
        .sort("source", "n_responses", "best_position")
        .collect()
    )
    found: dict[str, list[int]] = {}
    for source, n_responses, position, number in counts.iter_rows():
        found.setdefault(f"{source}/{n_responses}", [0] * n_responses)[position] = number
    return found


def rounded(value: object) -> float | None:
    """Return a figure as checks hold it; None where there is none."""
    return round(value, 4) if isinstance(value, float) else None


def uniformity(counts: list[int]) -> tuple[float, float]:
    """Return (chi-square, p) of the hypothesis that all positions are equally likely; (0, 1) without rows."""
    if not (total := sum(counts)) or len(counts) < 2:
        return 0.0, 1.0
    expected = total / len(counts)
    statistic = sum((count - expected) ** 2 for count in counts) / expected
    return statistic, _chi_square_tail(statistic, len(counts) - 1)


def _chi_square_tail(statistic: float, degrees: int) -> float:
    """Return P(X > statistic) for a chi-square variable (Abramowitz and Stegun 26.4.4, 26.4.5)."""
    if statistic <= 0:
        return 1.0
    half = statistic / 2
    tail, start = (math.erfc(math.sqrt(half)), 0.5) if degrees % 2 else (math.exp(-half), 1.0)
    for step in range((degrees - 1) // 2):
        power = start + step
        tail += math.exp(power * math.log(half) - half - math.lgamma(power + 1))
    return min(1.0, tail)
