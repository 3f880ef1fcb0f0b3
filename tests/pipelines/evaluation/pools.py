"""Small pools, and what all their subsets give, counted one by one."""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipelines.evaluation.arrays import Floats, Pool, top_shares
from schemas.evaluation import Row
from schemas.preference import Response

NAN = float("nan")


def rows(count: int, responses: int = 2) -> list[Row]:
    """Return rows of which the first response is right."""
    shown = tuple(Response(f"Response {index}.", None) for index in range(responses))
    return [Row(str(n), "all", [], shown, tuple("ABCDEF"[:responses]), (0,)) for n in range(count)]


def pool(*samples: Sequence[float]) -> Pool:
    """Return the pool of one row with one prompt."""
    return np.array(samples, np.float32)[None, None]


def first_is_right(_rows: Sequence[Row], votes: Floats) -> Floats:
    """The right response on top, or its share of a tie."""
    return top_shares(votes[:, :, 0])[..., :1]


def over_all_subsets(samples: Pool, size: int, credit: Callable[[Pool], float]) -> float:
    """Return the mean credit of all subsets of the samples [samples, shown] of one row."""
    return float(np.mean([credit(samples[list(chosen)]) for chosen in combinations(range(len(samples)), size)]))


def credit_of(samples: Pool) -> float:
    readable = samples[~np.isnan(samples[:, 0])]
    if not len(readable):
        return 0.0
    total = readable.astype(float).sum(axis=0)
    on_top = total == total.max()
    return float(on_top[0] / on_top.sum())


@st.composite
def pools_of_three(draw: st.DrawFn) -> Pool:
    """Pools of three samples: their windows are all their subsets, so that every expectation is exact."""
    n_rows, shown = draw(st.integers(1, 4)), draw(st.integers(2, 4))
    scores = draw(arrays.arrays(np.float32, (n_rows, 1, 3, shown), elements=st.integers(1, 4).map(float)))
    scores[draw(arrays.arrays(bool, (n_rows, 1, 3)))] = np.nan
    return scores
