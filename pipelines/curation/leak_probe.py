"""The leak probe: how well a small classifier finds the right text by its surface alone.

A judge that can tell right from wrong without reading learns to. The probe is logistic regression over binned surface
features and hashed n-grams of characters, judged on queries that it has not seen: its folds are whole clusters of
queries. How numbers become columns is learnt from a sample of candidates without their labels, so it serves all folds.

**Which AUC.** Where a set has one best response, the AUC is the chance that the probe ranks the best above another
response *of the same set*, each set counting once. Over all responses it would be higher for a reason that no judge can
use: the number of responses alone would tell. Single responses have nothing beside them: for their labels the AUC is
over pairs within a fold, since scores of two models are not on one scale. The standard error is over clusters.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.curation import leak_features
from pipelines.curation.leak_features import AUTHOR, FEATURE_NAMES, MARKERS, NGRAMS, tokens

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

FOLDS = 5
MIN_SETS = 40
NGRAM_CHARACTERS = 1_200_000  # of all texts together: they take 10 to 20 bytes of memory each
NGRAM_LENGTH = 6.0  # of each row of n-grams; a row of binned features has one of about 5
_MOST_OF_A_TEXT, _LEAST_OF_A_TEXT = 1_500, 30
_BINS = 8
_AUTHORS = _TOKENS = 40
_CHUNK = 4_096
_STRENGTH = 0.03
"""Inverse of the penalty. On 4,000 sets of TeleQnA .02 finds .631, .3 finds .616: there is more noise than leak."""
_ITERATIONS = 50

Numbers = npt.NDArray[np.float64]
Numbered = npt.NDArray[np.int64]
Sparse = Any
"""scipy.sparse.csr_array; the package is imported where it is needed."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Candidates as the probe sees them; one row each."""

    rows: pl.DataFrame
    """group, cluster, right, fold."""
    features: Mapping[str, Sparse]


@dataclass(frozen=True, slots=True)
class Encoding:
    """How numbers become columns: learnt from the candidates without their labels."""

    ranked: bool
    edges: Mapping[str, Numbers]
    authors: tuple[str, ...]
    tokens: tuple[str, ...]
    ngram_characters: int
    """Of a text."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How often the probe is right about a pair, the standard error of that, and its mean weights over the folds."""

    auc: float
    se: float
    weights: Numbers


def panel(candidates: pl.DataFrame, features: Mapping[str, Sparse]) -> Panel:
    """Return candidates with their fold: that of their cluster's id, which is a hash and no other row's business."""
    fold = (pl.col("cluster").str.slice(8, 8).str.to_integer(base=16) % FOLDS).cast(pl.Int64)
    return Panel(candidates.select("group", "cluster", "right", fold=fold), features)


def is_ranked(candidates: pl.DataFrame) -> bool:
    """Return whether groups have several candidates to tell apart; single ones are told apart across groups."""
    return candidates["group"].n_unique() < candidates.height


def lacking(candidates: pl.DataFrame) -> str | None:
    """Return why the probe has too little to go by; None where it can be run."""
    if (groups := candidates["group"].n_unique()) < MIN_SETS:
        return f"{groups} sets: fewer than {MIN_SETS} say nothing"
    if not is_ranked(candidates):
        right = int(candidates["right"].sum())
        if (rarer := min(right, candidates.height - right)) == 0:
            return "all labels are the same"
        if rarer < MIN_SETS // 4:
            return f"{rarer} sets have the rarer label: fewer than {MIN_SETS // 4} say nothing"
    if panel(candidates, {}).rows["fold"].n_unique() < FOLDS:
        return "the queries are near-duplicates of a few"
    return None


def encoded(candidates: pl.DataFrame) -> tuple[Encoding, Panel]:
    """Return the encoding that these candidates, at most some ten thousands, give, and themselves in it."""
    ranked = is_ranked(candidates)
    numbers = _numbers(candidates, ranked)
    encoding = Encoding(
        ranked,
        {name: _edges(numbers[name].to_numpy()) for name in numbers.columns},
        _commonest(candidates["author"].drop_nulls(), _AUTHORS),
        _commonest(tokens(candidates)["token"], _TOKENS),
        min(_MOST_OF_A_TEXT, max(_LEAST_OF_A_TEXT, NGRAM_CHARACTERS // max(1, candidates.height))),
    )
    return encoding, panel(candidates, _features(candidates, numbers, encoding))


def panel_of(candidates: pl.DataFrame, encoding: Encoding) -> Panel:
    """Return further candidates in an encoding."""
    return panel(candidates, _features(candidates, _numbers(candidates, encoding.ranked), encoding))


def _numbers(candidates: pl.DataFrame, ranked: bool) -> pl.DataFrame:
    features = leak_features.surface(candidates)
    return features.hstack(leak_features.relative(features, candidates["group"])) if ranked else features


def _edges(values: Numbers) -> Numbers:
    """Return where bins end: around zero, and at quantiles of the rest, so that rare marks have bins of their own."""
    rest = values[values != 0]
    quantiles = np.quantile(rest, np.linspace(0, 1, _BINS + 1)[1:-1], method="lower") if rest.size else rest
    return np.unique(np.concatenate([quantiles, [-1e-9, 0.0]]))


def _commonest(values: pl.Series, most: int) -> tuple[str, ...]:
    counts = values.alias("value").value_counts().sort("count", "value", descending=[True, False])
    return tuple(counts["value"].head(most))


def _features(candidates: pl.DataFrame, numbers: pl.DataFrame, encoding: Encoding) -> dict[str, Sparse]:
    """Return each feature of candidates in sparse columns of its own."""
    binned: dict[str, list[Sparse]] = {}
    for name, edges in encoding.edges.items():
        bins = np.searchsorted(edges, numbers[name].to_numpy(), side="left")
        # Most counts are zero, and what most rows have needs no column.
        columns = _one_hot(bins, len(edges) + 1, int(np.searchsorted(edges, 0.0, side="left")))
        binned.setdefault(name.split(".")[0], []).append(columns)
    columns_of = {token: column for column, token in enumerate(encoding.tokens)}
    marks = [(row, columns_of[token]) for row, token in tokens(candidates).iter_rows() if token in columns_of]
    rows, columns = np.array(marks, np.int64).reshape(-1, 2).T
    binned[MARKERS].append(sparse_of(np.ones(len(rows)), rows, columns, (candidates.height, len(columns_of))))
    others = len(encoding.authors)
    numbers_of = {author: number for number, author in enumerate(encoding.authors)}
    authors = np.array([numbers_of.get(author, others) for author in candidates["author"]], np.int64)
    return {name: _joined(columns) for name, columns in binned.items()} | {
        AUTHOR: _one_hot(authors, others + 1, others),
        NGRAMS: _ngrams(candidates["text"].to_list(), encoding.ngram_characters),
    }


def sparse_of(values: npt.ArrayLike, rows: Numbered, columns: Numbered, shape: tuple[int, int]) -> Sparse:
    """Return a sparse matrix of values at places. Values at one place are added up."""
    from scipy import sparse

    return sparse.csr_array((np.asarray(values, np.float32), (rows, columns)), shape=shape)


def _joined(columns: Sequence[Sparse]) -> Sparse:
    from scipy import sparse

    return sparse.hstack(columns, format="csr")


def _one_hot(values: Numbered, width: int, blank: int) -> Sparse:
    """Return a column for each value; rows of the value `blank` have none."""
    rows = np.flatnonzero(values != blank)
    return sparse_of(np.ones(len(rows)), rows, values[rows], (len(values), width))


def _ngrams(texts: Sequence[str], most: int) -> Sparse:
    """Return the logarithms of the n-grams' counts, each row scaled to one length."""
    from scipy import sparse

    chunks = [sparse_of([], np.empty(0, np.int64), np.empty(0, np.int64), (0, leak_features.NGRAM_COLUMNS))]
    for start in range(0, len(texts), _CHUNK):
        chunk = texts[start : start + _CHUNK]
        rows, columns = leak_features.hashed_ngrams(chunk, most)
        counts = sparse_of(np.ones(len(rows)), rows, columns, (len(chunk), leak_features.NGRAM_COLUMNS))
        counts.data = np.log1p(counts.data)
        sizes = np.diff(counts.indptr)
        squares = np.bincount(np.repeat(np.arange(len(chunk)), sizes), counts.data**2, len(chunk))
        counts.data *= np.repeat(NGRAM_LENGTH / np.maximum(np.sqrt(squares), 1e-9), sizes).astype(np.float32)
        chunks.append(counts)
    return sparse.vstack(chunks, format="csr")


def weights_by_fold(panel: Panel, names: Sequence[str] = FEATURE_NAMES) -> list[Numbers]:
    """Return, for each fold, the probe's weights over these features' columns, learnt from the other folds.

    A group of right and wrong candidates is one row to learn from, the mean of the right less that of the wrong, and
    every second one turned round: that is what ranking within the group rests on. Single responses are rows as they
    are.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    matrix = _joined([panel.features[name] for name in names])
    target, folds = panel.rows["right"].to_numpy(), panel.rows["fold"].to_numpy()
    if is_ranked(panel.rows):
        matrix, target, folds = _contrasts(panel, matrix)
    weights = []
    for fold in range(FOLDS):
        learning = np.flatnonzero(folds != fold)
        if len(np.unique(target[learning])) < 2:
            weights.append(np.zeros(matrix.shape[1]))
            continue
        model = LogisticRegression(C=_STRENGTH, max_iter=_ITERATIONS)
        # One thread: the sums are short, and in one order on every machine.
        with warnings.catch_warnings(), _thread_pools().limit(limits=1):
            warnings.simplefilter("ignore", ConvergenceWarning)  # near enough: only ranks count
            model.fit(matrix[learning], target[learning])
        weights.append(model.coef_.ravel().astype(np.float64))
    return weights


@cache
def _thread_pools() -> "ThreadpoolController":
    """Return the thread pools of the loaded libraries, which take ten milliseconds to find."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _contrasts(panel: Panel, matrix: Sparse) -> tuple[Sparse, npt.NDArray[np.bool_], Numbered]:
    """Return (rows to learn from, whether a row is turned as it should be, folds), one for each group."""
    signs = panel.rows.select(
        "fold",
        number=pl.col("group").rank("dense").cast(pl.Int64) - 1,
        part=pl.when("right").then(1.0).otherwise(-1.0) / pl.len().over("group", "right"),
    )
    folds = signs.group_by("number").agg(pl.col("fold").first()).sort("number")["fold"].to_numpy()
    turned = np.arange(len(folds)) % 2 == 0
    number = signs["number"].to_numpy()
    parts = signs["part"].to_numpy() * np.where(turned[number], 1.0, -1.0)
    gather = sparse_of(parts, number, np.arange(len(number)), (len(folds), len(number)))
    return (gather @ matrix).tocsr(), turned, folds


def scored(panel: Panel, weights: Sequence[Numbers], names: Sequence[str] = FEATURE_NAMES) -> pl.DataFrame:
    """Return the candidates' rows with the `score` of the probe that has not seen their fold."""
    matrix = _joined([panel.features[name] for name in names])
    by_fold = np.stack([matrix @ of_fold for of_fold in weights])
    score = by_fold[panel.rows["fold"].to_numpy(), np.arange(by_fold.shape[1])]
    # Equal texts score equally, whatever order their numbers were added in.
    return panel.rows.with_columns(score=pl.Series(score.round(6), dtype=pl.Float64))


def measured(panel: Panel, names: Sequence[str] = FEATURE_NAMES) -> Measured:
    """Return how well the probe tells right from wrong by these features."""
    if not any(panel.features[name].nnz for name in names):
        return Measured(0.5, 0.0, np.zeros(sum(panel.features[name].shape[1] for name in names)))
    weights = weights_by_fold(panel, names)
    return Measured(*_auc_of(told_apart(scored(panel, weights, names))), np.mean(weights, axis=0))


def told_apart(candidates: pl.DataFrame) -> pl.DataFrame:
    """Return the scored candidates that have others of the other kind in their pool, with the columns pool and wins.

    Pools are groups or, for single responses, folds; `wins` is the share of the others that the score is on the right
    side of, ties counting half.
    """
    pooled = candidates.with_columns(pool="group" if is_ranked(candidates) else "fold")
    others = pl.len().over("pool") - pl.len().over("pool", "right")
    below = pl.col("score").rank("average").over("pool") - pl.col("score").rank("average").over("pool", "right")
    share = below / others
    return pooled.with_columns(wins=pl.when("right").then(share).otherwise(1 - share)).filter(others > 0)


def _auc_of(compared: pl.DataFrame) -> tuple[float, float]:
    """Return the mean over pools of how often right candidates are told from wrong ones, and its standard error.

    The standard error is that of a mean over clusters: of groups, or of single responses around their fold's mean.
    """
    of_right = pl.col("wins").filter("right").mean()
    pools = compared.group_by("pool").agg(auc=of_right, cluster=pl.col("cluster").first())
    auc = float(pools.sort("pool")["auc"].to_numpy().mean())
    if is_ranked(compared):
        influence = pools.select("cluster", part=(pl.col("auc") - auc) / pools.height)
    else:
        around = pl.col("wins") - of_right.over("pool")
        influence = compared.select("cluster", part=around / pl.len().over("pool", "right") / pools.height)
    parts = influence.group_by("cluster").agg(pl.col("part").sum())["part"].sort().to_numpy()
    return auc, float(np.sqrt((parts**2).sum() * len(parts) / max(1, len(parts) - 1)))
