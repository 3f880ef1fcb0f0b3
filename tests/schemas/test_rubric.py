"""Rubrics: checked when they are made, identified by what they say, the same after a table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.query import Message, user
from schemas.record import clean_text
from schemas.rubric import (
    MAX_CRITERIA,
    MAX_CRITERION,
    Criterion,
    CriterionDrop,
    CriterionKind,
    InvalidRubric,
    Origin,
    Rubric,
    RubricDrop,
    case_text,
    criterion,
    rubrics_of,
    rubrics_table,
)
from tests.rubrics import a_rubric


def test_a_criterion_is_its_text_and_a_rubric_its_criteria() -> None:
    assert criterion("Is  true.\n", 5, "rule") == criterion("Is true.", 5, CriterionKind.RULE)
    assert criterion("Is true.", 5, "rule").criterion_id == criterion("Is true.", 9, "principle").criterion_id
    assert a_rubric(1).rubric_id == a_rubric(1, panel=8, drop_reason=RubricDrop.INCONSISTENT).rubric_id
    assert a_rubric(1).rubric_id != a_rubric(1, points=6).rubric_id
    assert a_rubric(1).rubric_id != a_rubric(2).rubric_id


@pytest.mark.parametrize(
    ("text", "points", "kind", "reason"),
    [
        (" \n", 5, "rule", "empty_criterion"),
        ("x" * 100_000, 5, "rule", "criterion_too_long"),
        ("Is true.", 11, "rule", "points_out_of_range"),
        ("Is true.", -11, "pitfall", "points_out_of_range"),
        ("Is true.", 0, "rule", "points_out_of_range"),
        ("Is true.", 5.5, "rule", "points_out_of_range"),
        ("Is true.", True, "rule", "points_out_of_range"),
        ("Is true.", 10**500, "rule", "points_out_of_range"),
        ("Is true.", 5, "law", "unknown_kind"),
        ("Is false.", 5, "pitfall", "sign_of_points"),
        ("Is true.", -5, "principle", "sign_of_points"),
    ],
)
def test_a_criterion_that_cannot_be_one_says_why_in_a_line(text: str, points: int, kind: str, reason: str) -> None:
    with pytest.raises(InvalidRubric) as caught:
        criterion(text, points, kind)
    assert caught.value.reason == reason
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_rubric_needs_a_few_different_criteria_and_a_case() -> None:
    many = [criterion(f"Is {number}.", 1, "rule") for number in range(300)]
    for criteria, reason in (([], "no_criteria"), (many, "too_many_criteria"), (many[:1] * 2, "repeated_criterion")):
        with pytest.raises(InvalidRubric) as caught:
            a_rubric(1, criteria=criteria)
        assert caught.value.reason == reason
    with pytest.raises(InvalidRubric, match="no_case"):
        a_rubric(1, case=" ")
    assert len(a_rubric(1, criteria=many[:MAX_CRITERIA]).criteria) == MAX_CRITERIA


def test_emoji_right_to_left_text_and_lone_surrogates_are_texts() -> None:
    said = criterion("يذكر المصدر 📡 \ud800", 5, "rule")
    assert said.text == "يذكر المصدر 📡 \ufffd"
    one = a_rubric(1, criteria=[said])
    assert rubrics_of(rubrics_table([one])) == [one]


def test_only_what_is_not_dropped_is_kept() -> None:
    used, dropped = criterion("a", 1, "rule"), criterion("b", 1, "rule", drop_reason=CriterionDrop.MET_BY_ALL)
    assert a_rubric(1, criteria=[used, dropped]).kept == (used,)
    assert a_rubric(1, criteria=[used], drop_reason=RubricDrop.INCONSISTENT).kept == ()


def test_a_case_is_the_turns_and_the_short_responses_in_their_order() -> None:
    query = (Message("system", "be brief"), *user("Which?"))
    assert case_text(query, ["b", "a", "x" * 1_000]) == "Which?\na\nb"


TEXTS = st.text(min_size=1, max_size=60).filter(lambda text: any(map(str.isalnum, clean_text(text))))


@st.composite
def criteria(draw: st.DrawFn) -> Criterion:
    kind = draw(st.sampled_from(CriterionKind))
    points = draw(st.integers(1, 10)) * (-1 if kind == CriterionKind.PITFALL else 1)
    return criterion(
        draw(TEXTS),
        points,
        kind,
        tags=draw(st.lists(st.text(max_size=5), max_size=3)),
        origin=draw(st.sampled_from(["", "a model"])),
        hit_rate=draw(st.none() | st.floats(0, 1)),
        label_consistency=draw(st.none() | st.floats(0, 1)),
        drop_reason=draw(st.none() | st.sampled_from(CriterionDrop)),
    )


@given(st.lists(st.lists(criteria(), min_size=1, max_size=4, unique_by=lambda one: one.criterion_id), max_size=4))
def test_records_survive_a_table(parts: list[list[Criterion]]) -> None:
    rubrics: list[Rubric] = [
        a_rubric(number, criteria=part, origin=Origin.SEED, drop_reason=[None, RubricDrop.NO_CRITERIA][number % 2])
        for number, part in enumerate(parts)
    ]
    assert rubrics_of(rubrics_table(rubrics)) == rubrics
    assert all(len(one.text) <= MAX_CRITERION for part in parts for one in part)
