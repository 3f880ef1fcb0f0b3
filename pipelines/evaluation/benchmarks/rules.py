"""What the rules of several benchmarks share: from votes to who wins, and from subsets to sections.

Votes are sums of scores `[rows, draws, prompts, shown]`, as `Benchmark.score` says. A response without a score is never
compared: nothing that could not be read becomes a number.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.evaluation import Protocol, Row

Floats = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]

TOTAL = "total"
"""What every benchmark calls its published total."""


def right_ones(rows: Sequence[Row]) -> Flags:
    """Return which responses are right, `[rows, responses]`, of rows with equally many responses."""
    flags = np.zeros((len(rows), len(rows[0].responses) if rows else 0), dtype=bool)
    for place, row in enumerate(rows):
        flags[place, list(row.right)] = True
    return flags


def mean_scores(votes: Floats, readable: Floats | None) -> Floats:
    """Return sums as means, so that prompts with more readable samples do not score higher for it."""
    if readable is None:
        return votes
    means: Floats = votes / np.where(readable > 0, readable, np.nan)[..., None]
    return means


def response_scores(votes: Floats, protocol: Protocol, readable: Floats | None) -> Floats:
    """Return a score for each response, `[rows, draws, responses]`, where each was scored in one prompt."""
    if protocol is Protocol.SINGLE:
        single: Floats = mean_scores(votes, readable)[..., 0]
        return single
    if protocol is Protocol.JOINT:
        together: Floats = votes[:, :, 0, :]
        return together
    raise ValueError(f"{protocol}: a response has several scores there")


def top_credit(scores: Floats, right: Flags) -> Floats:
    """Return the expected credit of a seeded choice among the highest scores: the share of right ones among them.

    `scores` are `[rows, draws, responses]`, `right` `[rows, responses]`. Where a response has no score it is 0.
    """
    top = scores == scores.max(axis=-1, keepdims=True)  # NaN is equal to nothing, so such a row has no top
    count = top.sum(axis=-1)
    credit: Floats = (top & right[:, None, :]).sum(axis=-1) / np.maximum(count, 1)
    return credit


def win_credit(first: Floats, second: Floats, *, tie: float = 0.5) -> Floats:
    """Return 1 where the first score is higher, `tie` where both are equal, and 0 elsewhere, also without a score."""
    credit: Floats = (first > second) + tie * (first == second)
    return credit


def pair_credit(rows: Sequence[Row], votes: Floats, protocol: Protocol, *, tie: float = 0.5) -> Floats:
    """Return the credit of each prompt `[rows, draws, prompts]` that shows a right response and a wrong one.

    That is each prompt of PAIRS, and each of BOTH_ORDERS.
    """
    if protocol is Protocol.PAIRS:
        return win_credit(votes[..., 0], votes[..., 1], tie=tie)
    right = np.array([row.right[0] for row in rows], dtype=int)[:, None, None, None]
    here = np.take_along_axis(votes, np.broadcast_to(right, (*votes.shape[:3], 1)), axis=-1)[..., 0]
    other = np.take_along_axis(votes, np.broadcast_to(1 - right, (*votes.shape[:3], 1)), axis=-1)[..., 0]
    return win_credit(here, other, tie=tie)


def best_of(rows: Sequence[Row], votes: Floats, protocol: Protocol, readable: Floats | None = None) -> Floats:
    """Return the expected credit `[rows, draws]` of taking the best response.

    JOINT and SINGLE: 1/m where m responses tie on top and a right one is among them. PAIRS: the right response beats
    every wrong one, each tie a half; the mean over right ones. BOTH_ORDERS: the mean of both orders.
    """
    if protocol in (Protocol.JOINT, Protocol.SINGLE):
        return top_credit(response_scores(votes, protocol, readable), right_ones(rows))
    credit = pair_credit(rows, votes, protocol)
    if protocol is Protocol.PAIRS:
        n_right = len(rows[0].right) if rows else 1
        credit = credit.reshape(*credit.shape[:2], n_right, -1).prod(axis=-1)
    mean: Floats = credit.mean(axis=-1)
    return mean


def best_of_all(rows: Sequence[Row], votes: Floats, protocol: Protocol, readable: Floats | None = None) -> Floats:
    """Return `best_of` as the one cell of a rule."""
    return best_of(rows, votes, protocol, readable)[..., None]


def subset_means(groups: Sequence[str], means: Floats, cell: int = 0) -> dict[str, Floats]:
    """Return one cell's mean by subset, without subsets that have no row."""
    found = {group: means[..., place, cell] for place, group in enumerate(groups)}
    return {group: values for group, values in found.items() if not np.isnan(values).all()}


def plain_mean(parts: Mapping[str, Floats], names: Iterable[str]) -> Floats | None:
    """Return the plain mean of these parts; None where one is missing."""
    return weighted_mean(parts, dict.fromkeys(names, 1))


def weighted_mean(parts: Mapping[str, Floats], weights: Mapping[str, float]) -> Floats | None:
    """Return the mean of these parts by weight; None where one is missing."""
    if not weights or any(name not in parts for name in weights):
        return None
    sums = np.sum([parts[name] * weight for name, weight in weights.items()], axis=0)
    total: Floats = sums / sum(weights.values())
    return total


def given(figures: Mapping[str, Floats | None]) -> dict[str, Floats]:
    """Return the figures that could be computed."""
    return {name: values for name, values in figures.items() if values is not None}
