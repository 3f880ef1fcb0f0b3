"""The library: what is searched, and what a question's own cluster brought into it."""

from dataclasses import replace

from pipelines.rubrics.library import Library
from schemas.rubric import CriterionDrop, Origin, RubricDrop, criterion
from storage.rubric_pools import Pool
from tests.rubrics import a_rubric

SHARED = criterion("Is true.", 9, "rule").criterion_id


def test_every_case_and_every_unique_criterion_of_a_domain_is_an_entry() -> None:
    library = Library([a_rubric(1), a_rubric(2), a_rubric(3, domain="math")])
    assert len(library.entries[Pool.CASES]) == 3
    shared = [entry for entry in library.entries[Pool.CRITERIA].values() if entry.key == SHARED]
    assert sorted(entry.domain for entry in shared) == ["math", "telecom"]
    assert len(library.entries[Pool.CRITERIA]) == 3 + 2


def test_what_is_dropped_is_in_no_pool() -> None:
    dropped = criterion("Is nice.", 1, "rule", drop_reason=CriterionDrop.MET_BY_ALL)
    library = Library(
        [a_rubric(1, drop_reason=RubricDrop.INCONSISTENT), a_rubric(2, criteria=[dropped, criterion("b", 1, "rule")])]
    )
    assert [entry.text for entry in library.entries[Pool.CASES].values()] == ["question 2"]
    assert [entry.text for entry in library.entries[Pool.CRITERIA].values()] == ["b"]


def test_the_content_does_not_depend_on_the_order_and_changes_with_what_can_be_found() -> None:
    assert Library([a_rubric(1), a_rubric(2)]).content == Library([a_rubric(2), a_rubric(1)]).content
    assert Library([a_rubric(1), a_rubric(2, panel=9)]).content == Library([a_rubric(2), a_rubric(1)]).content
    assert Library([a_rubric(1)]).content != Library([a_rubric(1), a_rubric(2)]).content


def texts_of(library: Library, queries: set[str]) -> set[str]:
    return {library.entries[Pool.CRITERIA][entry].text for entry in library.made_from(Pool.CRITERIA, queries)}


def test_own_entries_are_those_in_which_the_own_answers_had_a_part() -> None:
    first, second = a_rubric(1), a_rubric(2)
    library = Library([first, second])
    assert library.made_from(Pool.CASES, {first.query_id}) == {first.rubric_id}
    # The shared one may have come to the second rubric from the first, which was retrieved for it.
    assert texts_of(library, {first.query_id}) == {"Says 1.", "Is true."}
    assert texts_of(library, {first.query_id, second.query_id}) == {"Says 1.", "Says 2.", "Is true."}
    assert library.made_from(Pool.CASES, frozenset()) == set()


def test_what_was_tried_on_a_question_is_its_own_too() -> None:
    tried_on = a_rubric(2).query_id
    first = replace(a_rubric(1), rests_on=(tried_on,))
    library = Library([first])
    assert library.made_from(Pool.CASES, {tried_on}) == {first.rubric_id}
    assert texts_of(library, {tried_on}) == {"Says 1.", "Is true."}


def test_what_a_seed_says_is_nobodys_own() -> None:
    library = Library([a_rubric(1), a_rubric(2, origin=Origin.SEED)])
    assert texts_of(library, {a_rubric(1).query_id, a_rubric(2).query_id}) == {"Says 1."}
    assert library.origins(criterion("Is true.", 9, "rule"), "telecom") == frozenset()
    assert library.origins(criterion("Says 1.", 5, "rule"), "telecom") == {a_rubric(1).query_id}


def test_a_rubric_is_own_by_the_cluster_that_it_was_made_in() -> None:
    joined = a_rubric(1, cluster=a_rubric(2).query_id)
    assert Library([joined]).made_from(Pool.CASES, {a_rubric(2).query_id}) == {joined.rubric_id}
