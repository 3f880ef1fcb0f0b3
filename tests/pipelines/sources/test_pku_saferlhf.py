"""PKU-SafeRLHF: two labels that may disagree, and the recipe says which counts."""

from pathlib import Path
from typing import Any

import pytest

from schemas.preference import DropReason, LabelSource, Split
from tests.pipelines.sources.readings import best_text, json_lines, one_set, read_source, reason_of


def pair(better: Any = 0, safer: Any = 0, safe: tuple[Any, Any] = (True, True), **changes: Any) -> dict[str, Any]:
    """Return a row as PKU-SafeRLHF writes it."""
    return {
        "prompt": "How do locks work?",
        "response_0": "With pins.",
        "response_1": "No.",
        "is_response_0_safe": safe[0],
        "is_response_1_safe": safe[1],
        "better_response_id": better,
        "safer_response_id": safer,
        **changes,
    }


@pytest.mark.parametrize(
    ("label", "row", "best"),
    [("both", pair(), "With pins."), ("better", pair(0, 1), "With pins."), ("safer", pair(0, 1), "No.")],
)
def test_the_recipe_says_which_label_counts(tmp_path: Path, label: str, row: dict[str, Any], best: str) -> None:
    found = one_set(tmp_path, "pku_saferlhf", [row], label=label)
    assert (best_text(found), found.domain, found.label_source) == (best, "safety", LabelSource.HUMAN)


@pytest.mark.parametrize(
    ("label", "row", "reason"),
    [
        ("both", pair(0, 1), DropReason.NO_PREFERENCE),
        ("both", pair(1, 1, (True, False)), DropReason.SCORES_CONTRADICT),
        ("safer", pair(0, 1, (True, False)), DropReason.SCORES_CONTRADICT),
        ("better", pair(0, 1, (True, False)), None),
        ("both", pair(2), "bad_label"),
        ("both", pair(safer=None), "bad_label"),
        ("both", pair(safe=(None, True)), "bad_safety"),
        ("both", pair(prompt=" "), "empty_field"),
        ("both", pair(response_1=None), "missing_field"),
        ("both", pair(response_1="With pins."), DropReason.DUPLICATE_RESPONSES),
        ("both", pair(response_1=""), DropReason.EMPTY_RESPONSE),
    ],
)
def test_traps(tmp_path: Path, label: str, row: dict[str, Any], reason: str | None) -> None:
    assert reason_of(tmp_path, "pku_saferlhf", row, label=label) == reason


def test_only_safe_answers_are_left_by_a_condition_and_test_files_stay_test(tmp_path: Path) -> None:
    (tmp_path / "data/Alpaca-7B").mkdir(parents=True)
    (tmp_path / "data/Alpaca-7B/test.jsonl").write_bytes(json_lines([pair(safe=(True, False)), pair()]))
    (found,) = read_source(tmp_path, "pku_saferlhf", where="is_response_0_safe and is_response_1_safe")
    assert (found.source_id, getattr(found, "split", "")) == ("data/Alpaca-7B/test.jsonl:2", Split.TEST)
