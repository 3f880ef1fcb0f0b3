"""Nectar: seven answers by rank, and a prompt that is a transcript."""

from pathlib import Path
from typing import Any

import pytest

from schemas.preference import DropReason, LabelSource
from tests.pipelines.sources.readings import best_text, one_set, reason_of


def ranked(*ranks: Any, **changes: Any) -> dict[str, Any]:
    """Return a row as Nectar writes it."""
    answers = [{"answer": f"answer {place}", "model": f"m{place}", "rank": rank} for place, rank in enumerate(ranks)]
    return {
        "prompt": "\n\nHuman: Name a prime. \n\nAssistant: ",
        "answers": answers,
        "turns": 1,
        "num_responses": 7,
        "source": ["lmsys-chat-1m"],
        "good_natured": True,
        **changes,
    }


SEVEN = (3.0, 1.0, 2.0, 7.0, 5.0, 6.0, 4.0)


def test_the_first_rank_is_best_whatever_the_order(tmp_path: Path) -> None:
    prompt = "\n\nHuman: Hi \n\nAssistant: Hello.\n\nHuman: A prime? \n\nAssistant: "
    found = one_set(tmp_path, "nectar", [ranked(*SEVEN, prompt=prompt)])
    assert (best_text(found), found.margin, found.n_responses) == ("answer 1", 1.0, 7)
    assert [tuple(turn) for turn in found.query] == [("user", "Hi"), ("assistant", "Hello."), ("user", "A prime?")]
    assert {one.model: one.reward for one in found.responses}["m3"] == 0
    assert (found.label_source, found.license) == (LabelSource.MODEL, "Apache-2.0")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (ranked(*SEVEN), None),
        (ranked(1.0, 1.0, 2.0), DropReason.TIE),
        (ranked(1.0), DropReason.TOO_FEW_RESPONSES),
        (ranked(1.0, 0.0), "bad_rank"),
        (ranked(1.0, 3.0), "bad_rank"),
        (ranked(1.0, None), "bad_rank"),
        (ranked(1.0, 1.5), "bad_rank"),
        (ranked(1.0, 2.0, prompt="Name a prime."), "no_transcript"),
        (ranked(1.0, 2.0, prompt="\n\nHuman: Name a prime.\n\nAssistant: 7"), "no_transcript"),
        (ranked(1.0, 2.0, prompt=""), "empty_field"),
        (ranked(1.0, 2.0, answers=None), "missing_field"),
        (ranked(1.0, 2.0, answers=["a", "b"]), "not_an_object"),
        (ranked(1.0, 2.0, source=["ultrafeedback", "truthful_qa"]), DropReason.CONTAMINATED),
        (ranked(answers=[{"answer": "7", "rank": rank} for rank in (1, 2)]), DropReason.DUPLICATE_RESPONSES),
    ],
)
def test_traps(tmp_path: Path, row: dict[str, Any], reason: str | None) -> None:
    assert reason_of(tmp_path, "nectar", row) == reason


def test_a_condition_leaves_harmful_prompts_out(tmp_path: Path) -> None:
    rows = [ranked(*SEVEN, good_natured=False), ranked(*SEVEN)]
    assert one_set(tmp_path, "nectar", rows, where="good_natured").source_id == "train.jsonl.gz:2"
