"""HH-RLHF: transcripts that share a beginning."""

import json
from pathlib import Path

import pytest

from schemas.preference import DropReason, LabelSource, PreferenceSet, Split
from tests.pipelines.sources.readings import best_text, json_lines, one_set, read_source, reason_of


def pair(chosen: str = "7", rejected: str = "9") -> dict[str, str]:
    """Return a row as HH-RLHF writes it; what is said goes on after the first `Assistant:`."""
    asked = "\n\nHuman: Name a prime.\n\nAssistant: "
    return {"chosen": f"{asked}{chosen}", "rejected": f"{asked}{rejected}"}


def test_the_query_is_the_shared_beginning(tmp_path: Path) -> None:
    before = "2\n\nHuman: Another.\n\nAssistant: "
    found = one_set(tmp_path, "hh_rlhf", [pair(f"{before}7", f"{before}9")])
    assert [turn.content for turn in found.query] == ["Name a prime.", "2", "Another."]
    assert (best_text(found), found.label_source, found.license) == ("7", LabelSource.HUMAN, "MIT")


def test_transcripts_that_part_early_keep_all_turns_from_there(tmp_path: Path) -> None:
    found = one_set(tmp_path, "hh_rlhf", [pair("7\n\nHuman: Sure?\n\nAssistant: Yes.", "9")])
    assert (len(found.query), best_text(found)) == (1, "Yes.")
    (whole,) = [one for one in found.responses if one.turns]
    assert [turn["content"] for turn in json.loads(whole.turns or "")] == ["7", "Sure?", "Yes."]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (pair(), None),
        (pair(""), DropReason.EMPTY_RESPONSE),
        (pair("9"), DropReason.DUPLICATE_RESPONSES),
        (pair("7\n\nHuman: Sure?"), "bad_response"),
        ({"chosen": "Name a prime: 7", "rejected": pair()["rejected"]}, "no_transcript"),
        ({"chosen": "\n\nHuman: a\n\nHuman: b\n\nAssistant: c", "rejected": pair()["rejected"]}, "no_transcript"),
        ({"chosen": "\n\nHuman: Else?\n\nAssistant: 7", "rejected": pair()["rejected"]}, "no_prompt"),
        ({"chosen": "", "rejected": pair()["rejected"]}, "empty_field"),
        ({"rejected": pair()["rejected"]}, "missing_field"),
    ],
)
def test_traps(tmp_path: Path, row: dict[str, str], reason: str | None) -> None:
    assert reason_of(tmp_path, "hh_rlhf", row) == reason


def test_the_folders_of_pairs_are_read_and_test_files_stay_test(tmp_path: Path) -> None:
    for name in ("harmless-base/train.jsonl", "helpful-base/test.jsonl", "red-team-attempts/train.jsonl"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(json_lines([pair()]))
    found = read_source(tmp_path, "hh_rlhf")
    assert all(isinstance(one, PreferenceSet) for one in found)
    assert [(one.split, one.responses[0].origin) for one in found if isinstance(one, PreferenceSet)] == [
        (None, "harmless-base"),
        (Split.TEST, "helpful-base"),
    ]
    (only,) = read_source(tmp_path, "hh_rlhf", config="helpful-base")
    assert only.source_id == "helpful-base/test.jsonl:1"
