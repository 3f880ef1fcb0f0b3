"""What the rules of several benchmarks share: from votes to who wins, and from subsets to sections.

Votes are `[rows, draws, prompts, shown]`, as `Benchmark.score` says. A response without a score is never compared:
nothing that could not be read becomes a number.
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

MIDDLE = 5.5
"""The middle of the scores 1 to 10: a single response above it is judged right, one below it wrong."""


def right_ones(rows: Sequence[Row]) -> Flags:
    """Return which responses are right, `[rows, responses]`, of rows with equally many responses."""
    flags = np.zeros((len(rows), len(rows[0].responses) if rows else 0), dtype=bool)
    for place, row in enumerate(rows):
        flags[place, list(row.right)] = True
    return flags


def response_scores(votes: Floats, protocol: Protocol) -> Floats:
    """Return the vote of each response, `[rows, draws, responses]`, where each was scored in one prompt."""
    if protocol not in (Protocol.JOINT, Protocol.SINGLE):
        raise ValueError(f"{protocol}: a response has several scores there")
    scores: Floats = votes[:, :, 0, :] if protocol is Protocol.JOINT else votes[..., 0]
    return scores


def top_credit(scores: Floats, right: Flags) -> Floats:
    """Return the expected credit of a seeded choice among the highest scores: the share of right ones among them.

    `scores` are `[rows, draws, responses]`, `right` `[rows, responses]`. Where a response has no score it is 0.
    """
    top = scores == scores.max(axis=-1, keepdims=True)  # NaN is equal to nothing, so such a row has no top
    count = top.sum(axis=-1)
    credit: Floats = (top & right[:, None, :]).sum(axis=-1) / np.maximum(count, 1)
    return credit


def strict_credit(scores: Floats, right: Flags) -> Floats:
    """Return 1 where a right response scores above every wrong one, else 0; a tie is wrong."""
    best_right = np.where(right[:, None, :], scores, -np.inf).max(axis=-1)
    best_wrong = np.where(right[:, None, :], -np.inf, scores).max(axis=-1)
    credit: Floats = (best_right > best_wrong).astype(float)
    return credit


def single_credit(scores: Floats, right: Flags) -> Floats:
    """Return whether the one response of each row is judged as it is: right above the middle, wrong below it.

    A score that is the middle counts half.
    """
    mean = scores[..., 0]
    is_right = right[:, None, 0]
    credit: Floats = np.where(is_right, mean > MIDDLE, mean < MIDDLE) + 0.5 * (mean == MIDDLE)
    return credit


def pair_scores(rows: Sequence[Row], votes: Floats, protocol: Protocol) -> tuple[Floats, Floats]:
    """Return the scores of the right and the wrong response in each prompt, `[rows, draws, prompts]`.

    For PAIRS, and for BOTH_ORDERS of rows with two responses.
    """
    if protocol is Protocol.PAIRS:
        return votes[..., 0], votes[..., 1]
    if protocol is not Protocol.BOTH_ORDERS:
        raise ValueError(f"{protocol}: not every prompt shows a pair there")
    is_first = np.array([row.right == (0,) for row in rows])[:, None, None]
    first, second = votes[..., 0], votes[..., 1]
    return np.where(is_first, first, second), np.where(is_first, second, first)


def win_credit(first: Floats, second: Floats, *, tie: float = 0.5) -> Floats:
    """Return 1 where the first score is higher, `tie` where both are equal, and 0 elsewhere, also without a score."""
    credit: Floats = (first > second) + tie * (first == second)
    return credit


def decisions(rows: Sequence[Row], votes: Floats, protocol: Protocol) -> Floats:
    """Return what each prompt that shows a pair decides: 1 right, -1 wrong, 0 a tie, NaN without a score."""
    signs: Floats = np.sign(np.subtract(*pair_scores(rows, votes, protocol)))
    return signs


def best_of(rows: Sequence[Row], votes: Floats, protocol: Protocol, *, strict: bool = False) -> Floats:
    """Return the credit `[rows, draws]` of taking the best response.

    JOINT and SINGLE: 1/m where m responses tie on top and a right one is among them. PAIRS: the right response beats
    every wrong one, a tie counts half; the mean over right ones. BOTH_ORDERS: the mean of both orders. `strict`: a tie
    is wrong everywhere. A row of one response: `single_credit`.
    """
    if protocol is Protocol.PAIRS:
        wins = win_credit(*pair_scores(rows, votes, protocol), tie=0.0 if strict else 0.5)
        beats_all = wins.reshape(*wins.shape[:2], len(rows[0].right) if rows else 1, -1).prod(axis=-1)
        mean: Floats = beats_all.mean(axis=-1)
        return mean
    right = right_ones(rows)
    rule = single_credit if right.shape[-1] == 1 else strict_credit if strict else top_credit
    if protocol is Protocol.BOTH_ORDERS:
        mean = np.mean([rule(votes[:, :, order], right) for order in (0, 1)], axis=0)
        return mean
    return rule(response_scores(votes, protocol), right)


def one_cell(rows: Sequence[Row], votes: Floats, protocol: Protocol) -> Floats:
    """Return `best_of` as the one cell of a rule."""
    return best_of(rows, votes, protocol)[..., None]


def one_cell_strict_alone(rows: Sequence[Row], votes: Floats, protocol: Protocol) -> Floats:
    """Return `best_of` as the one cell of a rule that calls a tie wrong where responses are scored one by one."""
    return best_of(rows, votes, protocol, strict=protocol is Protocol.SINGLE)[..., None]


def one_strict_cell(rows: Sequence[Row], votes: Floats, protocol: Protocol) -> Floats:
    """Return the strict `best_of` as the one cell of a rule."""
    return best_of(rows, votes, protocol, strict=True)[..., None]


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


def with_total(parts: Mapping[str, Floats], names: Iterable[str]) -> dict[str, Floats]:
    """Return these parts and their plain mean as the total, where none of `names` is missing."""
    return dict(parts) | given({TOTAL: plain_mean(parts, names)})


def given(figures: Mapping[str, Floats | None]) -> dict[str, Floats]:
    """Return the figures that could be computed."""
    return {name: values for name, values in figures.items() if values is not None}
