"""Graded answers and traces on their way into a snapshot: those of train and validation questions."""

from collections.abc import Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from schemas.preference import SETS, DropReason, Split
from schemas.tables import Table, table_of
from storage.stages import Stage
from storage.tables import BucketReader, read_frame

WITHHELD = (DropReason.LICENSE.value, DropReason.CONTAMINATED.value)
"""Sets that are dropped for these reasons take their questions' answers with them."""


class AnswerRows:
    """A table of answers of all sources, read on and on, as its rows may be published."""

    def __init__(self, table: Table, sources: Sequence[Stage], splits: pl.DataFrame) -> None:
        self._schema = table.schema
        self._id = table.columns[0].name
        self._readers = [BucketReader(stage.paths(table.name), table.schema) for stage in sources]
        self._splits = splits

    def through(self, bucket: int) -> tuple[pa.Table, pa.Array]:
        """Return the rows of all buckets up to this one that were not returned before, by their ids, and their splits.

        An answer goes where its question's sets are; those to test questions go nowhere.
        """
        table = pa.concat_tables([self._schema.empty_table(), *(reader.through(bucket) for reader in self._readers)])
        keys = pl.DataFrame({name: pl.from_arrow(table.column(name)) for name in ("query_id", "source", self._id)})
        kept = keys.with_row_index("row").join(self._splits, on=["query_id", "source"]).sort("query_id", self._id)
        splits = kept["split"].to_arrow().cast(pa.string())
        rows = table.take(kept["row"].to_arrow())
        given: dict[str, Any] = {"split": splits} if "split" in self._schema.names else {}
        return table_of(self._schema, rows, given), splits


def splits_of_questions(curated: Stage) -> pl.DataFrame:
    """Return query_id, source and split of the questions whose answers may be published: no test question's."""
    withheld = pl.col("drop_reason").is_in(WITHHELD).any().over("query_id", "source")
    return (
        read_frame(curated.paths("sets"), SETS, ["query_id", "source", "split", "drop_reason"])
        .filter((pl.col("split") != Split.TEST.value) & ~withheld.fill_null(False))
        .select("query_id", "source", "split")
        .unique()
    )
