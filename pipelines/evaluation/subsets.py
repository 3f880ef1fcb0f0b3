"""Random subsets of the samples of every prompt, drawn so that averages over them vary little.

Each prompt's samples are shuffled a few times. The subsets of size k are the windows of k neighbours in each shuffled
circle, one from every start. Each window is a uniformly random subset, and each sample is in equally many windows. So
for a row with one prompt k = 1 and k = all are exact. The prompts of a row are shuffled apart: their pools are apart.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipelines.evaluation.arrays import Flags, Floats, Integers, empty_votes, readable_samples


def sample_orders(rows: int, prompts: int, samples: int, shuffles: int, seed: int) -> Integers:
    """Return shuffled sample indices, int16 [rows, prompts, shuffles, samples]."""
    indices = np.broadcast_to(np.arange(samples, dtype=np.int16), (rows, prompts, shuffles, samples))
    shuffled: Integers = np.random.default_rng(seed).permuted(indices, axis=-1)
    return shuffled


def window_votes(
    pool: npt.NDArray[np.floating], orders: Integers, sizes: Sequence[int], *, readable_only: bool = False
) -> tuple[Floats, Floats]:
    """Return the votes of all windows, [rows, sizes, draws, prompts, shown], and each draw's weight, [rows, draws].

    With `readable_only` the circle holds the readable samples alone, and a size above their number means all of them.
    Such a circle has fewer starts than draws: the draws beyond have weight 0.
    """
    rows, prompts, samples, shown = pool.shape
    shuffles = orders.shape[2]
    by_prompt = orders.swapaxes(0, 1)  # [prompts, rows, shuffles, samples], as all that follows
    readable = np.take_along_axis(readable_samples(pool).swapaxes(0, 1)[:, :, None], by_prompt, axis=3)
    period = np.full((prompts, rows, shuffles), samples)
    weights = np.ones((rows, shuffles, samples))
    if readable_only:
        first = np.argsort(~readable, axis=-1, kind="stable")
        by_prompt, readable = np.take_along_axis(by_prompt, first, axis=3), np.take_along_axis(readable, first, axis=3)
        period = readable.sum(axis=-1)
        weights = (np.arange(samples) < np.maximum(period.max(axis=0), 1)[..., None]).astype(np.float64)
    twice_around = np.arange(2 * samples) % np.maximum(period, 1)[..., None]
    circle = np.take_along_axis(by_prompt, twice_around, axis=3)
    present = np.take_along_axis(readable, twice_around, axis=3)
    # Scores of 0 where unreadable, with the responses on the first axis: the steps below add long runs of memory.
    values = np.nan_to_num(pool).astype(np.float64).transpose(3, 1, 0, 2)
    scores = np.take_along_axis(values[:, :, :, None], circle[None], axis=4)
    sums = np.zeros((shown, prompts, rows, shuffles, samples))
    counts = np.zeros((prompts, rows, shuffles, samples))
    votes = empty_votes(rows, len(sizes), shuffles * samples, prompts, shown)
    for step in range(max(sizes)):
        within: Flags = present[..., step : step + samples]
        added = scores[..., step : step + samples]
        if readable_only:  # a circle may be shorter than the step
            within = within & (step < period)[..., None]
            added = added * within
        sums += added
        counts += within
        if step + 1 in sizes:
            with np.errstate(invalid="ignore"):
                means = (sums / counts).reshape(shown, prompts, rows, -1)
            votes[:, sizes.index(step + 1)] = means.transpose(2, 3, 1, 0)
    return votes, weights.reshape(rows, -1)


def subset_votes(
    pool: npt.NDArray[np.floating], size: int, *, shuffles: int = 1, seed: int = 0, readable_only: bool = False
) -> Floats:
    """Return the votes of subsets of one size, [rows, draws, prompts, shown]; a draw of weight 0 repeats another."""
    rows, prompts, samples, _ = pool.shape
    orders = sample_orders(rows, prompts, samples, shuffles, seed)
    return window_votes(pool, orders, [size], readable_only=readable_only)[0][:, 0]
