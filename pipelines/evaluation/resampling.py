"""Clusters of rows, and what becomes of the means of subsets when clusters are drawn anew or change their sign.

Rows that share a query are one cluster, and a cluster is drawn whole. A replicate draws from each subset apart: how
many queries a benchmark's subset has is its design, not chance. From n clusters it draws n - 1, with replacement. So
the variance over replicates has no bias, which counts in subsets of a few clusters.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pipelines.evaluation.arrays import Floats, Integers

_AT_ONCE = 1 << 20
"""Weights in memory together: clusters times replicates."""
_REPLICATES_AT_ONCE = 100


class Clusters:
    """Which cluster and which subset each row belongs to."""

    def __init__(self, clusters: Sequence[str], subsets: Sequence[str]) -> None:
        cluster_names, self._cluster_of_row = np.unique(np.asarray(clusters), return_inverse=True)
        names, subset_of_row = np.unique(np.asarray(subsets), return_inverse=True)
        self.subsets: tuple[str, ...] = tuple(str(name) for name in names)
        self.count = len(cluster_names)
        entries, self._entry_of_row = np.unique(
            subset_of_row.astype(np.int64) * self.count + self._cluster_of_row, return_inverse=True
        )
        self._cluster_of_entry: Integers = entries % self.count
        self._first_entry: Integers = np.searchsorted(entries, np.arange(len(names) + 1) * self.count)
        self._n_entries = len(entries)
        self._drawn_with: tuple[int, int] | None = None
        self._often = np.empty((0, self.count), np.uint8)

    def count_in(self, subsets: Sequence[int]) -> int:
        """Return how many clusters have a row in any of these subsets."""
        return len(np.unique(np.concatenate([self._cluster_of_entry[self._entries(one)] for one in subsets])))

    def means(self, values: Floats) -> Floats:
        """Return the means of the subsets: values [rows, columns, cells] to [columns, subsets, cells].

        NaN is left out: the mean of a column is that of the rows that have it.
        """
        means: Floats = next(self._means(values, iter([np.ones((1, self.count))])))[0]
        return means

    def replicates(self, values: Floats, count: int, seed: int) -> Iterator[Floats]:
        """Yield the means of `count` replicates in chunks, [replicates, columns, subsets, cells]."""
        return self._means(values, self.weights(count, seed))

    def parts(self, values: Floats) -> Iterator[Floats]:
        """Yield what each cluster adds to the means, in chunks [clusters, columns, subsets, cells]."""
        blocks = ((np.arange(self.count) == own[:, None]).astype(np.float64) for own in self._own_chunks())
        return self._means(values, blocks, of_all=True)

    def weights(self, count: int, seed: int) -> Iterator[Floats]:
        """Yield how often each cluster stands in each of `count` replicates, in chunks [replicates, clusters]."""
        if self._drawn_with != (count, seed):
            self._drawn_with, self._often = (count, seed), self._draw(count, seed)
        start = 0
        for size in chunk_sizes(count, self.count):
            yield self._often[start : start + size] * self._weight_of_one
            start += size

    def _draw(self, count: int, seed: int) -> npt.NDArray[np.uint8]:
        """Return how often each cluster is drawn, [replicates, clusters]. It is kept for all figures of the rows."""
        drawn = np.random.default_rng(seed)
        often = np.ones((count, self.count), np.uint8)
        for members in self._strata:
            n = len(members)
            for start in range(0, count, _REPLICATES_AT_ONCE) if n > 1 else ():
                size = min(_REPLICATES_AT_ONCE, count - start)
                picked = drawn.integers(0, n, size=(size, n - 1), dtype=np.int32)
                picked += np.arange(size, dtype=np.int32)[:, None] * n
                counts = np.bincount(picked.ravel(), minlength=size * n).reshape(size, n)
                often[start : start + size, members] = counts
        return often

    @cached_property
    def _weight_of_one(self) -> Floats:
        """The weight of one draw of each cluster: n - 1 draws stand for n clusters."""
        weight = np.ones(self.count)
        for members in self._strata:
            weight[members] = len(members) / max(len(members) - 1, 1)
        return weight

    def row_weights(self, weights: Floats) -> Floats:
        """Return the weights of rows, [replicates, rows], of those of clusters."""
        by_row: Floats = weights[:, self._cluster_of_row]
        return by_row

    def _own_chunks(self) -> Iterator[Integers]:
        start = 0
        for size in chunk_sizes(self.count, self.count):
            yield np.arange(start, start + size)
            start += size

    @cached_property
    def _strata(self) -> list[Integers]:
        """The clusters that are drawn from together: those whose first subset is the same."""
        _, first = np.unique(self._cluster_of_entry, return_index=True)
        subset = np.searchsorted(self._first_entry, first, side="right") - 1
        return [np.flatnonzero(subset == one) for one in np.unique(subset)]

    def _entries(self, subset: int) -> slice:
        return slice(int(self._first_entry[subset]), int(self._first_entry[subset + 1]))

    def _means(self, values: Floats, weights: Iterator[Floats], of_all: bool = False) -> Iterator[Floats]:
        rows, columns, cells = values.shape
        flat = values.reshape(rows, -1)
        present = ~np.isnan(flat)
        counted = present if not present.all() else present[:, :1]
        sums = self._by_entry(np.where(present, flat, 0.0))
        counts = self._by_entry(counted.astype(np.float64))
        for weight in weights:
            means = np.empty((len(weight), len(self.subsets), columns * cells))
            for subset in range(len(self.subsets)):
                entries = self._entries(subset)
                chosen = weight[:, self._cluster_of_entry[entries]]
                whole = counts[entries].sum(axis=0) if of_all else chosen @ counts[entries]
                with np.errstate(divide="ignore", invalid="ignore"):
                    means[:, subset] = chosen @ sums[entries] / whole
            yield means.reshape(len(weight), len(self.subsets), columns, cells).swapaxes(1, 2)

    def _by_entry(self, values: Floats) -> Floats:
        order = np.argsort(self._entry_of_row, kind="stable")
        starts = np.searchsorted(self._entry_of_row[order], np.arange(self._n_entries))
        sums: Floats = np.add.reduceat(values[order], starts, axis=0)
        return sums


def chunk_sizes(count: int, clusters: int) -> Iterator[int]:
    """Yield how many replicates at a time fit in memory."""
    size = max(1, _AT_ONCE // clusters)
    for start in range(0, count, size):
        yield min(size, count - start)
