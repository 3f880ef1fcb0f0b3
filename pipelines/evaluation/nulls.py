"""Judges that do not read: the first response shown wins, or the longest one. A selector must beat what they reach.

Each returns votes [rows, draws, prompts, shown] for rows of one shape, which a benchmark's rule scores like all others.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipelines.evaluation.arrays import Floats
from schemas.evaluation import Protocol, Row

_DRAWS = 60
"""A multiple of 2 to 6, so that each response of a small set stands first equally often."""


def first_shown(rows: Sequence[Row], protocol: Protocol, seed: int = 0) -> Floats:
    """Return the votes of a judge that takes the first response shown: 1 for it, 0 for the others."""
    prompts = rows[0].prompts(protocol)
    shown = len(prompts[0])
    if protocol is Protocol.BOTH_ORDERS:
        fixed = np.eye(shown)[[order[0] for order in prompts]]
        return np.broadcast_to(fixed, (len(rows), 1, *fixed.shape)).copy()
    drawn = np.broadcast_to(np.arange(_DRAWS) % shown, (len(rows), len(prompts), _DRAWS))
    first = np.random.default_rng(seed).permuted(drawn, axis=-1)
    votes: Floats = np.eye(shown)[first].swapaxes(1, 2)
    return votes


def longest(rows: Sequence[Row], protocol: Protocol, lengths: npt.NDArray[np.generic]) -> Floats:
    """Return the votes of a judge that scores each response by its length; `lengths` is [rows, responses]."""
    shown = np.array([row.prompts(protocol) for row in rows])
    by_prompt = np.take_along_axis(lengths[:, None], shown, axis=2).astype(np.float64)
    if protocol is Protocol.BOTH_ORDERS:  # votes stand by index, in whatever order a prompt shows them
        by_prompt = np.repeat(lengths[:, None], 2, axis=1).astype(np.float64)
    return by_prompt[:, None]
