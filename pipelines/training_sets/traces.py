"""Traces on their way into a snapshot: those of train and validation questions, in the order of their ids."""

from collections.abc import Iterator, Sequence

import polars as pl
import pyarrow as pa

from schemas.candidate import TRACES
from schemas.preference import SETS, DropReason, Split
from storage.stages import Stage
from storage.tables import read_table

WITHHELD = (DropReason.LICENSE.value, DropReason.CONTAMINATED.value)
"""Sets that are dropped for these reasons take their questions' traces with them."""
_BATCH = 4_096


def published_traces(sources: Sequence[Stage], curated: Stage) -> Iterator[tuple[pa.Table, pa.Array]]:
    """Yield the traces that may be published, sorted by (query_id, trace_id), a batch at a time with their splits.

    A trace goes where its question's sets are; those of test questions go nowhere.
    """
    table = pa.concat_tables([TRACES.empty_table(), *(read_table(one.paths("traces"), TRACES) for one in sources)])
    keys = pl.DataFrame({name: pl.from_arrow(table.column(name)) for name in ("query_id", "source", "trace_id")})
    kept = keys.with_row_index("row").join(splits_of_questions(curated), on=["query_id", "source"])
    for rows in kept.sort("query_id", "trace_id").iter_slices(_BATCH):
        yield table.take(rows["row"].to_arrow()), rows["split"].to_arrow().cast(pa.string())


def splits_of_questions(curated: Stage) -> pl.DataFrame:
    """Return query_id, source and split of the questions whose answers may be published: no test question's."""
    frame = pl.from_arrow(read_table(curated.paths("sets"), SETS, ["query_id", "source", "split", "drop_reason"]))
    assert isinstance(frame, pl.DataFrame)
    withheld = pl.col("drop_reason").is_in(WITHHELD).any().over("query_id", "source")
    return (
        frame.filter((pl.col("split") != Split.TEST.value) & ~withheld.fill_null(False))
        .select("query_id", "source", "split")
        .unique()
    )
