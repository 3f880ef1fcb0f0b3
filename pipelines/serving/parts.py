"""More responses than a prompt shows: overlapping parts of them, and one scale for what the parts' judgements say.

A group is dealt into a circle, by a hash, and cut into parts of `most_shown` neighbours; each part shares a quarter
with the next one, so that the parts are linked. It is dealt anew for every shuffle, so that a response meets others.

A judge is stricter in one part than in another. So a score is taken for the worth of the response plus what its part
adds to all of its scores,

    score[part, response] = worth[response] + shift[part]

and worths and shifts are what fits all scores best by least squares, each weighted by the samples behind it. The shifts
sum to 0 over all scores, so worths stay on the judge's scale, though they may leave 1 to 10 by a little.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from schemas.record import content_id

OVERLAP = 4
"""A part shares one in so many of its responses with the next part; two at least where it has four."""


class Judged(NamedTuple):
    """What one part's samples say."""

    indices: tuple[int, ...]
    scores: tuple[float, ...]
    """The mean score of each of these responses."""
    samples: int
    """How many samples it is the mean of."""


def divided(ids: Sequence[str], most: int, shuffles: int) -> list[tuple[int, ...]]:
    """Return parts of the responses with these ids, as sorted indices: all of them together where a prompt shows so
    many.

    `most` is at least 2. The parts follow from the ids alone.
    """
    n = len(ids)
    if n <= most:
        return [tuple(range(n))]
    shared = max(1 if most < 4 else 2, most // OVERLAP)
    parts: dict[tuple[int, ...], None] = {}
    for shuffle in range(shuffles):
        circle = sorted(range(n), key=lambda index: content_id("part", shuffle, ids[index]))
        for start in range(0, n, most - shared):
            parts[tuple(sorted(circle[(start + step) % n] for step in range(most)))] = None
    return list(parts)


def on_one_scale(n: int, parts: Sequence[Judged]) -> list[float | None]:
    """Return the worth of each of n responses; None where nothing links it to most of the others, or judges it.

    The responses that get a worth are those of the largest set that parts link; of two equal ones, the one with the
    first response.
    """
    linked = _largest_linked([part.indices for part in parts])
    rows = [part for part in parts if part.indices[0] in linked]
    if not rows:
        return [None] * n
    if len(rows) == 1:
        worth = dict(zip(rows[0].indices, rows[0].scores, strict=True))
        return [worth.get(index) for index in range(n)]
    names = sorted(linked)
    place = {index: column for column, index in enumerate(names)}
    entries = [
        (number, place[index], score, part.samples)
        for number, part in enumerate(rows)
        for index, score in zip(part.indices, part.scores, strict=True)
    ]
    worth_of = _fitted(entries, len(names), len(rows))
    return [float(worth_of[place[index]]) if index in place else None for index in range(n)]


def _fitted(entries: Sequence[tuple[int, int, float, int]], responses: int, parts: int) -> "np.ndarray":
    """Return the worth of each response, from (part, response, score, samples) of each score."""
    matrix = np.zeros((len(entries) + 1, responses + parts))
    wanted = np.zeros(len(entries) + 1)
    for row, (part, response, score, samples) in enumerate(entries):
        weight = samples**0.5
        matrix[row, response] = matrix[row, responses + part] = weight
        wanted[row] = weight * score
        matrix[-1, responses + part] += samples  # the last row: shifts sum to 0
    found: np.ndarray = np.linalg.lstsq(matrix, wanted, rcond=None)[0]
    return found[:responses]


def _largest_linked(parts: Sequence[tuple[int, ...]]) -> set[int]:
    """Return the largest set of responses that parts link with each other."""
    linked: list[set[int]] = []
    for part in parts:
        touching = [group for group in linked if group & set(part)]
        linked = [*(group for group in linked if group not in touching), set(part).union(*touching)]
    return max(linked, key=lambda group: (len(group), -min(group)), default=set())
