"""Whole columns of a table: rows replaced, and texts searched."""

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

import schemas.first_array  # noqa: F401 - it spares every command the import of pandas
from schemas.thoughts import MARKS, MAY_HOLD_THOUGHTS


def replaced(column: pa.ChunkedArray, mask: pa.ChunkedArray, values: pa.Array) -> pa.ChunkedArray:
    """Return the column with these values, in their order, in the rows where the mask is true."""
    places = np.arange(len(column))
    places[mask.to_numpy()] = len(column) + np.arange(len(values))
    return pa.chunked_array([*column.chunks, values]).take(places)


def may_hold_thoughts(texts: pl.Series) -> pl.Series:
    """Return the numbers of the texts that may hold thoughts: `split_thoughts` changes no other."""
    text = pl.col(texts.name).str
    signs = "".join(mark for mark in MARKS if len(mark) == 1).replace("[", r"\[")
    words = [text.contains(mark, literal=True) for mark in MARKS if len(mark) > 1]
    places = texts.to_frame().select(pl.any_horizontal(text.contains(f"[{signs}]"), *words)).to_series().arg_true()
    return places.filter(texts.gather(places).str.contains(MAY_HOLD_THOUGHTS))


def joined(first: pa.ChunkedArray, second: pa.ChunkedArray) -> pa.ListArray:
    """Return each row's two lists as one."""
    lists = [flat_list(first), flat_list(second)]
    sizes = [pc.list_value_length(one).to_numpy() for one in lists]
    rows = np.arange(len(first))
    row_of = np.concatenate([np.repeat(rows, size) for size in sizes])
    order = np.argsort(row_of, kind="stable")  # of one row, what stands in the first list comes first
    values = pa.concat_arrays([one.flatten() for one in lists]).take(pa.array(order))
    offsets = np.concatenate([[0], np.cumsum(sizes[0] + sizes[1])])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)


def flat_list(column: pa.ChunkedArray) -> pa.ListArray:
    """Return a column of lists in one piece."""
    array: pa.ListArray = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    return array
