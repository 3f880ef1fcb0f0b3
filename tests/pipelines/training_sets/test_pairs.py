"""Pairs: the best response against each other one."""

from pipelines.training_sets.pairs import pairs_table
from schemas.preference import Response
from schemas.training import PAIRS
from tests.examples import a_set


def test_a_set_gives_its_best_response_against_each_other_one() -> None:
    texts = [Response("best", 4.5), Response("good", 4.0), Response("bad", 1.0)]
    rows = pairs_table([a_set(1, responses=texts), a_set(2, n=1), a_set(3, n=2)])
    assert rows.schema == PAIRS
    found = rows.to_pylist()
    assert len(found) == 3
    assert {(row["rejected"][0]["content"], row["margin"]) for row in found[:2]} == {("good", 0.5), ("bad", 3.5)}
    assert {row["chosen"][0]["content"] for row in found[:2]} == {"best"}
    assert [list(message) for message in found[0]["prompt"]] == [["role", "content"]]
    assert found[2]["set_id"] == a_set(3, n=2).set_id


def test_a_set_without_a_best_response_gives_none() -> None:
    tied = a_set(1, responses=[Response("a", 1.0), Response("b", 1.0)])
    assert pairs_table([tied, a_set(2, n=1)]).num_rows == 0
    assert pairs_table([]).schema == PAIRS
