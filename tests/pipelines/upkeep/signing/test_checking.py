"""`check` says of every row of a file what a build would do with it."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.upkeep.signing.checking import checked
from pipelines.upkeep.signing.signing import add_signature
from pipelines.upkeep.signing.wanted import wanted_of
from schemas.errors import SourceError
from storage.root import Root
from tests.pipelines.upkeep.signing.files import QUESTIONS, rows_of, write_rows

CLEAN = "Describe the smell of a bakery at five in the morning, when the first trays of rolls come out of the oven."


@pytest.fixture
def root(tmp_path: Path) -> Root:
    root = Root(tmp_path / "data")
    add_signature(root, wanted_of(str(write_rows(tmp_path / "harbour.jsonl", rows_of()))))
    return root


def tiers(root: Root | None, file: Path, fields: tuple[str, ...] = ()) -> dict[str, str]:
    found = checked(root, file, fields)
    return {hit.location.rpartition(":")[2]: f"{hit.tier} {hit.benchmark}" for hit in found.hits}


def a_pair(query: Any, chosen: str = "Yes.", rejected: str = "No.") -> dict[str, Any]:
    return {"prompt": query, "chosen": chosen, "rejected": rejected}


def test_copies_are_dropped_and_a_hit_by_a_response_is_marked(root: Root, tmp_path: Path) -> None:
    asked = QUESTIONS[0]
    conversation = [
        {"role": "user", "content": "May I ask you something?"},
        {"role": "assistant", "content": "Of course."},
        {"role": "user", "content": QUESTIONS[3]},
    ]
    rows = [
        a_pair(CLEAN),
        a_pair(asked),
        a_pair(f"### Task\n{asked.upper()}\n### Answer"),
        a_pair(CLEAN, chosen=f"You could also ask this: {asked}"),
        a_pair(conversation),
        a_pair("name the TALLEST mast"),
        a_pair("Please name the tallest mast of the town."),
    ]
    found = tiers(root, write_rows(tmp_path / "mine.jsonl", rows))
    assert found == {
        "2": "drop harbour",
        "3": "drop harbour",
        "4": "mark harbour",
        "5": "drop harbour",
        "6": "drop harbour",
    }


def test_any_file_is_read_by_the_field_that_asks(root: Root, tmp_path: Path) -> None:
    rows = [
        {"problem": CLEAN, "note": "-"},
        {"problem": QUESTIONS[1], "note": "-"},
        {"problem": CLEAN, "note": QUESTIONS[1]},
    ]
    assert tiers(root, write_rows(tmp_path / "mine.csv", rows)) == {"2": "drop harbour", "3": "mark harbour"}
    assert tiers(root, tmp_path / "mine.csv", ("note",)) == {"2": "mark harbour", "3": "drop harbour"}
    chat = [{"messages": [{"role": "user", "content": CLEAN}, {"role": "assistant", "content": QUESTIONS[1]}]}]
    assert tiers(root, write_rows(tmp_path / "chat.jsonl", chat)) == {"1": "mark harbour"}


def test_rows_that_cannot_be_read_are_counted(root: Root, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(f"{json.dumps(a_pair(QUESTIONS[0]))}\nno json\n{json.dumps({'question': 7})}\n")
    found = checked(root, file)
    assert (found.rows, found.unreadable, len(found.hits)) == (3, 2, 1)
    assert found.first_unreadable.startswith("mine.jsonl:2: ")
    assert found.as_json()["drop"] == 1


def test_without_a_root_what_ships_is_compared_with(tmp_path: Path) -> None:
    found = checked(None, write_rows(tmp_path / "mine.jsonl", [a_pair(CLEAN)]))
    assert found.hits == []
    assert {"math", "gsm8k", "teleqna", "llmbar"} <= set(found.benchmarks)


def test_a_file_without_a_field_that_asks_is_refused(root: Root, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"mine.jsonl:1: no field is known to ask something; .*--field"):
        checked(root, write_rows(tmp_path / "mine.jsonl", [{"goal": CLEAN}]))


def test_texts_of_one_word_and_of_ten_megabytes_are_compared(root: Root, tmp_path: Path) -> None:
    rows = [{"question": "mast"}, {"question": "tide " * 2_000_000 + QUESTIONS[0]}, {"question": "!"}]
    assert tiers(root, write_rows(tmp_path / "mine.jsonl", rows)) == {"2": "drop harbour"}
