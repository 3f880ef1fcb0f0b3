"""Equal sets across sources: one is kept, and contradictions are kept out."""

from dataclasses import replace

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipelines.curation.deciding import duplicate_reasons
from schemas.preference import Response
from tests.examples import a_set

ROW = st.tuples(st.sampled_from("abc"), st.integers(0, 2), st.integers(0, 1), st.sampled_from([None, None, "tie"]))


def frame(rows: list[tuple[str, int, int | None, str | None]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "row": number,
                "set_id": set_id,
                "source_rank": rank,
                "source_id": str(number),
                "best": best,
                "label": None,
                "drop_reason": reason,
            }
            for number, (set_id, rank, best, reason) in enumerate(rows)
        ],
        schema_overrides={"label": pl.Int32, "best": pl.Int32, "drop_reason": pl.String},
    )


def test_the_first_source_in_the_recipe_keeps_an_equal_set() -> None:
    assert duplicate_reasons(frame([("a", 1, 0, None), ("a", 0, 0, None), ("b", 1, 0, None)])).to_list() == [
        "duplicate",
        None,
        None,
    ]


def test_sets_that_contradict_each_other_all_go() -> None:
    rows = [("a", 0, 0, None), ("a", 1, 1, None), ("a", 2, 0, None), ("b", 0, 0, None)]
    assert duplicate_reasons(frame(rows)).to_list() == ["label_conflict"] * 3 + [None]


def test_a_dropped_set_neither_contradicts_nor_repeats() -> None:
    rows = [("a", 0, None, "tie"), ("a", 1, 1, None)]
    assert duplicate_reasons(frame(rows)).to_list() == [None, None]


def test_the_order_of_a_sources_responses_hides_no_conflict() -> None:
    good, bad = Response("yes", 1.0), Response("no", 0.0)
    one = a_set(1, responses=[good, bad])
    same = a_set(1, responses=[bad, good])
    other = a_set(1, responses=[replace(bad, reward=1.0), replace(good, reward=0.0)])
    assert one.set_id == same.set_id == other.set_id
    rows = [(each.set_id, rank, each.best, None) for rank, each in enumerate((one, same))]
    assert duplicate_reasons(frame(rows)).to_list() == [None, "duplicate"]
    rows = [(each.set_id, rank, each.best, None) for rank, each in enumerate((one, other))]
    assert duplicate_reasons(frame(rows)).to_list() == ["label_conflict"] * 2


@given(st.lists(ROW, min_size=1, max_size=12))
def test_of_each_set_that_agrees_with_itself_one_row_stays_whatever_the_order(
    rows: list[tuple[str, int, int | None, str | None]],
) -> None:
    given = frame(rows)
    reasons = given.with_columns(reason=duplicate_reasons(given))
    kept = reasons.filter(pl.col("drop_reason").is_null() & pl.col("reason").is_null())
    assert kept["set_id"].is_unique().all()
    shuffled = given.sample(fraction=1.0, shuffle=True, seed=len(rows))
    again = shuffled.with_columns(reason=duplicate_reasons(shuffled)).sort("row")
    assert again["reason"].to_list() == reasons["reason"].to_list()
