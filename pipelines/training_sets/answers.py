"""Graded answers on their way into a snapshot: those of train and validation questions, a table a verdict."""

from collections.abc import Iterator, Sequence

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.training_sets.traces import splits_of_questions
from schemas.candidate import GRADED, GRADED_VERDICTS
from storage.stages import Stage
from storage.tables import BucketReader


class GradedAnswers:
    """The graded answers of all sources, read on and on, as they may be published."""

    def __init__(self, sources: Sequence[Stage], curated: Stage) -> None:
        self._readers = [BucketReader(one.paths("answers"), GRADED) for one in sources if one.paths("answers")]
        self._splits = splits_of_questions(curated) if self._readers else None

    def through(self, bucket: int) -> Iterator[tuple[str, pa.Table]]:
        """Yield (verdict, rows) of all buckets up to this one that were not returned before, sorted by their ids.

        An answer goes where its question's sets are; those to test questions go nowhere.
        """
        if self._splits is None:
            return
        table = pa.concat_tables([reader.through(bucket) for reader in self._readers])
        keys = pl.DataFrame({name: pl.from_arrow(table.column(name)) for name in ("query_id", "source", "answer_id")})
        kept = keys.with_row_index("row").join(self._splits, on=["query_id", "source"]).sort("query_id", "answer_id")
        rows = table.take(kept["row"].to_arrow())
        splits = kept["split"].to_arrow().cast(pa.string())
        rows = rows.set_column(rows.schema.get_field_index("split"), GRADED.field("split"), splits)
        for verdict in GRADED_VERDICTS:
            yield verdict.value, rows.filter(pc.equal(rows.column("verdict"), verdict.value))
