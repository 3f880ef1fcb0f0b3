"""How good each judge is, and how far its samples of one set err together: learnt from its votes and the labels.

A judge is right on a set with a chance of its own, drawn from a beta distribution: `accuracy` is its mean, and
`correlation` that of two samples of one set. Where it errs, its votes spread over the other responses, and stick
together as much. So its votes on a set are Dirichlet-multinomial, given which response is the best one. That is the
labelled one, or, for a share of the sets that is assumed (PRIOR_NOISE), any other with the same chance.

Both figures are means of their posterior over a grid. The priors are weak, so that ten sets do not explode: as if four
sets had been seen that are right three times of four, whose samples correlate as published judgements do (METHOD 13).
The judge as a whole is, for each number of responses, the prior of the judge on each source, as twenty sets of it.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.suspicion import PRIOR_NOISE

Floats: TypeAlias = npt.NDArray[np.float64]

JUDGES = {
    "judge": pl.String,
    "source": pl.String,
    "n_responses": pl.Int32,
    "sets": pl.Int64,
    "accuracy": pl.Float64,
    "correlation": pl.Float64,
}

_ACCURACIES = 33
_CORRELATIONS = np.array([0.002, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97])
_PRIOR_SETS, _PRIOR_ACCURACY = 4.0, 0.75
_PRIOR_CORRELATION = np.array([2.0, 1.0])
"""Exponents of a beta distribution with its top at 2/3."""
_SOURCE_SETS = 20.0
"""How many of its sets a judge as a whole counts for on a source."""


def judges_of(patterns: pl.DataFrame) -> pl.DataFrame:
    """Return JUDGES, a row a judge, source and number of responses; `patterns` are what `votes.patterns_of` counts."""
    found = [
        _fitted(judge, n_responses, part)
        for (judge, n_responses), part in sorted(patterns.group_by("judge", "n_responses"), key=lambda one: one[0])
    ]
    return pl.concat([pl.DataFrame(schema=JUDGES), *found])


def gains(votes: Floats, candidates: Floats | int, accuracy: Floats, correlation: Floats) -> Floats:
    """Return by how much so many votes raise the log likelihood that this response is the best one.

    It is 0 without votes. All else in the likelihood of a set's votes is the same whichever response is best.
    """
    from scipy.special import gammaln

    right, wrong = _shapes(candidates, accuracy, correlation)
    found: Floats = gammaln(right + votes) - gammaln(right) - gammaln(wrong + votes) + gammaln(wrong)
    return found


def _shapes(candidates: Floats | int, accuracy: Floats, correlation: Floats) -> tuple[Floats, Floats]:
    """Return the Dirichlet parameters of the best response and of each other one."""
    size = (1 - correlation) / correlation
    return accuracy * size, (1 - accuracy) * size / (candidates - 1)


def _fitted(judge: str, n_responses: int, patterns: pl.DataFrame) -> pl.DataFrame:
    candidates = max(n_responses, 2)  # of one response, the two labels
    patterns = patterns.sort("source", "on_label", "others")
    low = 1 / candidates
    accuracies = low + (0.995 - low) * (np.arange(_ACCURACIES) + 0.5) / _ACCURACIES
    accuracy, correlation = (axis.ravel() for axis in np.meshgrid(accuracies, _CORRELATIONS, indexing="ij"))
    likelihood = _log_likelihood(patterns, candidates, accuracy, correlation)
    sets = patterns["sets"].to_numpy().astype(np.float64)
    whole = _prior(accuracy, _PRIOR_ACCURACY, _PRIOR_SETS) + _PRIOR_CORRELATION @ np.log([correlation, 1 - correlation])
    means = _means(likelihood @ sets + whole, accuracy, correlation)
    of_source = _prior(accuracy, means[0], _SOURCE_SETS) + _prior(correlation, means[1], _SOURCE_SETS)
    rows = []
    for source in patterns["source"].unique().sort():
        counted = np.where((patterns["source"] == source).to_numpy(), sets, 0.0)
        means = _means(likelihood @ counted + of_source, accuracy, correlation)
        rows.append((judge, source, n_responses, int(counted.sum()), *means))
    return pl.DataFrame(rows, schema=JUDGES, orient="row")


def _prior(values: Floats, mean: float, sets: float) -> Floats:
    prior: Floats = sets * (mean * np.log(values) + (1 - mean) * np.log(1 - values))
    return prior


def _means(log_posterior: Floats, *axes: Floats) -> list[float]:
    weights = np.exp(log_posterior - log_posterior.max())
    return [round(float(weights @ axis / weights.sum()), 3) for axis in axes]


def _log_likelihood(patterns: pl.DataFrame, candidates: int, accuracy: Floats, correlation: Floats) -> Floats:
    """Return the log likelihood of each pattern of votes, [grid, patterns]."""
    from scipy.special import gammaln, logsumexp

    on_label = patterns["on_label"].to_numpy()
    # The last column stands for every response without a vote.
    others = _padded(patterns["others"].to_list())
    counts, place = np.unique(np.column_stack([on_label, others]), return_inverse=True)
    place = place.reshape(len(on_label), -1)
    _, wrong = _shapes(candidates, accuracy, correlation)
    missed = gammaln(wrong[:, None] + counts) - gammaln(wrong)[:, None]
    gained = gains(counts, candidates, accuracy[:, None], correlation[:, None])
    size, total = ((1 - correlation) / correlation)[:, None], on_label + others.sum(axis=1)
    common = gammaln(size) - gammaln(size + total) + missed[:, place].sum(axis=2)
    label_right = np.log(1 - PRIOR_NOISE) + gained[:, place[:, 0]]
    often = np.append(np.ones(others.shape[1] - 1), candidates - others.shape[1])
    label_wrong = np.log(PRIOR_NOISE / (candidates - 1)) + logsumexp(gained[:, place[:, 1:]], axis=2, b=often)
    likelihood: Floats = common + np.logaddexp(label_right, label_wrong)
    return likelihood


def _padded(others: Sequence[Sequence[float]]) -> Floats:
    """Return the votes of the other responses, [patterns, responses], the last column 0 throughout."""
    padded = np.zeros((len(others), 1 + max(map(len, others))))
    for row, votes in enumerate(others):
        padded[row, : len(votes)] = votes
    return padded
