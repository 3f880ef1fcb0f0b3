"""Which sets people look at: a seeded stratified draw, with the weight that each set then stands for.

A stratum is all sets that share the values of some columns: source, reason, suspicion. Every stratum gives two sets at
least, so that none is taken on trust. The others go where the labels are likeliest to be wrong: by the size of a
stratum times the spread of wrong labels in it (Neyman), with its mean `label_suspicion` as the guess. A bad guess makes
intervals wider, never wrong: a set's weight is the number of sets that it stands for, whatever was guessed.
"""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import polars as pl

SUSPICION = "suspicion"
"""The column of `with_suspicion`."""
_STEPS = ((0.5, ".5 and more"), (0.2, ".2 to .5"), (0.05, ".05 to .2"), (0.0, "under .05"))
_UNKNOWN = "not judged"
_LEAST = 2
"""Sets of a stratum that are drawn at least: one alone says nothing of a spread."""
_GUESS = 0.05
"""The guessed share of wrong labels where nothing speaks for or against them."""
_LEAST_GUESS = 0.02
"""No judge is so good that a stratum is left out on its word."""
_REST = "rest"


def with_suspicion(sets: pl.DataFrame) -> pl.DataFrame:
    """Return the sets with the column `suspicion`: their `label_suspicion` in five steps, to draw by."""
    suspicion = pl.col("label_suspicion")
    step = pl.coalesce(*(pl.when(suspicion >= least).then(pl.lit(name)) for least, name in _STEPS), pl.lit(_UNKNOWN))
    return sets.with_columns(step.alias(SUSPICION))


def draw(sets: pl.DataFrame, n: int, seed: int, by: Sequence[str]) -> pl.DataFrame:
    """Return `n` of the sets, or all where there are fewer, in an order that says nothing of them.

    `sets` has set_id, the columns `by`, and `label_suspicion` where it is known. Added are stratum, stratum_size,
    stratum_drawn, and weight: how many sets of its stratum a drawn one stands for. Where there are more strata than
    half of `n`, the smallest ones are one stratum together.
    """
    ranked = sets.with_columns(
        stratum=_stratum(sets, by, max(n // _LEAST, 1)),
        place=pl.Series([_place(set_id, seed) for set_id in sets["set_id"]], dtype=pl.String),
    ).sort("place")
    guess = pl.col("label_suspicion") if "label_suspicion" in sets.columns else pl.lit(None, pl.Float64)
    strata = (
        ranked.group_by("stratum")
        .agg(stratum_size=pl.len().cast(pl.Int64), guess=guess.fill_null(_GUESS).mean())
        .sort("stratum")
    )
    strata = strata.with_columns(stratum_drawn=pl.Series(_drawn(strata, n), dtype=pl.Int64)).drop("guess")
    return (
        ranked.join(strata, on="stratum", how="left", maintain_order="left")
        .filter(pl.int_range(pl.len()).over("stratum") < pl.col("stratum_drawn"))
        .with_columns(weight=pl.col("stratum_size") / pl.col("stratum_drawn"))
        .drop("place")
    )


def _stratum(sets: pl.DataFrame, by: Sequence[str], most: int) -> pl.Series:
    """Return the name of each set's stratum, of at most so many strata."""
    values = [pl.col(name).cast(pl.String).fill_null("none") for name in by]
    names = sets.select(stratum=pl.concat_str(values, separator=" / ") if values else pl.lit("all")).to_series()
    names = names if len(names) == sets.height else pl.Series("stratum", ["all"] * sets.height, pl.String)
    sizes = names.value_counts().sort("count", "stratum", descending=[True, False])
    if sizes.height <= most:
        return names
    kept = sizes["stratum"].head(most - 1)
    return pl.select(pl.when(names.is_in(kept.implode())).then(names).otherwise(pl.lit(_REST))).to_series()


def _drawn(strata: pl.DataFrame, n: int) -> list[int]:
    """Return how many sets of each stratum are drawn: the least of each, then one by one where the need is largest."""
    sizes = strata["stratum_size"].to_numpy()
    guess = np.clip(strata["guess"].to_numpy(), _LEAST_GUESS, 0.5)
    need = sizes * np.sqrt(guess * (1 - guess))
    drawn = np.minimum(sizes, _LEAST)
    if drawn.sum() > n:  # of one stratum, which is all there is
        drawn = np.minimum(sizes, n)
    for _ in range(min(n, sizes.sum()) - drawn.sum()):
        drawn[np.argmax(np.where(drawn < sizes, need / np.maximum(drawn, 1), -1.0))] += 1
    return [int(number) for number in drawn]


def _place(set_id: str, seed: int) -> str:
    return blake2b(f"review|{seed}|{set_id}".encode(), digest_size=16).hexdigest()
