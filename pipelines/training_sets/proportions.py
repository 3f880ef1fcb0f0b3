"""Shares that were seen in a sample, and how far the true share may lie from them."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def wilson(share: Floats, answers: Floats, quantile: Floats) -> tuple[Floats, Floats]:
    """Return Wilson's score interval of a share among so many independent answers."""
    square = quantile**2
    middle = (share + square / (2 * answers)) / (1 + square / answers)
    reach = quantile / (1 + square / answers) * np.sqrt(share * (1 - share) / answers + square / (4 * answers**2))
    return np.where(share <= 0, 0.0, middle - reach), np.where(share >= 1, 1.0, middle + reach)
