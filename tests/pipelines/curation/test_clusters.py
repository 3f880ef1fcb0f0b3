"""Clusters: near-duplicates together, strangers apart, in whatever order they come."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.curation.splits import clusters
from schemas.record import content_id
from tests.examples import question

LONG = "Which of the following best describes the role of the serving gateway in the evolved packet core of 3GPP"


def test_near_duplicates_share_a_cluster_named_after_the_smallest_id() -> None:
    found = clusters(
        ["c", "a", "b", "d"],
        [f"{LONG} release 12?", f"{LONG.upper()}  release 11?", f"{LONG} release 13?", question(1)],
    )
    assert found == {"a": "a", "b": "a", "c": "a", "d": "d"}


def test_blank_and_short_texts_do_not_break_it() -> None:
    assert clusters(["a", "b", "c"], ["", "  \n", "x"]) == {"a": "a", "b": "a", "c": "c"}
    assert clusters([], []) == {}


@settings(max_examples=25)
@given(st.permutations(range(12)))
def test_the_order_of_queries_changes_nothing(order: list[int]) -> None:
    texts = [f"{LONG} release {number}?" if number % 3 else question(number) for number in range(12)]
    ids = [f"{(number * 7) % 12:02}" for number in range(12)]
    expected = clusters(ids, texts)
    assert clusters([ids[number] for number in order], [texts[number] for number in order]) == expected
    assert set(expected) == set(ids)
    assert all(expected[cluster] == cluster for cluster in expected.values())


def test_thousands_of_queries_from_one_template_take_no_time_in_proportion_to_their_square() -> None:
    ids = [content_id("templated", number) for number in range(20_000)]
    started = time.process_time()
    found = clusters(ids, [f"Question {number}: which of these answers is the right one?" for number in range(20_000)])
    assert time.process_time() - started < 20  # all pairs would take minutes
    assert len(set(found.values())) < 20
