"""The share of wrong labels of each source, from labels that people looked at.

Reviewed sets count by inverse weights: one of a stratum of 900 sets of which nine were reviewed stands for 100. So the
draw may look where labels are likeliest to be wrong, and the share is still that of the whole source. A source may have
several strata, and a stratum several sources.

The interval is Wilson's, with as many independent reviews as would have the variance of the weighted share. Strata
without a wrong label seem to have no variance: each counts as if one more set with the source's own share had been
reviewed in it. And the ratio to the variance of an even sample is mixed with that of equal strata, which counts as one
wrong label beside those that were seen; of these, the ones in strata that were reviewed whole say nothing of the others
and hardly count. In 1,000 simulations it holds the truth 93 to 97 times of 100 (benchmarks/label_noise.py).

Sets that a person could not tell, or has not reviewed, say nothing. A stratum in which nobody reviewed any is open: its
labels may all be right or all wrong, and the interval holds both.
"""

from statistics import NormalDist

import numpy as np
import polars as pl

from pipelines.training_sets.proportions import Floats, wilson

CONFIDENCE = 0.95
_QUANTILE = np.array(NormalDist().inv_cdf(0.5 + CONFIDENCE / 2))


def label_noise(reviews: pl.DataFrame) -> pl.DataFrame:
    """Return the share of wrong labels of each source, the row of all sources together last, with null as its source.

    `reviews` has a row a drawn set: source, stratum, stratum_size, and is_wrong, null where it is not known. With a
    column draw_id, strata are those of their draw, and draws count by their reviews of the source. Columns:
    source, reviewed and wrong (sets), noise with low and high (95 %; noise is null where nothing was reviewed), and
    open_share, the part of the source that stands in strata without a review.
    """
    if "draw_id" not in reviews.columns:
        reviews = reviews.with_columns(draw_id=pl.lit(""))
    together = reviews.with_columns(source=pl.lit(None, pl.String))
    return pl.concat([_by_source(reviews), _by_source(together)])


def _by_source(reviews: pl.DataFrame) -> pl.DataFrame:
    sources = (
        _cells(reviews)
        .group_by("source")
        .agg(
            reviewed=pl.col("seen").sum().cast(pl.Int64),
            wrong=pl.col("wrong").sum().cast(pl.Int64),
            noise=pl.col("noise").first().fill_nan(None),
            open_share=pl.col("open_sets").sum() / (pl.col("open_sets").sum() + pl.col("in_source").first()),
            variance=_variance().sum(),
            even=_even_variance().sum(),
            errors=_errors(),
        )
        .sort("source")
    )
    reviewed, noise, variance, even, errors, open_share = (
        sources[name].fill_null(0).to_numpy().astype(np.float64)
        for name in ("reviewed", "noise", "variance", "even", "errors", "open_share")
    )
    low, high = wilson(noise, _independent_reviews(reviewed, noise, variance, even, errors), _QUANTILE)
    low, high = (np.where(reviewed > 0, bound, 0.0) * (1 - open_share) for bound in (low, high))
    bounds = {"low": low, "high": high + open_share}
    columns = ("source", "reviewed", "wrong", "noise", "low", "high", "open_share")
    return sources.with_columns(**{name: pl.Series(values) for name, values in bounds.items()}).select(columns)


def _cells(reviews: pl.DataFrame) -> pl.DataFrame:
    """Return the parts of sources in strata: size, reviewed sets n and weight of the stratum, seen and wrong here."""
    known = pl.col("is_wrong").is_not_null()
    strata = reviews.group_by("draw_id", "stratum").agg(
        size=pl.col("stratum_size").first().cast(pl.Float64), n=known.sum().cast(pl.Float64), drawn=pl.len()
    )
    cells = reviews.group_by("source", "draw_id", "stratum").agg(
        seen=known.sum().cast(pl.Float64), wrong=pl.col("is_wrong").sum().cast(pl.Float64), drawn_here=pl.len()
    )
    is_open = pl.col("n") == 0
    in_draw, in_all = pl.col("seen").sum().over("source", "draw_id"), pl.col("seen").sum().over("source")
    share = pl.when(in_all > 0).then(in_draw / in_all).otherwise(1.0)
    return (
        cells.join(strata, on=["draw_id", "stratum"])
        .sort("source", "draw_id", "stratum")
        .with_columns(
            weight=pl.when(is_open).then(0.0).otherwise(pl.col("size") / pl.col("n") * share),
            open_sets=pl.when(is_open)
            .then(pl.col("size") * pl.col("drawn_here") / pl.col("drawn") * share)
            .otherwise(0.0),
        )
        .with_columns(in_source=(pl.col("weight") * pl.col("seen")).sum().over("source"))
        .with_columns(noise=(pl.col("weight") * pl.col("wrong")).sum().over("source") / pl.col("in_source"))
    )


def _variance() -> pl.Expr:
    """Return what strata add to the variance of their source's share, which is linearised as a ratio."""
    noise, seen, n = pl.col("noise"), pl.col("seen"), pl.col("n")
    wrong = seen * (pl.col("wrong") + noise) / (seen + 1)
    squares = wrong * (1 - noise) ** 2 + (seen - wrong) * noise**2 - (wrong - seen * noise) ** 2 / n
    added = _unseen() * n / pl.max_horizontal(n - 1, 1.0) * squares
    return pl.when(seen > 0).then(added).otherwise(0.0)


def _even_variance() -> pl.Expr:
    """Return what they would add if all had the same share p, divided by p (1 - p)."""
    return pl.when(pl.col("seen") > 0).then(_unseen() * pl.col("seen")).otherwise(0.0)


def _errors() -> pl.Expr:
    """Return how many wrong labels of equal weight say as much as those that were seen; or right ones, if fewer."""
    rarer = pl.when(pl.col("noise") <= 0.5).then("wrong").otherwise(pl.col("seen") - pl.col("wrong"))
    weights = pl.when(rarer > 0).then(_unseen()).otherwise(0.0)
    return ((weights.sqrt() * rarer).sum() ** 2 / (weights * rarer).sum()).fill_nan(0.0)


def _unseen() -> pl.Expr:
    """Return the square of a review's weight in its source, less the part of the stratum that was reviewed."""
    return (pl.col("weight") / pl.col("in_source")) ** 2 * (1 - pl.col("n") / pl.col("size")).clip(lower_bound=0)


def _independent_reviews(reviewed: Floats, noise: Floats, variance: Floats, even: Floats, errors: Floats) -> Floats:
    """Return how many independent reviews have this variance, with one wrong label more than was seen."""
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = np.where(errors > 0, reviewed * variance / (noise * (1 - noise)), 0.0)
        answers: Floats = np.where(reviewed > 0, reviewed / ((errors * effect + even * reviewed) / (errors + 1)), 1.0)
    return answers
