"""UltraFeedback: each trap, on rows written for these tests."""

from pathlib import Path
from typing import Any

import pytest

from schemas.preference import DropReason, LabelSource, UnreadableRow
from tests.pipelines.sources.readings import best_text, one_set, one_unreadable, read_rows

ASPECTS = ("instruction_following", "honesty", "truthfulness", "helpfulness")


def completion(text: Any, *ratings: Any, **changes: Any) -> dict[str, Any]:
    """Return a completion as UltraFeedback writes it; one rating stands for all four."""
    given = ratings * 4 if len(ratings) == 1 else ratings
    return {
        "model": "some-7b",
        "principle": "honesty",
        "custom_system_prompt": "As an AI assistant, never lie.",
        "response": text,
        "annotations": {
            aspect: {"Rating": rating, "Rationale": "So."} for aspect, rating in zip(ASPECTS, given, strict=True)
        },
        "fine-grained_score": 3.0,
        "overall_score": 6.0,
        **changes,
    }


def row(*completions: Any, **changes: Any) -> dict[str, Any]:
    return {"source": "evol_instruct", "instruction": "Say hello.", "completions": list(completions), **changes}


def test_the_reward_is_the_mean_of_the_four_aspects_and_never_the_overall_score(tmp_path: Path) -> None:
    found = one_set(
        tmp_path,
        "ultrafeedback",
        [row(completion("hello", "4", "5", "4", "5"), completion("no", "1", overall_score=10), completion("hm", 3))],
    )
    assert best_text(found) == "hello"
    assert sorted(response.reward or 0 for response in found.responses) == [1.0, 3.0, 4.5]
    assert found.margin == 1.5
    assert found.label_source is LabelSource.MODEL
    assert (found.license, found.source, found.benchmark) == ("MIT", "ultrafeedback", False)


def test_hidden_system_prompts_are_no_part_of_the_query(tmp_path: Path) -> None:
    found = one_set(tmp_path, "ultrafeedback", [row(completion("hello", "5"), completion("no", "1"))])
    assert [(message.role, message.content) for message in found.query] == [("user", "Say hello.")]
    assert {(response.origin, response.model) for response in found.responses} == {("honesty", "some-7b")}


@pytest.mark.parametrize("rating", ["N/A", None, "", "nan", True, "6", "0", [4], {"a": 1}])
def test_a_response_without_all_four_ratings_is_left_out(tmp_path: Path, rating: Any) -> None:
    partly = completion("partly rated", "5", "5", rating, "5")
    found = one_set(tmp_path, "ultrafeedback", [row(partly, completion("a", "4"), completion("b", "2"))])
    assert {response.text for response in found.responses} == {"a", "b"}


def test_missing_annotations_and_texts_of_the_unrated_are_no_harm(tmp_path: Path) -> None:
    rows = [row(completion(None, "N/A"), {"response": "x"}, completion("a", "4"), completion("b", "2"))]
    assert one_set(tmp_path, "ultrafeedback", rows).n_responses == 2


@pytest.mark.parametrize(
    ("completions", "changes", "settings", "reason"),
    [
        ([("a", "4"), ("b", "4"), ("c", "1")], {}, {}, DropReason.TIE),
        ([("a", "4", "4", "4", "5"), ("b", "4")], {}, {}, DropReason.UNCERTAIN),
        ([("a", "4", "4", "4", "5"), ("b", "4")], {}, {"min_margin": 0.25}, None),
        ([("a", "4", "4", "5", "5"), ("b", "4")], {}, {}, None),
        ([("a", "4"), ("b", "N/A")], {}, {}, DropReason.TOO_FEW_RESPONSES),
        ([], {}, {}, DropReason.TOO_FEW_RESPONSES),
        ([("a", "4"), ("a", "1")], {}, {}, DropReason.DUPLICATE_RESPONSES),
        ([("", "4"), ("a", "1")], {}, {}, DropReason.EMPTY_RESPONSE),
        ([("a", "4"), ("b", "1")], {"source": "truthful_qa"}, {}, DropReason.CONTAMINATED),
        ([("a", "4"), ("b", "1")], {"source": ["truthful_qa"]}, {}, None),
    ],
)
def test_sets_without_a_best_response_say_why(
    tmp_path: Path,
    completions: list[tuple[Any, ...]],
    changes: dict[str, Any],
    settings: dict[str, Any],
    reason: DropReason | None,
) -> None:
    rows = [row(*(completion(*values) for values in completions), **changes)]
    assert one_set(tmp_path, "ultrafeedback", rows, **settings).drop_reason == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"instruction": None}, "missing_field"),
        ({"instruction": " "}, "empty_field"),
        ({"completions": None}, "missing_field"),
        ({"completions": "text"}, "not_a_list"),
        ({"completions": [3]}, "not_an_object"),
        ({"completions": [completion(7, "4")]}, "not_text"),
    ],
)
def test_rows_that_cannot_be_read_are_counted_by_reason(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    assert one_unreadable(tmp_path, "ultrafeedback", [row(**changes)]).reason == reason


def test_a_response_of_50_megabytes_costs_its_row_only(tmp_path: Path) -> None:
    good = row(completion("a", "4"), completion("b", "2"))
    found = read_rows(tmp_path, "ultrafeedback", [row(completion("x" * 50_000_000, "4")), b"\xff", good])
    assert [entry.reason for entry in found if isinstance(entry, UnreadableRow)] == ["text_too_long", "invalid_utf8"]
    assert len(found) == 3
    assert len(str(found[0])) < 500
