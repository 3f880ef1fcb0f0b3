"""The reviews of a root: one file for each import, whole or not at all.

reviews/<number>-<hash>.parquet
"""

from collections.abc import Sequence

import polars as pl
import pyarrow as pa

from schemas.errors import DamagedError
from schemas.record import content_id
from schemas.review import REVIEWS
from storage.root import Root
from storage.tables import add_numbered, read_folder

FOLDER = "reviews"


def every_review(root: Root) -> pl.DataFrame:
    """Return all rows of REVIEWS as they were imported, the earliest import first. Most roots have none."""
    try:
        return pl.DataFrame(read_folder(root, FOLDER, REVIEWS))
    except DamagedError as error:
        raise DamagedError(str(error).replace("build again", "import its reviews again")) from None


def latest_reviews(rows: pl.DataFrame, by: Sequence[str] = ("reviewer", "set_id")) -> pl.DataFrame:
    """Return one row for each person and set: the answer that was given last."""
    answered = rows.filter(pl.col("choice").is_not_null()).with_row_index("row")
    return answered.sort("at", "row").unique(by, keep="last", maintain_order=True).sort("row").drop("row")


def add_reviews(root: Root, rows: pl.DataFrame) -> None:
    """Keep rows of REVIEWS, in their order."""
    table = rows.select(REVIEWS.names).to_arrow().cast(REVIEWS)
    columns = [column.cast(pa.string()) for column in table.select(["set_id", "reviewer", "choice", "at"]).columns]
    content = content_id("reviews", [column.to_pylist() for column in columns])
    add_numbered(root, FOLDER, table, content)
