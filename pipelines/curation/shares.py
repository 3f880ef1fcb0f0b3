"""Shares: how many sets each source may keep, and which of them go."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from schemas.errors import RecipeError
from schemas.record import content_id

Places = npt.NDArray[np.int64]


def share_hash(set_id: str) -> int:
    """Return the number by which a source's surplus is chosen: sets with larger ones leave first."""
    return int(content_id("share", set_id)[:16], 16)


def surplus(
    numbers: Places, ranks: npt.NDArray[np.int32], hashes: npt.NDArray[np.uint64], shares: Sequence[float]
) -> Places:
    """Return the numbers of the sets beyond their source's share of all kept sets.

    Of each kept set stand there its number, the place of its source in the recipe, and its `share_hash`.
    """
    counts = np.bincount(ranks, minlength=len(shares)).tolist()
    leaving = [numbers[:0]]
    for rank, (count, limit) in enumerate(zip(counts, allowed_rows(counts, shares), strict=True)):
        if limit < count:
            of_source = np.flatnonzero(ranks == rank)
            leaving.append(numbers[of_source[np.argsort(hashes[of_source], kind="stable")[limit:]]])
    return np.concatenate(leaving)


def allowed_rows(counts: Sequence[int], shares: Sequence[float]) -> list[int]:
    """Return how many rows each source may keep so that none exceeds its share of what is kept in all.

    Raises RecipeError when only capped sources are left and their shares do not add up to a whole.
    """
    limits = _rows_by_share(counts, shares)
    # Rounding down one source makes the whole smaller, and may put another one a row above its share of it.
    while over := [rank for rank, rows in enumerate(limits) if rows > shares[rank] * sum(limits) + 1e-9]:
        for rank in over:
            limits[rank] -= 1
    return limits


def _rows_by_share(counts: Sequence[int], shares: Sequence[float]) -> list[int]:
    capped: set[int] = set()
    while True:
        free = sum(count for rank, count in enumerate(counts) if rank not in capped)
        room = 1 - sum(shares[rank] for rank in capped)
        if capped and (room <= 0 or free == 0):
            raise RecipeError("sources: max_share of all sources together must leave room for one without it")
        total = free / room
        over = {rank for rank, count in enumerate(counts) if rank not in capped and count > shares[rank] * total + 1e-9}
        if not over:
            return [int(shares[rank] * total + 1e-9) if rank in capped else count for rank, count in enumerate(counts)]
        capped |= over
