"""Graded answers and traces on their way into a snapshot: those of train and validation questions."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from schemas.preference import SETS, DropReason, Split
from schemas.tables import Table, table_of
from storage.stages import Stage
from storage.tables import BucketReader

WITHHELD = (DropReason.LICENSE.value, DropReason.CONTAMINATED.value)
"""Sets that are dropped for these reasons take their questions' answers with them."""


def answers_reader(
    table: Table, sources: Sequence[Stage], curated: Stage
) -> Callable[[str], tuple[pa.Table, pa.Array]]:
    """Return what reads a table of answers of all sources, on and on, as its rows may be published.

    It returns the rows of all queries before this id that were not returned before, by their ids, and their splits. An
    answer goes where its question's sets are; those to test questions go nowhere.
    """
    schema, own_id = table.schema, table.columns[0].name
    readers = [BucketReader(stage.paths(table.name), schema) for stage in sources]
    sets = BucketReader(curated.paths("sets"), SETS, ["query_id", "source", "split", "drop_reason"])

    def before(end: str) -> tuple[pa.Table, pa.Array]:
        answers = pa.concat_tables([schema.empty_table(), *(reader.before(end) for reader in readers)])
        keys = pl.DataFrame({name: pl.from_arrow(answers.column(name)) for name in ("query_id", "source", own_id)})
        splits = _splits_of_questions(pl.DataFrame(sets.before(end)))
        kept = keys.with_row_index("row").join(splits, on=["query_id", "source"]).sort("query_id", own_id)
        split = kept["split"].to_arrow().cast(pa.string())
        columns: dict[str, Any] = {"split": split} if "split" in schema.names else {}
        return table_of(schema, answers.take(kept["row"].to_arrow()), columns), split

    return before


def _splits_of_questions(sets: pl.DataFrame) -> pl.DataFrame:
    """Return query_id, source and split of the questions whose answers may be published: no test question's."""
    withheld = pl.col("drop_reason").is_in(WITHHELD).any().over("query_id", "source")
    return (
        sets.filter((pl.col("split") != Split.TEST.value) & ~withheld.fill_null(False))
        .select("query_id", "source", "split")
        .unique()
    )
