"""Chosen and rejected answers, as texts and as turns; what cannot be read says what to mend."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.query import wire
from tests.pipelines.sources.readings import best_text, one_set, one_unreadable

Turns = list[dict[str, str]]


def turns(*texts: str, first: str = "user") -> Turns:
    """Return turns of user and assistant by turns, the given role first."""
    roles = ["user", "assistant"] if first == "user" else ["assistant", "user"]
    return [{"role": roles[number % 2], "content": text} for number, text in enumerate(texts)]


SYSTEM = [{"role": "system", "content": "Be brief."}]
ANSWER, WRONG = turns("New Radio", first="assistant"), turns("No Radio", first="assistant")
ASKED = turns("What is NR?")


@pytest.mark.parametrize(
    ("row", "query"),
    [
        ({"prompt": "What is NR?", "chosen": "New Radio", "rejected": "No Radio"}, ASKED),
        ({"query": "What is NR?", "chosen": "New Radio", "rejected": "No Radio"}, ASKED),
        ({"prompt": ASKED, "chosen": ANSWER, "rejected": WRONG}, ASKED),
        ({"prompt": "What is NR?", "chosen": ASKED + ANSWER, "rejected": ASKED + WRONG}, ASKED),
        (
            {"prompt": "What is NR?", "chosen": SYSTEM + ASKED + ANSWER, "rejected": SYSTEM + ASKED + WRONG},
            SYSTEM + ASKED,
        ),
        (
            {
                "prompt": "Hi",
                "chosen": turns("Hi", "Hello", "What is NR?") + ANSWER,
                "rejected": turns("Hi", "Hello", "What is NR?") + WRONG,
            },
            turns("Hi", "Hello", "What is NR?"),
        ),
        ({"chosen": ASKED + ANSWER, "rejected": ASKED + WRONG, "source": "skywork", "prompt_id": "7"}, ASKED),
    ],
)
def test_the_query_is_the_prompt_and_chosen_is_best(tmp_path: Path, row: dict[str, Any], query: Turns) -> None:
    found = one_set(tmp_path, "preference_sets", [row])
    assert wire(found.query) == query
    assert sorted((one.text, one.reward, one.turns) for one in found.responses) == [
        ("New Radio", 1.0, None),
        ("No Radio", 0.0, None),
    ]
    assert (best_text(found), found.margin, found.drop_reason) == ("New Radio", 1.0, None)


def test_the_same_set_has_one_id_in_both_layouts(tmp_path: Path) -> None:
    plain = {"query": "What is NR?", "responses": ["No Radio", "New Radio"], "best": 1}
    pair = {"prompt": "What is NR?", "chosen": ASKED + ANSWER, "rejected": ASKED + WRONG}
    assert one_set(tmp_path, "preference_sets", [plain]).set_id == one_set(tmp_path, "preference_sets", [pair]).set_id


def test_answers_of_several_turns_keep_them(tmp_path: Path) -> None:
    chosen, rejected = turns("Hi", "Hello", "2 + 2?", "4"), turns("Hi", "Go away", "2 + 2?", "5")
    found = one_set(tmp_path, "preference_sets", [{"chosen": chosen, "rejected": rejected}])
    assert wire(found.query) == turns("Hi")
    assert best_text(found) == "4"
    kept = {one.text: json.loads(one.turns or "") for one in found.responses}
    assert kept == {"4": chosen[1:], "5": rejected[1:]}


def test_the_other_keys_are_those_of_every_row(tmp_path: Path) -> None:
    row = {
        "prompt": "q",
        "chosen": "a",
        "rejected": "b",
        "id": "x",
        "reference": "r",
        "license": "MIT",
        "domain": "math",
    }
    found = one_set(tmp_path, "preference_sets", [row])
    assert (found.source_id, found.reference, found.license, found.domain) == ("x", "r", "MIT", "math")


def test_a_row_with_responses_is_of_the_plain_layout(tmp_path: Path) -> None:
    row = {"query": "q", "responses": ["a", "b"], "best": 1, "chosen": "a", "rejected": "b"}
    assert best_text(one_set(tmp_path, "preference_sets", [row])) == "b"


@pytest.mark.parametrize(
    ("row", "reason", "says"),
    [
        ({"chosen": "a", "rejected": "b"}, "no_prompt", "what they answer goes into prompt"),
        ({"question": "q", "messages": ASKED, "chosen": "a", "rejected": "b"}, "several_queries", "question and me"),
        ({"question": "q", "input": "i", "chosen": "a", "rejected": "b"}, "several_queries", "question and input"),
        ({"prompt": "q", "chosen": "a"}, "missing_field", "the row has no field 'rejected'"),
        ({"prompt": "q", "chosen": "a", "rejected": None}, "missing_field", "the row has no field 'rejected'"),
        ({"prompt": "q", "chosen": "a", "rejected": 3}, "bad_response", "rejected is 3"),
        ({"prompt": " ", "chosen": "a", "rejected": "b"}, "empty_field", "prompt is empty"),
        ({"prompt": ASKED + ANSWER, "chosen": "a", "rejected": "b"}, "no_user_turn", "prompt ends with a turn of"),
        ({"prompt": "q", "query": "q", "chosen": "a", "rejected": "b"}, "several_queries", "leave one of them out"),
        ({"chosen": ASKED, "rejected": ASKED + WRONG}, "bad_response", "chosen ends with a turn of 'user'"),
        ({"chosen": turns("p", "a"), "rejected": turns("q", "b")}, "no_prompt", "same turn of the user"),
        ({"prompt": "q", "chosen": turns("p", "a"), "rejected": turns("p", "b")}, "bad_prompt", "begin with prompt"),
        ({"prompt": "q", "chosen": turns("q", "a"), "rejected": "b"}, "bad_response", "chosen is a whole conversation"),
        ({"prompt": "q", "chosen": "a", "rejected": "b", "label": 1}, "several_truths", "also has label"),
        ({"prompt": "q", "chosen": "a", "rejected": "b", "licence": "MIT"}, "misspelt_key", "'license'"),
        ({"PROMPT": "q", "CHOSEN": "a", "REJECTED": "b"}, "misspelt_key", "no 'prompt' but 'PROMPT'"),
        ({"prompt": "q", "Chosen": "a", "Rejected": "b"}, "misspelt_key", "no 'chosen' but 'Chosen'"),
        ({"messages": ASKED, "output": ["a", "b"], "best": 0}, "missing_field", "'output'; rename it"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_how_to_mend_it(tmp_path: Path, row: dict[str, Any], reason: str, says: str) -> None:
    found = one_unreadable(tmp_path, "preference_sets", [row])
    assert found.reason == reason
    assert says in found.detail


def test_equal_answers_are_dropped_as_in_every_source(tmp_path: Path) -> None:
    found = one_set(tmp_path, "preference_sets", [{"chosen": ASKED + ANSWER, "rejected": ASKED + ANSWER}])
    assert found.drop_reason == "duplicate_responses"
