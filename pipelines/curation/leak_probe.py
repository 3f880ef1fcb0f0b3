"""The leak probe: how well a small classifier finds the right text by its surface alone.

A judge that can tell right from wrong without reading learns to. The probe is logistic regression over binned surface
features and hashed n-grams of characters, judged on queries that it has not seen: its folds are made of whole clusters
of queries, chosen by their ids.

**Which AUC.** Where a set has one best response, only its rank within the set matters: the AUC here is the chance that
the probe ranks the best above another response *of the same set*, each set counting once. An AUC over all responses
would be higher for reasons that no judge can use: of a pair half of the responses are right, of five a fifth, so the
number of responses alone would tell. Single responses have nothing beside them: for their labels the AUC is over pairs
within a fold, since scores of two models are not on one scale. The standard error is over clusters of queries.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.curation.leak_encoding import FOLDS, Numbers, Panel, Sparse, fold_of
from pipelines.curation.leak_features import FEATURE_NAMES

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

MIN_SETS = 40
_STRENGTH = 0.03
"""Inverse of the penalty. On 4,000 sets of TeleQnA .02 finds .631, .3 finds .616: there is more noise than leak."""
_ITERATIONS = 50


@dataclass(frozen=True, slots=True)
class Auc:
    """How often the probe is right about a pair, and the standard error of that."""

    auc: float
    se: float


def lacking(candidates: pl.DataFrame, ranked: bool, least: int = MIN_SETS) -> str | None:
    """Return why the probe has too little to go by; None where it can be run."""
    groups = candidates["group"].n_unique()
    if groups < least:
        return f"{groups} sets: fewer than {least} say nothing"
    if not ranked:
        right = int(candidates["right"].sum())
        rarer = min(right, candidates.height - right)
        if rarer == 0:
            return "all labels are the same"
        if rarer < least // 4:
            return f"{rarer} sets have the rarer label: fewer than {least // 4} say nothing"
    if candidates.select(fold_of(pl.col("cluster")).n_unique()).item() < FOLDS:
        return "the queries are near-duplicates of a few"
    return None


def weights_by_fold(panel: Panel, names: Sequence[str] = FEATURE_NAMES) -> list[Numbers]:
    """Return, for each fold, the probe's weights over these features' columns, learnt from the other folds.

    A group of right and wrong candidates is one row to learn from, the mean of the right less that of the wrong, and
    every second one turned round: that is what ranking within the group rests on. Single responses are rows as they
    are.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    matrix = _matrix(panel, names)
    matrix, target, folds = (
        _contrasts(panel, matrix)
        if panel.ranked
        else (matrix, panel.rows["right"].to_numpy(), panel.rows["fold"].to_numpy())
    )
    found = []
    for fold in range(FOLDS):
        learning = np.flatnonzero(folds != fold)
        if len(np.unique(target[learning])) < 2:
            found.append(np.zeros(matrix.shape[1]))
            continue
        model = LogisticRegression(C=_STRENGTH, max_iter=_ITERATIONS)
        # One thread: the sums are short, and in one order on every machine.
        with warnings.catch_warnings(), _thread_pools().limit(limits=1):
            warnings.simplefilter("ignore", ConvergenceWarning)  # near enough: ranks are all that is asked for
            model.fit(matrix[learning], target[learning])
        found.append(model.coef_.ravel().astype(np.float64))
    return found


@cache
def _thread_pools() -> "ThreadpoolController":
    """Return the thread pools of the loaded libraries, which take ten milliseconds to find."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _matrix(panel: Panel, names: Sequence[str]) -> Sparse:
    from scipy import sparse

    return sparse.hstack([panel.features[name] for name in names], format="csr")


def _contrasts(panel: Panel, matrix: Sparse) -> tuple[Sparse, npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Return (rows to learn from, whether a row is turned as it should be, folds), one for each group."""
    from scipy import sparse

    signs = panel.rows.select(
        "fold",
        number=pl.col("group").rank("dense").cast(pl.Int64) - 1,
        part=pl.when("right").then(1.0).otherwise(-1.0) / pl.len().over("group", "right"),
    )
    folds = signs.group_by("number").agg(pl.col("fold").first()).sort("number")["fold"].to_numpy()
    turned = np.arange(len(folds)) % 2 == 0
    number = signs["number"].to_numpy()
    parts = signs["part"].to_numpy() * np.where(turned[number], 1.0, -1.0)
    gather = sparse.csr_array((parts.astype(np.float32), (number, np.arange(len(number)))), (len(folds), len(number)))
    return (gather @ matrix).tocsr(), turned, folds


def scored(panel: Panel, weights: Sequence[Numbers], names: Sequence[str] = FEATURE_NAMES) -> pl.DataFrame:
    """Return the candidates' rows with the `score` of the probe that has not seen their fold."""
    by_fold = np.stack([_matrix(panel, names) @ one for one in weights])
    score = by_fold[panel.rows["fold"].to_numpy(), np.arange(by_fold.shape[1])]
    # Equal texts score equally, whatever order their numbers were added in.
    return panel.rows.with_columns(score=pl.Series(score.round(6), dtype=pl.Float64))


def measured(panel: Panel, names: Sequence[str] = FEATURE_NAMES) -> Auc:
    """Return how well the probe tells right from wrong by these features."""
    if not any(panel.features[name].nnz for name in names):
        return Auc(0.5, 0.0)  # no candidate has any of it
    return auc_of(told(scored(panel, weights_by_fold(panel, names), names), panel.ranked), panel.ranked)


def told(candidates: pl.DataFrame, ranked: bool) -> pl.DataFrame:
    """Return the scored candidates that have others of the other kind in their pool, with the columns pool and told.

    Pools are groups or, for single responses, folds; `told` is the share of the others that the score is on the right
    side of, ties counting half.
    """
    pooled = candidates.with_columns(pool="group" if ranked else "fold")
    others = pl.len().over("pool") - pl.len().over("pool", "right")
    below = pl.col("score").rank("average").over("pool") - pl.col("score").rank("average").over("pool", "right")
    share = below / others
    return pooled.with_columns(told=pl.when("right").then(share).otherwise(1 - share)).filter(others > 0)


def auc_of(candidates: pl.DataFrame, ranked: bool) -> Auc:
    """Return the mean over pools of how often right candidates are told from wrong ones; see `told`.

    The standard error is that of a mean over clusters: of groups, or of single responses around their fold's mean.
    """
    of_right = pl.col("told").filter("right").mean()
    pools = candidates.group_by("pool").agg(auc=of_right, cluster=pl.col("cluster").first())
    auc = float(pools.sort("pool")["auc"].to_numpy().mean())
    if ranked:
        influence = pools.select("cluster", part=(pl.col("auc") - auc) / pools.height)
    else:
        around = pl.col("told") - of_right.over("pool")
        influence = candidates.select("cluster", part=around / pl.len().over("pool", "right") / pools.height)
    parts = influence.group_by("cluster").agg(pl.col("part").sum())["part"].sort().to_numpy()
    return Auc(auc, float(np.sqrt((parts**2).sum() * len(parts) / max(1, len(parts) - 1))))
