"""Requests: equal ones have equal ids for ever, and nothing but what is asked goes into an id."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.generation import Request, Truth, body_json, request

BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Why?"}], "temperature": 0.5}


def asked(**settings: Any) -> Request:
    known: dict[str, Any] = {
        "role": "grm",
        "identity": {"model": "m"},
        "query_id": "0" * 32,
        "body": BODY,
        "sample_index": 0,
    }
    return request(**(known | settings))


def test_equal_requests_are_equal() -> None:
    assert asked() == asked()
    assert asked(body=dict(reversed(BODY.items()))).request_id == asked().request_id


def test_whatever_is_asked_is_part_of_the_id() -> None:
    changes: list[dict[str, Any]] = [
        {"role": "difficulty"},
        {"identity": {"model": "m", "revision": "2"}},
        {"body": BODY | {"temperature": 0.6}},
        {"sample_index": 1},
    ]
    assert len({asked().request_id, *(asked(**change).request_id for change in changes)}) == len(changes) + 1


def test_the_truth_changes_neither_id_nor_body() -> None:
    """It is for the simulated engine alone: an id that covered it would tell what the answer should be."""
    told = asked(truth=Truth("1" * 32, 2, 1, None, hinted=False))
    assert (told.request_id, told.body) == (asked().request_id, asked().body)


@given(st.integers(0, 2**31))
def test_seeds_fit_every_endpoint(sample_index: int) -> None:
    seed = asked(sample_index=sample_index).body["seed"]
    assert 0 <= seed < 2**31


def test_a_seed_of_the_caller_is_not_mutated() -> None:
    body = dict(BODY)
    asked(body=body)
    assert body == BODY


def test_bodies_are_kept_as_canonical_json() -> None:
    assert body_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'
