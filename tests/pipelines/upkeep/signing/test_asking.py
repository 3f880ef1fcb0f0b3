"""Which field of a row asks, and what it asks, in the shapes that benchmarks are published in."""

import json
from typing import Any

import pytest

from pipelines.sources.text import RowError
from pipelines.upkeep.signing.asking import WELL_KNOWN, fields_in, queries_in

LONG = "Please write a short poem of four lines about the first snow over the harbour town."


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        ({"id": 1, "Question": "Why?", "prompt": "-"}, ("Question",)),
        ({"problem": "Find x.", "solution": "3"}, ("problem",)),
        ({"instruction": "Translate.", "input": "Tag", "output": "day"}, ("instruction", "input")),
        ({"instruction": "Translate.", "output": "day"}, ("instruction",)),
        ({"input": "Name a prime.", "output_1": "7"}, ("input",)),
        ({"conversation_input": [], "chosen": {}}, ("conversation_input",)),
        ({"question_content": "Sort a list.", "question_title": "Sorting"}, ("question_content",)),
        ({"text": "no name that asks"}, None),
    ],
)
def test_the_field_that_asks_is_found_by_its_name(row: dict[str, Any], fields: tuple[str, ...] | None) -> None:
    assert fields_in(row, WELL_KNOWN) == fields


@pytest.mark.parametrize(
    ("value", "queries"),
    [
        ("Name a prime.", ["Name a prime."]),
        (["Write a poem.", "Now shorter."], ["Write a poem.", "Now shorter."]),
        ([{"role": "user", "content": "Name a prime."}], ["Name a prime."]),
        (json.dumps([{"role": "user", "content": "Name a prime."}]), ["Name a prime."]),
        ({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}, ["Hi"]),
        ([{"from": "system", "value": "Be brief."}, {"from": "human", "value": "Hi"}], ["Hi"]),
        (
            [
                {"role": "user", "content": LONG},
                {"role": "assistant", "content": "Snow falls."},
                {"role": "user", "content": "Go on."},
            ],
            [f"{LONG}\nSnow falls.\nGo on.", LONG],
        ),
    ],
)
def test_what_is_asked_is_read_from_texts_turns_and_messages(value: Any, queries: list[str]) -> None:
    assert queries_in({"prompt": value}, ("prompt",)) == queries


def test_fields_that_ask_together_are_one_query() -> None:
    row = {"instruction": "Translate.", "input": "Guten Tag"}
    assert queries_in(row, ("instruction", "input")) == ["Translate.\n\nGuten Tag"]
    assert queries_in(row | {"input": ""}, ("instruction", "input")) == ["Translate."]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "missing_field"),
        (7, "not_text"),
        (" \n", "empty_field"),
        ([], "empty_field"),
        ([{"role": "assistant", "content": "I answer nobody."}], "empty_field"),
        ([{"role": "wizard", "content": "Abracadabra"}], "unknown_role"),
    ],
)
def test_a_row_that_asks_nothing_says_why(value: Any, reason: str) -> None:
    with pytest.raises(RowError) as raised:
        queries_in({"prompt": value}, ("prompt",))
    assert raised.value.reason == reason


def test_a_query_may_have_any_length() -> None:
    query = "prime number " * 800_000
    assert queries_in({"prompt": query}, ("prompt",)) == [query]
