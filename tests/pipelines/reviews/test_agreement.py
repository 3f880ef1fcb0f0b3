"""Agreement: figures checked by hand, by scikit-learn and by a published example; weights; what says nothing."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import cohen_kappa_score

from pipelines.reviews.agreement import between_people, by_source, set_weights, with_others


def found(*people: Sequence[str | None], sources: str = "", strata: Sequence[tuple[int, int]] = ()) -> pl.DataFrame:
    """Return reviews: what each person found of each set; None where a person did not review it."""
    sets = range(len(people[0]))
    return pl.DataFrame(
        [
            {
                "set_id": f"set {number:04}", "reviewer": person, "category": categories[number],
                "source": sources[number] if sources else "own", "draw_id": "draw",
                "stratum": strata[number][0] if strata else 1, "stratum_size": strata[number][1] if strata else 100,
            }
            for person, categories in enumerate(people, 1)
            for number in sets
            if categories[number] is not None
        ]
    )  # fmt: skip


def labels(categories: Sequence[str]) -> pl.DataFrame:
    ids = [f"set {number:04}" for number in range(len(categories))]
    return pl.DataFrame({"set_id": ids, "other_category": list(categories)})


def test_kappa_by_hand() -> None:
    """Ten sets: both say 1 of four and 2 of three; they differ in three. Same .7; by chance .5 x .6 + .5 x .4 = .5."""
    first, second = "1111122222", "1111211222"
    (pair,) = between_people(found(first, second))["pairs"]
    assert pair["reviewers"] == [1, 2] and pair["sets"] == 10
    assert pair["raw"]["same"] == 0.7
    assert pair["raw"]["kappa"] == 0.4
    assert pair["raw"]["kappa"] == round(cohen_kappa_score(list(first), list(second)), 4)


def test_kappa_is_that_of_scikit_learn_and_holds_it_in_its_interval() -> None:
    rng = np.random.default_rng(3)
    first = rng.choice(["1", "2", "3", "tie"], 200)
    second = np.where(rng.random(200) < 0.7, first, rng.choice(["1", "2", "3", "tie"], 200))
    (pair,) = between_people(found(first.tolist(), second.tolist()))["pairs"]
    assert pair["raw"]["kappa"] == round(cohen_kappa_score(first, second), 4)
    low, high = pair["raw"]["kappa_interval"]
    assert low < pair["raw"]["kappa"] < high and 0.1 < high - low < 0.3


def test_alpha_of_a_published_example() -> None:
    """Krippendorff (2011), "Computing Krippendorff's alpha-reliability", example C: nominal data, four observers."""
    rows = [
        "1 2 3 3 2 1 4 1 2 . . .", "1 2 3 3 2 2 4 1 2 5 . 3", ". 3 3 3 2 3 4 2 2 5 1 .", "1 2 3 3 2 4 4 1 2 5 1 .",
    ]  # fmt: skip
    people = [[None if value == "." else value for value in row.split()] for row in rows]
    alpha = between_people(found(*people))["alpha"]
    assert alpha["sets"] == 11, "one unit has one value, and pairs with none"
    assert alpha["raw"]["alpha"] == pytest.approx(0.743, abs=5e-4)


def test_a_set_that_several_reviewed_counts_once_beside_its_label() -> None:
    """Of set 0 one of two finds the label's response: half; of set 1 the one person does."""
    agreed = with_others(found(["1", "2"], ["2", None]), labels("12"))
    assert agreed["sets"] == 2 and agreed["raw"]["same"] == 0.75


def test_weights_go_back_to_the_source() -> None:
    """Stratum 1 has 90 sets, of which one was reviewed; stratum 2 has 10, of which four were: all wrong."""
    strata = [(1, 90), (2, 10), (2, 10), (2, 10), (2, 10)]
    agreed = with_others(found("12222", strata=strata), labels("11111"))
    assert agreed["raw"]["same"] == 0.2
    assert agreed["weighted"]["same"] == 0.9
    weights = set_weights(found("12222", strata=strata))
    assert weights.tolist() == [90.0, 2.5, 2.5, 2.5, 2.5]


def test_draws_count_by_their_sets() -> None:
    """Two draws of the same 100 sets: three of one, one of the other."""
    sets = found("1111").with_columns(draw_id=pl.Series(["a", "a", "a", "b"]))
    assert set_weights(sets).tolist() == pytest.approx([25.0, 25.0, 25.0, 25.0])


def test_where_all_agree_the_interval_is_no_point() -> None:
    agreed = with_others(found("12" * 10), labels("12" * 10))
    low, high = agreed["raw"]["same_interval"]
    assert agreed["raw"]["same"] == 1.0 and high == 1.0 and 0.8 < low < 0.9
    low, high = agreed["raw"]["kappa_interval"]
    assert agreed["raw"]["kappa"] == 1.0 and high == 1.0 and 0.6 < low < 0.8


def test_what_says_nothing_is_none() -> None:
    assert with_others(found("12"), labels("12").clear())["raw"] is None
    assert between_people(found("12"))["alpha"] is None
    assert between_people(found("12")) == {"reviewers": 1, "pairs": [], "alpha": None}
    (pair,) = between_people(found("11", "11"))["pairs"]
    assert pair["raw"]["same"] == 1.0 and pair["raw"]["kappa"] is None, "chance alone makes all the same"


def test_each_source_has_its_own() -> None:
    parts = by_source(found("1212", sources="aabb"), lambda rows: with_others(rows, labels("1221")))
    assert {source: part["raw"]["same"] for source, part in parts.items()} == {"a": 1.0, "b": 0.0}


def test_the_interval_of_a_share_holds_the_truth() -> None:
    """Of 60 samples of 150 sets, about 95 % of the intervals hold the true share .8."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(60):
        same = rng.random(150) < 0.8
        agreed = with_others(found(["1" if one else "2" for one in same]), labels("1" * 150))
        low, high = agreed["raw"]["same_interval"]
        held += low <= 0.8 <= high
    assert 53 <= held <= 60
