"""The picture of calibration: how often votes are right, by the share of the samples that backs them."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from pipelines.evaluation.figures import percent
from pipelines.evaluation.intervals import CONFIDENCE
from pipelines.training_sets.proportions import wilson

SIZE, MARGIN, TOP = 300, 44, 16
"""Of the picture, of the labels at its left and its lower edge, and of its other edges."""
_LARGEST = 11.0
"""Radius of the dot of a bin that holds all votes."""
_SMALLEST = 2.5
_QUANTILE = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)


class Dot(NamedTuple):
    """A bin of votes."""

    x: str
    y: str
    radius: str
    low: str
    high: str
    words: str


@dataclass(frozen=True, slots=True)
class Reliability:
    """What is known of a benchmark's calibration."""

    k: int
    ece: str
    interval: str
    dots: tuple[Dot, ...]
    ticks: tuple[tuple[str, str, str], ...]
    """(x, y, label) of each label of both scales."""
    sentence: str


def reliability_of(found: Mapping[str, Any] | None, clusters: int) -> Reliability | None:
    """Return the picture of `checks[benchmark]["calibration"]`; None where there is none."""
    if not found or not found.get("bins"):
        return None
    dots = tuple(_dot(one, clusters) for one in found["bins"])
    ticks = tuple((_at(_x(part)), _at(_y(part)), f"{part:.0%}") for part in (0.0, 0.25, 0.5, 0.75, 1.0))
    over = sum(one["weight"] * (one["share"] - one["accuracy"]) for one in found["bins"])
    tendency = (
        "Votes are right less often than their share says"
        if over > 0
        else "Votes are right more often than their share says"
    )
    return Reliability(
        k=found["k"],
        ece=percent(found["ece"]),
        interval=f"{100 * found['low']:.1f} to {100 * found['high']:.1f}",
        dots=dots,
        ticks=ticks,
        sentence=f"{tendency}, by {100 * abs(over):.1f} points on average.",
    )


def _dot(one: Mapping[str, float], clusters: int) -> Dot:
    share, accuracy, weight = one["share"], min(max(one["accuracy"], 0.0), 1.0), one["weight"]
    ends = wilson(np.array(accuracy), np.array(max(weight * clusters, 1e-9)), np.array(_QUANTILE))
    low, high = map(float, ends)
    right = f"{percent(accuracy)} ({100 * low:.1f} to {100 * high:.1f})"
    words = f"{percent(share)} of the samples back the vote: right in {right}"
    return Dot(
        _at(_x(share)),
        _at(_y(accuracy)),
        _at(max(_SMALLEST, _LARGEST * sqrt(weight))),
        _at(_y(low)),
        _at(_y(high)),
        f"{words}; {percent(weight)} of the votes",
    )


def _x(share: float) -> float:
    return MARGIN + share * (SIZE - MARGIN - TOP)


def _y(share: float) -> float:
    return SIZE - MARGIN - share * (SIZE - MARGIN - TOP)


def _at(place: float) -> str:
    return f"{place:.1f}"
