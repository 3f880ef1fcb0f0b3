"""Where the gain over one sample comes from: more readable votes, fewer ties, or better judgement.

Of votes a share R is readable, and of these a share T is tied. Ties are right at a rate t and decided votes at a rate
d, so readable ones at a rate A = T t + (1 - T) d. Unreadable ones have a rate u: 0, unless a benchmark credits a guess.
Then:

    gain        = R A + (1 - R) u at k, less the same at 1
    readability = (R_k - R_1) (A_1 - u_1)
    ties        = R_k (T_k - T_1) (t_1 - d_1)
    judgement   = the rest: R_k (T_k (t_k - t_1) + (1 - T_k) (d_k - d_1)) + (1 - R_k) (u_k - u_1)

The three add up exactly. They are shares of the whole subset, not of each row: which rows become readable is not known
from one sample. A kind of vote that does not occur at 1 has the accuracy there that it has at k.
"""

from collections.abc import Sequence

import numpy as np

from pipelines.evaluation.arrays import Floats, Totals
from pipelines.evaluation.voting import DECIDED, N_STATES, TIED, UNREADABLE, Curve

READABILITY, TIES, JUDGEMENT = range(3)


def gain_values(curve: Curve) -> Floats:
    """Return the columns [rows, sizes, states + states x cells] whose means `gain_parts` splits."""
    flat = curve.credits.reshape(*curve.credits.shape[:2], -1)
    return np.concatenate([curve.shares, flat], axis=-1)


def gain_parts(means: Floats) -> Floats:
    """Split the gain of each size over the first.

    Means [.., sizes, subsets, columns] become [.., sizes, 3, subsets, cells].
    """
    shares, credits = means[..., :N_STATES, None], means[..., N_STATES:]
    credits = credits.reshape(*credits.shape[:-1], N_STATES, -1)
    accuracies = _ratio(credits, shares)
    first = np.broadcast_to(accuracies[..., :1, :, :, :], accuracies.shape)
    first = np.nan_to_num(np.where(np.isnan(first), accuracies, first))
    readable = shares[..., TIED, :] + shares[..., DECIDED, :]
    ties = np.nan_to_num(_ratio(shares[..., TIED, :], readable))
    of_readable = credits[..., TIED, :] + credits[..., DECIDED, :]
    at_first = _ratio(of_readable, readable)
    at_first = np.nan_to_num(np.where(np.isnan(at_first[..., :1, :, :]), at_first, at_first[..., :1, :, :]))
    total = credits.sum(axis=-2)
    readability = _change(readable) * (at_first - first[..., UNREADABLE, :])
    tie_breaking = readable * _change(ties) * (first[..., TIED, :] - first[..., DECIDED, :])
    judgement = _change(total) - readability - tie_breaking
    return np.stack([readability, tie_breaking, judgement], axis=-3)


def gain_figures(totals: Totals, subsets: Sequence[str], means: Floats) -> dict[str, Floats]:
    """Return the split of every published figure, [.., sizes, 3]. It adds up, as figures are linear in means."""
    return totals(subsets, gain_parts(means))


def _change(values: Floats) -> Floats:
    """Return the change from the first size, on an axis of sizes that two others follow."""
    return values - values[..., :1, :, :]


def _ratio(part: Floats, whole: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = np.where(whole > 0, part / whole, np.nan)
    return ratio
