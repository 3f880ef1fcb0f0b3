"""What the leak probe chooses among: responses of sets, responses as they were shown, and trajectories.

Samples are the first rows in the order of the tables, which is that of hashes: it has nothing to do with what the rows
say, and a larger source keeps the sample of a smaller one.
"""

from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from pipelines.curation.leak_features import CANDIDATES
from pipelines.judging.shown_text import Shown, response_text
from schemas.preference import PreferenceSet
from schemas.trajectory import JUDGED
from storage.stages import Stage
from storage.tables import read_batches

MOST_SETS = 2_000
MOST_CHARACTERS = 32_000_000
"""Of a sample: a character takes some 50 ns."""


_VERDICT = r"(?is)\A(.*)\bscores?[\s*_]*:.*\z"
"""The last scores and all that follows: how sure a verdict is of itself is no surface, but judgement."""


class Sample:
    """Candidates of one kind, up to a bound of sets and characters."""

    def __init__(self, ranked: bool) -> None:
        self.ranked = ranked
        self.sets = 0
        self._characters = 0
        self._columns: dict[str, list[object]] = {name: [] for name in CANDIDATES}

    @property
    def full(self) -> bool:
        return self.sets >= MOST_SETS or self._characters >= MOST_CHARACTERS

    def add(self, rows: Iterable[tuple[object, ...]]) -> None:
        """Add a set's candidates, each in the order of CANDIDATES, unless the sample is full."""
        if self.full:
            return
        self.sets += 1
        for row in rows:
            for column, value in zip(self._columns.values(), row, strict=True):
                column.append(value)
            self._characters += len(str(row[3]))

    def frame(self) -> pl.DataFrame:
        return pl.DataFrame(self._columns, schema=CANDIDATES)


def responses_of(preference: PreferenceSet, shown: Shown) -> Iterator[tuple[object, ...]]:
    """Yield a set's responses, each with its index in the set, as a judge is shown them."""
    yield from responses_as_shown(preference, shown, preference.set_id, range(preference.n_responses))


def responses_as_shown(
    preference: PreferenceSet, shown: Shown, group: str, order: Sequence[int]
) -> Iterator[tuple[object, ...]]:
    """Yield a set's responses, each with its position in one order."""
    asked = "\n".join(message.content for message in preference.query)
    for position, index in enumerate(order):
        response = preference.responses[index]
        right = preference.label == 1 if preference.best is None else index == preference.best
        text = response_text(response, shown)
        yield group, preference.cluster, right, text, asked, response.model, position, preference.n_responses


def trajectories_of(judged: Stage, marks: pl.DataFrame) -> pl.DataFrame:
    """Return trajectories of a judged table as candidates: before their verdict, with the position it scores highest.

    `marks` has a row a trajectory, in the table's order: group, cluster and right; those whose group is null are left
    out.
    """
    found = [pl.DataFrame(schema=CANDIDATES)]
    start = 0
    for batch in read_batches(judged.paths("judged"), JUDGED, ["text", "model", "scores", "n_responses"]):
        rows = pl.from_arrow(batch)
        assert isinstance(rows, pl.DataFrame)
        rows = rows.hstack(marks.slice(start, batch.num_rows)).filter(pl.col("group").is_not_null())
        start += batch.num_rows
        best = pl.col("scores").list.arg_max()
        rows = rows.with_columns(
            text=pl.col("text").str.replace(_VERDICT, "$1"),
            author="model",
            asked=pl.lit(None),
            position=best,
            places="n_responses",
        )
        found.append(rows.select(CANDIDATES.names()).cast(CANDIDATES))
    return pl.concat(found)
