"""Preference sets: one best response or a reason for having none, and ids that rewards never touch."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.preference import (
    DropReason,
    LabelSource,
    PreferenceSet,
    Response,
    Split,
    preference_set,
    sets_of,
    sets_table,
)
from schemas.query import query_id, user
from schemas.record import is_blank


def set_of(responses: Sequence[Response], **settings: Any) -> PreferenceSet:
    known: dict[str, Any] = {
        "query": user("Which band is wider?"),
        "source": "own",
        "source_id": "own.jsonl:1",
        "source_revision": "0",
        "license": "CC0-1.0",
        "domain": "general",
        "label_source": LabelSource.HUMAN,
    }
    return preference_set(responses=responses, **(known | settings))


def rated(**rewards: float | None) -> list[Response]:
    return [Response(text, reward) for text, reward in rewards.items()]


texts = st.text(min_size=1).filter(lambda text: not is_blank(text))
unequal = st.lists(st.tuples(texts, st.integers(-100, 100)), min_size=2, max_size=6, unique_by=(lambda r: r[0]))


@given(unequal, st.randoms(use_true_random=False))
def test_the_order_of_a_source_never_shows(rows: list[tuple[str, int]], rng: Any) -> None:
    responses = [Response(text, float(reward)) for text, reward in rows]
    shuffled = rng.sample(responses, len(responses))
    assert set_of(responses) == set_of(shuffled)


@given(unequal, st.lists(st.integers(-100, 100), min_size=6, max_size=6))
def test_rewards_and_origins_never_touch_an_id(rows: list[tuple[str, int]], others: list[int]) -> None:
    one = set_of([Response(text, float(reward)) for text, reward in rows])
    other = set_of(
        [Response(text, float(r), model="m", origin="o", tokens=3) for (text, _), r in zip(rows, others, strict=False)],
        source="elsewhere",
        source_revision="1",
        license="MIT",
        reference="7",
    )
    assert (one.set_id, one.query_id) == (other.set_id, other.query_id)


@given(unequal)
def test_best_points_at_the_text_with_the_highest_reward(rows: list[tuple[str, int]]) -> None:
    made = set_of([Response(text, float(reward)) for text, reward in rows])
    first, second = sorted((reward for _, reward in rows), reverse=True)[:2]
    assert made.margin == first - second
    if first == second:
        assert (made.best, made.drop_reason) == (None, DropReason.TIE)
    else:
        assert made.drop_reason is None
        assert made.best is not None
        assert made.responses[made.best].text == next(text for text, reward in rows if reward == first)


def test_what_makes_a_response_is_part_of_the_id() -> None:
    plain = set_of(rated(a=1, b=0))
    assert set_of(rated(a=1, c=0)).set_id != plain.set_id
    assert set_of([Response("a", 1, reasoning="why"), Response("b", 0)]).set_id != plain.set_id
    assert set_of([Response("a", 1, turns="[]"), Response("b", 0)]).set_id != plain.set_id
    assert set_of(rated(a=1, b=0), query=user("Another?")).set_id != plain.set_id


def test_the_query_id_is_that_of_the_query() -> None:
    assert set_of(rated(a=1, b=0)).query_id == query_id(user("Which band is wider?"))


@pytest.mark.parametrize(
    ("responses", "reason"),
    [
        (rated(a=1, b=1), DropReason.TIE),
        (rated(a=2, b=2, c=1), DropReason.TIE),
        (rated(a=1), DropReason.TOO_FEW_RESPONSES),
        ([], DropReason.TOO_FEW_RESPONSES),
        (rated(a=1, b=None), DropReason.TOO_FEW_RESPONSES),
        (rated(a=1, b=math.nan), DropReason.TOO_FEW_RESPONSES),
        (rated(a=math.inf, b=math.inf), DropReason.TOO_FEW_RESPONSES),
        ([Response("a", 1), Response("a", 0)], DropReason.DUPLICATE_RESPONSES),
        ([Response("a", 1), Response(" \n", 0)], DropReason.EMPTY_RESPONSE),
        ([Response("")], DropReason.EMPTY_RESPONSE),
    ],
)
def test_a_set_without_one_best_response_says_why(responses: list[Response], reason: DropReason) -> None:
    made = set_of(responses)
    assert (made.best, made.drop_reason) == (None, reason)


def test_ties_below_the_top_do_not_matter() -> None:
    made = set_of(rated(a=1, b=1, c=2))
    assert made.drop_reason is None
    assert made.best == 2


def test_nearer_than_the_noise_is_uncertain_and_exactly_that_far_is_not() -> None:
    assert set_of(rated(a=4.5, b=4.25), min_margin=0.5).drop_reason is DropReason.UNCERTAIN
    assert set_of(rated(a=4.5, b=4.0), min_margin=0.5).drop_reason is None


@pytest.mark.parametrize("label", [0, 1])
def test_a_single_response_has_a_label_in_place_of_a_best(label: int) -> None:
    made = set_of([Response("a")], label=label)
    assert (made.best, made.label, made.margin, made.drop_reason) == (None, label, None, None)


def test_several_responses_have_no_label() -> None:
    assert set_of(rated(a=1, b=0), label=1).label is None


def test_the_first_reason_stays() -> None:
    tie = set_of(rated(a=1, b=1))
    assert tie.dropped(DropReason.DUPLICATE).drop_reason is DropReason.TIE
    assert set_of(rated(a=1, b=1), drop_reason=DropReason.CONTAMINATED).drop_reason is DropReason.CONTAMINATED
    assert set_of(rated(a=1, b=0)).dropped(DropReason.DUPLICATE).drop_reason is DropReason.DUPLICATE


def test_sets_survive_their_table() -> None:
    sets = [
        set_of(rated(a=1, b=0), split=Split.TEST, reference="a", benchmark=True),
        set_of([Response("a", reasoning="why", turns="[]", model="m", origin="o", tokens=3)], label=1),
        set_of(rated(a=1, b=1)),
        set_of([]),
    ]
    assert sets_of(sets_table(sets)) == sets
