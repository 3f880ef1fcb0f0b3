"""What a set's samples say about each other, without its label: how far they agree, and by how much the vote is won.

Samples of a set vote together where they were drawn for the same purpose and in the same mode. Only readable ones vote.
The definitions are those of `grmforge evaluate`, so that what a signal is worth there holds for these columns.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.trajectory import SIGNALS

NAMES = [column.name for column in SIGNALS]


def signals_of(rows: pa.Table) -> dict[str, pa.Array]:
    """Return the SIGNALS of trajectories, a value a row.

    `rows` are of one purpose and hold whole sets: set_id, mode, order and scores. A value is null where the answer
    cannot be read, and for one response, which nothing stands against. Sums run in the order of rows, so that equal
    rows give equal bytes.
    """
    voting = pc.greater(pc.list_value_length(rows.column("scores")), 1)
    places = np.flatnonzero(np.asarray(pc.fill_null(voting, False)))
    if not len(places):
        return {name: pa.nulls(rows.num_rows, pa.float64()) for name in NAMES}
    votes = _Votes(rows.select(["set_id", "mode", "order", "scores"]).take(places))
    columns = (votes.agreement(), votes.margins(), votes.spreads())
    return {name: _at(places, values, rows.num_rows) for name, values in zip(NAMES, columns, strict=True)}


class _Votes:
    """Readable samples as flat arrays: a value for each response that a sample scores."""

    def __init__(self, rows: pa.Table) -> None:
        scores, order = (rows.column(name).combine_chunks() for name in ("scores", "order"))
        self.scores = scores.flatten().to_numpy().astype(np.float64)
        self.sizes = pc.list_value_length(scores).to_numpy()
        self.starts = np.cumsum(self.sizes) - self.sizes
        self.sample = np.repeat(np.arange(len(self.sizes)), self.sizes)
        together = pc.binary_join_element_wise(rows.column("set_id"), rows.column("mode"), "/").combine_chunks()
        self.group = together.dictionary_encode().indices.to_numpy()  # of each sample: those that vote together
        self.voters = np.bincount(self.group)
        self.width = int(self.sizes.max())
        # A cell is a response of a group.
        self.cell = self.group[self.sample] * self.width + order.flatten().to_numpy()

    def agreement(self) -> np.ndarray:
        """Return, of each sample, the share of its group that puts the same response on top; m on top count 1/m."""
        is_top = self.scores == np.maximum.reduceat(self.scores, self.starts)[self.sample]
        share = is_top / np.add.reduceat(is_top, self.starts)[self.sample]
        shares = np.bincount(self.cell, share)
        agreeing: np.ndarray = np.add.reduceat(share * shares[self.cell], self.starts) / self.voters[self.group]
        return agreeing

    def margins(self) -> np.ndarray:
        """Return, of each sample, how far its group's best mean score stands above the second best."""
        n_cells = len(self.voters) * self.width
        sums, counts = (np.bincount(self.cell, weights, n_cells) for weights in (self.scores, None))
        means = np.where(counts > 0, sums / np.maximum(counts, 1), -np.inf).reshape(-1, self.width)
        second, best = np.partition(means, -2, axis=1)[:, -2:].T
        margins: np.ndarray = (best - second)[self.group]
        return margins

    def spreads(self) -> np.ndarray:
        """Return the standard deviation of each sample's own scores."""
        sums, squares = (np.add.reduceat(values, self.starts) for values in (self.scores, self.scores**2))
        spreads: np.ndarray = np.sqrt(self.sizes * squares - sums**2) / self.sizes
        return spreads


def _at(places: np.ndarray, values: np.ndarray, rows: int) -> pa.Array:
    """Return a column that has these values at these places, and nulls elsewhere."""
    column, is_null = np.zeros(rows), np.ones(rows, bool)
    column[places], is_null[places] = values, False
    return pa.array(column, mask=is_null)
