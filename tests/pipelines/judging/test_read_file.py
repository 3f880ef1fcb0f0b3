"""A file of judgements: each line is read as a build would read it, or named as one that cannot be."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.judging.read_file import readings_in
from schemas.errors import SourceError
from tests.end_to_end.commands import grmforge

TEXT = (
    "Specific Criteria:\n1. Accuracy (weight: 100%): right\n\nAnalysis:\nResponse 1 is right.\n\nScores: \\boxed{7, 3}"
)


def written(folder: Path, *rows: Any) -> Path:
    file = folder / "judgements.jsonl"
    file.write_bytes(b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows))
    return file


def test_a_line_says_its_outcome_and_what_was_read(tmp_path: Path) -> None:
    rows = [
        {"text": TEXT, "n": 2, "id": 7},
        {"text": TEXT, "n": 2, "best": 0},
        {"text": TEXT, "n": 2, "best": 1.0},
        {"text": TEXT, "n": 3},
        {"text": TEXT, "n": 2, "finish_reason": "length", "best": 0},
        {"text": "Score: [1]", "n": 1, "label": 1},
        {"text": "Score: [9]", "n": 1, "low": 1, "high": 10},
        {"text": None, "n": 2},
        {"text": f"<thinking>hm</thinking>{TEXT}", "n": 2, "reasoning": "so"},
        {"text": "I was told that Response 1 is the best.\n" + TEXT, "n": 2, "best": 0, "hinted": True},
    ]
    found = [one.as_json() for one in readings_in(written(tmp_path, *rows))]
    assert [one["outcome"] for one in found] == [
        "readable", "correct", "incorrect", "wrong_count", "truncated", "correct", "readable", "failed", "readable",
        "correct",
    ]  # fmt: skip
    assert found[0]["scores"] == [7, 3]
    assert (found[0]["verdict_form"], found[5]["verdict_form"]) == ("canonical", "forgiven")
    assert found[0]["principles"] == [{"name": "Accuracy", "description": "right", "weight": 1.0}]
    assert found[0]["critique"] == "Response 1 is right."
    assert found[8]["reasoning"] == "so\nhm" and found[8]["critique"] == "Response 1 is right."
    assert [one.get("hint_leak") for one in found] == [None] * 9 + [True]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "is no JSON"),
        (b"[]", "is no object"),
        (b'{"text": "a", "text": "b", "n": 2}', "stands there twice"),
        (b'{"n": 2}', "has no text"),
        (b'{"text": 7, "n": 2}', "text is no text"),
        (b'{"text": "a"}', "has no n"),
        (b'{"text": "a", "n": 0}', "n is no integer of 1"),
        (b'{"text": "a", "n": true}', "n is no integer"),
        (b'{"text": "a", "n": 2, "best": 2}', "best is no integer of 0..1"),
        (b'{"text": "a", "n": 2, "low": "1"}', "low is no integer"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: bytes, said: str) -> None:
    with pytest.raises(SourceError, match=rf"judgements.jsonl, line 2: .*{said}"):
        list(readings_in(written(tmp_path, {"text": TEXT, "n": 2}, line)))


def test_the_command_counts_and_ends_well_whatever_was_read(tmp_path: Path) -> None:
    file = written(tmp_path, {"text": TEXT, "n": 2}, {"text": "nothing", "n": 2})
    assert grmforge("read", file).out.split("\n")[:2] == ["readable", "unparsed"]
    lines = grmforge("read", file, "--json").out.splitlines()
    assert [json.loads(line)["outcome"] for line in lines] == ["readable", "unparsed"]
    missing = grmforge("read", tmp_path / "none.jsonl")
    assert missing.code == 2 and len(missing.errors) == 1
