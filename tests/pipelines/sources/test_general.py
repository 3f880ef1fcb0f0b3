"""General rows: the assistant's last turn is the completion, everything before it the prompt."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.sources import general
from pipelines.sources.files import open_files
from pipelines.sources.general import GeneralRow
from schemas.preference import UnreadableRow
from schemas.query import query_id
from schemas.recipe import GeneralSection


def read(directory: Path, row: Any) -> GeneralRow | UnreadableRow:
    (directory / "chat.jsonl").write_text(json.dumps(row) + "\n")
    section = GeneralSection(path="chat.jsonl", license="MIT")
    (found,) = general.SOURCE.read(section, open_files(section, general.SOURCE.hub, general.SOURCE.patterns, directory))
    return found


def turns(*roles: str) -> list[dict[str, str]]:
    return [{"role": role, "content": f"{role} {index}"} for index, role in enumerate(roles)]


def test_the_last_answer_is_the_completion(tmp_path: Path) -> None:
    found = read(tmp_path, {"messages": turns("system", "user", "assistant", "user", "assistant", "user"), "x": 1})
    assert isinstance(found, GeneralRow)
    assert [message.role for message in found.prompt] == ["system", "user", "assistant", "user"]
    assert found.completion == "assistant 4"
    assert found.query_id == query_id(found.prompt)
    assert (found.source_id, found.license) == ("chat.jsonl:1", "MIT")


def test_sharegpt_turns_are_read_too(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}], "license": "CC0"},
    )
    assert isinstance(found, GeneralRow)
    assert (found.prompt[0].role, found.completion, found.license) == ("user", "hello", "CC0")


CALLS = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, "missing_field"),
        ({"messages": []}, "empty_field"),
        ({"messages": "hi"}, "not_a_list"),
        ({"messages": turns("user")}, "no_completion"),
        ({"messages": turns("assistant")}, "no_user_turn"),
        ({"messages": turns("user", "tool", "assistant")}, "unknown_role"),
        ({"messages": [*turns("user"), {"role": "assistant", "content": " "}]}, "no_completion"),
        ({"messages": [*turns("user"), {"role": "assistant", "content": None}]}, "missing_field"),
        ({"messages": [*turns("user"), {"role": "assistant", "content": 3}]}, "not_text"),
        ({"messages": [*turns("user"), {"role": "assistant", "content": [{"type": "image"}]}]}, "holds_image"),
        ({"messages": [*turns("user"), {"role": "assistant", "content": "", "tool_calls": CALLS}]}, "tool_calls"),
    ],
)
def test_rows_without_a_prompt_or_a_completion_are_unreadable(tmp_path: Path, row: Any, reason: str) -> None:
    found = read(tmp_path, row)
    assert isinstance(found, UnreadableRow)
    assert found.reason == reason
