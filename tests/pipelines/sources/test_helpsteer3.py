"""HelpSteer3-Preference: several people's comparisons become one set with the share that agrees."""

from pathlib import Path
from typing import Any

import pytest

from schemas.preference import DropReason, LabelSource, Split
from tests.pipelines.sources.readings import best_text, json_lines, one_set, read_source, reason_of


def pair(overall: Any = -2, *scores: Any, **changes: Any) -> dict[str, Any]:
    """Return a row as HelpSteer3-Preference writes it."""
    people = [{"score": score, "reasoning": "r", "feedback1": "f", "feedback2": "f"} for score in scores]
    return {
        "domain": "code",
        "language": "python",
        "context": [{"role": "user", "content": "Sort a list."}],
        "response1": "Use sorted().",
        "response2": "You cannot.",
        "overall_preference": overall,
        "individual_preference": people,
        **changes,
    }


@pytest.mark.parametrize(
    ("scores", "rewards"), [((-3, -1, 1), (2 / 3, 1 / 3)), ((-2, -1, -1), (1.0, 0.0)), ((-2, -1, 0), (2 / 3, 0.0))]
)
def test_the_margin_is_the_distance_of_the_shares(tmp_path: Path, scores: Any, rewards: Any) -> None:
    found = one_set(tmp_path, "helpsteer3", [pair(-2, *scores)])
    assert best_text(found) == "Use sorted()."
    assert {one.text: one.reward for one in found.responses} == dict(
        zip(("Use sorted().", "You cannot."), rewards, strict=True)
    )
    assert found.margin == pytest.approx(rewards[0] - rewards[1])
    assert (found.label_source, found.domain, found.license) == (LabelSource.ANNOTATORS, "code", "CC-BY-4.0")


def test_a_row_without_people_is_one_person(tmp_path: Path) -> None:
    found = one_set(tmp_path, "helpsteer3", [pair(3, individual_preference=None)])
    assert (best_text(found), found.margin, found.label_source) == ("You cannot.", 1.0, LabelSource.HUMAN)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (pair(0, -1, 1), DropReason.NO_PREFERENCE),
        (pair(-1, 1, 1, -3), DropReason.SCORES_CONTRADICT),
        (pair(-1, -1, 1), DropReason.TIE),
        (pair(-4), "no_rating"),
        (pair(None), "no_rating"),
        (pair(-1.5), "no_rating"),
        (pair(-1, -1, "x"), "no_rating"),
        (pair(individual_preference="x"), "not_a_list"),
        (pair(context=[]), "empty_field"),
        (pair(context="Sort."), "not_a_list"),
        (pair(context=[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]), "no_user_turn"),
        (pair(response2=None), "missing_field"),
        (pair(response1=""), DropReason.EMPTY_RESPONSE),
        (pair(response1="You cannot."), DropReason.DUPLICATE_RESPONSES),
        (pair(-2, -2), None),
    ],
)
def test_traps(tmp_path: Path, row: dict[str, Any], reason: str | None) -> None:
    assert reason_of(tmp_path, "helpsteer3", row) == reason


def test_people_who_hardly_agree_are_uncertain_where_the_recipe_says_so(tmp_path: Path) -> None:
    assert reason_of(tmp_path, "helpsteer3", pair(-1, -1, -1, 1), min_margin=0.5) == DropReason.UNCERTAIN


def test_only_its_own_configuration_is_read_and_validation_stays_validation(tmp_path: Path) -> None:
    for name in ("preference/train.jsonl", "preference/validation.jsonl", "feedback/train.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(json_lines([pair()]))
    found = read_source(tmp_path, "helpsteer3")
    assert [(one.source_id, getattr(one, "split", "")) for one in found] == [
        ("preference/train.jsonl:1", None),
        ("preference/validation.jsonl:1", Split.VALIDATION),
    ]
