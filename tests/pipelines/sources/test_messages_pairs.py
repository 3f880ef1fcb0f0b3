"""UltraFeedback-binarized and the Tulu 3 mixture: pairs of Messages, with scores or without."""

from pathlib import Path
from typing import Any

import pytest

from schemas.preference import DropReason, LabelSource, Split
from tests.pipelines.sources.readings import best_text, json_lines, one_set, read_source, reason_of

KINDS = ("ultrafeedback_binarized", "tulu3")


def turns(*texts: str) -> list[dict[str, str]]:
    return [{"content": text, "role": ("user", "assistant")[place % 2]} for place, text in enumerate(texts)]


def scored(high: Any = 8.0, low: Any = 5.0, **changes: Any) -> dict[str, Any]:
    """Return a row as UltraFeedback-binarized writes it."""
    return {
        "prompt": "Name a prime.",
        "prompt_id": "0f",
        "chosen": turns("Name a prime.", "7"),
        "rejected": turns("Name a prime.", "9"),
        "messages": turns("Name a prime.", "7"),
        "score_chosen": high,
        "score_rejected": low,
        **changes,
    }


def mixed(**changes: Any) -> dict[str, Any]:
    """Return a row as the Tulu 3 mixture writes it."""
    row = {key: value for key, value in scored().items() if key in ("prompt", "chosen", "rejected")}
    return {"id": "1", "source": "ai2-adapt-dev/part", **row, **changes}


def test_scores_are_rewards(tmp_path: Path) -> None:
    found = one_set(tmp_path, "ultrafeedback_binarized", [scored()])
    assert (best_text(found), found.margin, found.label_source) == ("7", 3.0, LabelSource.MODEL)
    assert [turn.content for turn in found.query] == ["Name a prime."]


def test_the_part_of_the_mixture_is_kept(tmp_path: Path) -> None:
    found = one_set(tmp_path, "tulu3", [mixed()])
    assert (best_text(found), found.margin, found.license) == ("7", 1.0, "ODC-BY-1.0")
    assert {one.origin for one in found.responses} == {"ai2-adapt-dev/part"}


@pytest.mark.parametrize(
    ("kind", "row", "reason"),
    [
        ("ultrafeedback_binarized", scored(5.0), DropReason.TIE),
        ("ultrafeedback_binarized", scored(4.0), DropReason.SCORES_CONTRADICT),
        ("ultrafeedback_binarized", scored(float("nan")), "no_rating"),
        ("ultrafeedback_binarized", scored(low=None), "no_rating"),
        ("tulu3", mixed(chosen_rating=4.0, rejected_rating=4.0), DropReason.TIE),
        ("tulu3", mixed(chosen_rating=1.0, rejected_rating=4.0), DropReason.SCORES_CONTRADICT),
        ("tulu3", mixed(chosen_rating=4.0, rejected_rating=None), None),
        ("tulu3", mixed(), None),
    ],
)
def test_equal_scores_are_a_tie_and_lower_ones_contradict(tmp_path: Path, kind: str, row: Any, reason: Any) -> None:
    assert reason_of(tmp_path, kind, row) == reason


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"prompt": "Another."}, "bad_prompt"),
        ({"chosen": None}, "missing_field"),
        ({"chosen": turns("Name a prime.")}, "bad_response"),
        ({"rejected": turns("Else?", "9")}, "no_prompt"),
        ({"rejected": turns("Name a prime.", "7")}, DropReason.DUPLICATE_RESPONSES),
        ({"rejected": turns("Name a prime.", "")}, DropReason.EMPTY_RESPONSE),
        ({"rejected": [{"role": "judge", "content": "x"}]}, "unknown_role"),
    ],
)
def test_traps(tmp_path: Path, kind: str, changes: Any, reason: str) -> None:
    assert reason_of(tmp_path, kind, (scored if kind != "tulu3" else mixed)(**changes)) == reason


def test_both_give_the_same_set_so_that_curation_finds_what_stands_twice(tmp_path: Path) -> None:
    assert one_set(tmp_path, KINDS[0], [scored()]).set_id == one_set(tmp_path, KINDS[1], [mixed()]).set_id


def test_one_split_is_read_at_a_time(tmp_path: Path) -> None:
    splits = ("train_prefs", "test_prefs", "train_sft")
    names = {split: f"data/{split}-00000-of-00001.jsonl" for split in splits}
    (tmp_path / "data").mkdir()
    for name in names.values():
        (tmp_path / name).write_bytes(json_lines([scored()]))
    files = "".join(f"  - split: {split}\n    path: data/{split}-*\n" for split in splits)
    (tmp_path / "README.md").write_text(f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}---\n")
    found = [read_source(tmp_path, KINDS[0], split=split) for split in splits[:2]]
    assert [[(one.source_id, getattr(one, "split", "")) for one in rows] for rows in found] == [
        [(f"{names['train_prefs']}:1", None)],
        [(f"{names['test_prefs']}:1", Split.TEST)],
    ]
