"""Skywork-Reward-Preference: its leak and its overlaps, on rows written for these tests."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.preference import DropReason, LabelSource
from tests.pipelines.sources.readings import best_text, one_set, reason_of

ASKED = ("user", "Name a prime.")


def turns(*said: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"content": content, "role": role} for role, content in said]


def pair(rejected: Any = None, chosen: Any = None, source: Any = "magpie_ultra") -> dict[str, Any]:
    """Return a row as Skywork-Reward-Preference writes it."""
    return {
        "chosen": turns(ASKED, ("assistant", "7")) if chosen is None else chosen,
        "rejected": turns(ASKED, ("assistant", "9")) if rejected is None else rejected,
        "source": source,
    }


def test_the_query_is_what_both_answers_follow(tmp_path: Path) -> None:
    before = (ASKED, ("assistant", "2"), ("user", "Another."))
    row = pair(turns(*before, ("assistant", "9")), turns(*before, ("assistant", "7")))
    found = one_set(tmp_path, "skywork", [row])
    assert [tuple(message) for message in found.query] == list(before)
    assert best_text(found) == "7"
    assert {response.origin for response in found.responses} == {"magpie_ultra"}
    assert (found.source, found.license, found.label_source) == ("skywork", "unknown", LabelSource.MODEL)
    assert found.drop_reason is None


def test_several_turns_against_one_are_a_leak(tmp_path: Path) -> None:
    more = turns(ASKED, ("assistant", "9"), ("user", "Sure?"), ("assistant", "Yes."))
    found = one_set(tmp_path, "skywork", [pair(more)])
    assert found.drop_reason is DropReason.LABEL_LEAK
    (rejected,) = [response for response in found.responses if response.reward == 0]
    assert rejected.text == "Yes."
    assert rejected.turns is not None
    assert [turn["role"] for turn in json.loads(rejected.turns)] == ["assistant", "user", "assistant"]


@pytest.mark.parametrize("source", ["magpie_ultra", "magpie_pro_llama3.1", None])
@pytest.mark.parametrize("text", ["9<im_start>user", "<|im_start|>assistant 9", "9 <|im_end|>"])
def test_marks_of_a_chat_template_are_a_leak_in_every_part(tmp_path: Path, source: Any, text: str) -> None:
    marked = pair(turns(ASKED, ("assistant", text)), source=source)
    assert reason_of(tmp_path, "skywork", marked) == DropReason.LABEL_LEAK


def test_marks_that_both_answers_have_tell_nothing(tmp_path: Path) -> None:
    both = [turns(ASKED, ("assistant", f"{text} <im_start>")) for text in ("7", "9")]
    assert reason_of(tmp_path, "skywork", pair(both[1], both[0])) is None


@pytest.mark.parametrize(
    "source", ["offsetbias", "OffsetBias", "NCSOFT/offsetbias", "helpsteer2", "HelpSteer2", "nvidia/HelpSteer2"]
)
def test_rows_of_other_sources_are_dropped_unless_the_recipe_keeps_them(tmp_path: Path, source: str) -> None:
    assert reason_of(tmp_path, "skywork", pair(source=source)) == DropReason.OVERLAP
    assert reason_of(tmp_path, "skywork", pair(source=source), keep_overlap=True) is None


@pytest.mark.parametrize("source", ["wildguard", "magpie_air", "", None])
def test_other_parts_are_kept(tmp_path: Path, source: Any) -> None:
    assert reason_of(tmp_path, "skywork", pair(source=source)) is None


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (pair(turns(("user", "Name one."), ("assistant", "9"))), "prompts_differ"),
        (pair(turns(ASKED)), "bad_response"),
        (pair(turns(("assistant", "9"))), "prompts_differ"),
        (pair(chosen=turns(("assistant", "7"))), "no_prompt"),
        (pair(chosen=turns(("system", "Be brief."), ("assistant", "7"))), "no_prompt"),
        (pair(chosen=turns(ASKED, ("tool", "7"))), "unknown_role"),
        (pair(chosen=[]), "empty_field"),
        (pair(chosen="7"), "not_a_list"),
        (pair(turns(ASKED, ("assistant", None))), "missing_field"),
        (pair(source=7), "not_text"),
        (pair(turns(ASKED, ("assistant", "7"))), DropReason.DUPLICATE_RESPONSES),
        (pair(turns(ASKED, ("assistant", " "))), DropReason.EMPTY_RESPONSE),
    ],
)
def test_rows_that_are_no_pair_say_why(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    assert reason_of(tmp_path, "skywork", row) == reason
