"""Ids as numbers and words as codes: their order stays, and two ids that look alike are not taken for one."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.training_sets.compact import (
    DIGITS,
    REASONS,
    check_distinct,
    compacted,
    is_among,
    short_id,
    short_ids,
)
from schemas.errors import StorageError
from schemas.record import content_id
from schemas.trajectory import Outcome, RejectReason

IDS = st.lists(st.integers(0, 2**128 - 1).map(lambda number: f"{number:032x}"), unique_by=lambda one: one[:DIGITS])


@given(IDS)
def test_ids_as_numbers_keep_their_order(ids: list[str]) -> None:
    numbers = pl.DataFrame({"set_id": ids}, schema={"set_id": pl.String}).select(short_id("set_id")).to_series()
    assert numbers.dtype == pl.UInt64 and numbers.to_list() == short_ids(ids).tolist()
    assert [one for _, one in sorted(zip(numbers, ids, strict=True))] == sorted(ids)


@given(IDS, IDS)
def test_an_id_is_found_among_others(some: list[str], others: list[str]) -> None:
    known = pl.Series(short_ids(some)).sort()
    numbers = {one[:DIGITS] for one in some}
    assert is_among([*some, *others], known).tolist() == [one[:DIGITS] in numbers for one in (*some, *others)]


def test_rows_made_small_say_the_same_and_sort_the_same() -> None:
    words = ["zebra", "ant", "ant", "Zulu"]
    rows = pl.DataFrame(
        {
            "set_id": [content_id("set", number) for number in range(4)],
            "source": words,
            "outcome": ["tied", "correct", "failed", "unparsed"],
            "label": [None, 0, 1, None],
        }
    )
    small = compacted(rows, source=pl.Enum(sorted(set(words))))
    assert small["set_id"].dtype == pl.UInt64 and small["label"].to_list() == rows["label"].to_list()
    assert small["source"].cast(pl.String).equals(rows["source"]) and small["outcome"].dtype == REASONS
    for name in ("source", "outcome", "set_id"):
        assert small[name].arg_sort().equals(rows[name].arg_sort())


def test_every_outcome_and_reason_has_a_code() -> None:
    every = [one.value for one in (*Outcome, *RejectReason)]
    assert pl.Series(every).cast(REASONS).to_list() == every


def test_sets_whose_ids_begin_alike_are_an_error_that_says_so() -> None:
    ids = ["ab" * 8 + "00" * 8, "ab" * 8 + "11" * 8, "cd" * 16]
    check_distinct(pl.Series(short_ids(ids[1:])))
    with pytest.raises(StorageError, match=r"abababababababab.*leave one of them out"):
        check_distinct(pl.Series(short_ids(ids)))
