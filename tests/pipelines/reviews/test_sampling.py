"""Which sets people look at: every stratum, more of it where labels are suspect, and the same ones each time."""

import polars as pl
import pytest

from pipelines.reviews.sampling import SUSPICION, draw, with_suspicion


def sets(count: int, suspicion: float | None, source: str = "telecom") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "set_id": [f"{source}-{suspicion}-{number}" for number in range(count)],
            "source": [source] * count,
            "label_suspicion": pl.Series([suspicion] * count, dtype=pl.Float64),
        }
    )


SETS = pl.concat([sets(900, 0.01), sets(80, 0.3), sets(20, 0.9), sets(50, None, "books")])


def by_stratum(drawn: pl.DataFrame) -> dict[str, tuple[int, int]]:
    return {
        stratum: (size, rows) for stratum, size, rows in drawn.group_by("stratum", "stratum_size").len().iter_rows()
    }


def test_every_stratum_is_looked_at_and_the_suspect_ones_more_closely() -> None:
    drawn = draw(with_suspicion(SETS), 60, 7, ["source", SUSPICION])
    found = by_stratum(drawn)
    assert set(found) == {
        "telecom / under .05", "telecom / .2 to .5", "telecom / .5 and more", "books / not judged"
    }  # fmt: skip
    shares = {stratum: rows / size for stratum, (size, rows) in found.items()}
    assert min(rows for _, rows in found.values()) >= 2
    assert shares["telecom / .5 and more"] > shares["telecom / under .05"]
    assert drawn.height == drawn["set_id"].n_unique() == 60


def test_weights_add_up_to_the_sets() -> None:
    drawn = draw(with_suspicion(SETS), 60, 7, ["source", SUSPICION])
    totals = drawn.group_by("source").agg(pl.col("weight").sum().round(6)).sort("source")
    assert totals.rows() == [("books", 50.0), ("telecom", 1000.0)]
    assert all(row["weight"] == row["stratum_size"] / row["stratum_drawn"] for row in drawn.to_dicts())


def test_the_draw_follows_from_the_seed_and_the_ids_alone() -> None:
    frame = with_suspicion(SETS)
    drawn = draw(frame, 40, 7, ["source"])
    assert draw(frame.reverse(), 40, 7, ["source"])["set_id"].to_list() == drawn["set_id"].to_list()
    assert draw(frame, 40, 8, ["source"])["set_id"].to_list() != drawn["set_id"].to_list()


def test_strata_without_a_column_are_drawn_as_one() -> None:
    drawn = draw(SETS.drop("label_suspicion"), 10, 0, [])
    assert by_stratum(drawn) == {"all": (1050, 10)}


@pytest.mark.parametrize("n", [1, 2, 3, 5, 7])
def test_with_fewer_draws_than_strata_small_ones_are_one_together(n: int) -> None:
    drawn = draw(with_suspicion(SETS), n, 3, ["source", SUSPICION])
    assert drawn.height == n
    assert drawn["weight"].sum() == pytest.approx(SETS.height)


def test_all_sets_are_drawn_where_more_are_wanted() -> None:
    drawn = draw(with_suspicion(SETS), 5000, 0, ["source", SUSPICION])
    assert drawn.height == SETS.height
    assert set(drawn["weight"]) == {1.0}


def test_no_sets_give_no_draw() -> None:
    drawn = draw(with_suspicion(SETS.clear()), 10, 0, ["source", SUSPICION])
    assert drawn.is_empty()
    assert {"stratum", "stratum_size", "stratum_drawn", "weight"} <= set(drawn.columns)
