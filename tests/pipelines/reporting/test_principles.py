"""Whether given criteria help, in words."""

from typing import Any

import pytest

from pipelines.reporting.checks import principles_sentence, principles_warning

RUBRIC = {"grm": {"principles": "rubric"}}


def checks(difference: float | None, error: float | None, sets: int = 159) -> dict[str, Any]:
    accuracy = {"self": 0.763, "rubric": 0.748} if sets else {"self": None, "rubric": None}
    return {"principles": {"sets": sets, "difference": difference, "standard_error": error, **accuracy}}


def test_a_sentence_says_both_accuracies_and_what_follows() -> None:
    assert principles_sentence(checks(-0.015, 0.014)) == (
        "Given criteria: 74.8% right, its own: 76.3%, over 159 sets, each sampled both ways; difference -1.5 ± 1.4 "
        "points: no clear difference, so not worth it here."
    )
    assert str(principles_sentence(checks(-0.05, 0.014))).endswith("-5.0 ± 1.4 points: not worth it here.")
    assert str(principles_sentence(checks(0.05, 0.014))).endswith("+5.0 ± 1.4 points: worth it here.")
    assert str(principles_sentence(checks(0.05, None, 1))).endswith("too few to tell.")
    assert "nothing can be said" in str(principles_sentence(checks(None, None, 0)))
    assert principles_sentence({}) is None


@pytest.mark.parametrize(
    ("found", "recipe", "warns"),
    [
        (checks(-0.05, 0.014), RUBRIC, True),
        (checks(-0.028, 0.014), RUBRIC, False),
        (checks(0.05, 0.014), RUBRIC, False),
        (checks(-0.05, 0.014), {"grm": {"principles": "self"}}, False),
        (checks(None, None, 0), RUBRIC, False),
        ({}, RUBRIC, False),
        (checks(-0.05, 0.014), {}, False),
    ],
)
def test_rubric_mode_that_clearly_lowers_accuracy_wants_attention(
    found: dict[str, Any], recipe: dict[str, Any], warns: bool
) -> None:
    said = principles_warning(found, recipe)
    assert said == (
        ['[grm] principles = "rubric" lowers the judge\'s accuracy by 5.0 ± 1.4 points: take "self".'] if warns else []
    )
