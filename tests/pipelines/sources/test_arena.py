"""Arena votes: two conversations, ties, and the older layout whose turns are JSON in a CSV file."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from schemas.preference import DropReason, LabelSource, PreferenceSet
from tests.pipelines.sources.readings import best_text, one_set, read_source, reason_of


def turns(*texts: Any) -> list[dict[str, Any]]:
    parts = [[{"type": "text", "text": text, "image": None, "mimeType": None}] for text in texts]
    return [{"role": ("user", "assistant")[place % 2], "content": part} for place, part in enumerate(parts)]


def vote(winner: Any = "model_a", **changes: Any) -> dict[str, Any]:
    """Return a row as the set of 140,000 votes writes it."""
    return {
        "id": "1",
        "model_a": "m-a",
        "model_b": "m-b",
        "winner": winner,
        "conversation_a": turns("Name a prime.", "7"),
        "conversation_b": turns("Name a prime.", "9"),
        "language": "en",
        "is_code": False,
        **changes,
    }


def old_vote(winner: str = "a", **changes: Any) -> dict[str, Any]:
    flags = {f"winner_{name}": int(name.endswith(winner)) for name in ("model_a", "model_b", "tie")}
    texts = {"prompt": '["Name a prime."]', "response_a": '["7"]', "response_b": '["9"]'}
    return {"id": 1, "model_a": "m-a", "model_b": "m-b", **texts, **flags, **changes}


@pytest.mark.parametrize("row", [vote(), old_vote(), vote(conversation_a=json.dumps(turns("Name a prime.", "7")))])
def test_the_winner_is_best(tmp_path: Path, row: dict[str, Any]) -> None:
    found = one_set(tmp_path, "arena", [row])
    assert (best_text(found), found.label_source, found.margin) == ("7", LabelSource.HUMAN, 1.0)
    assert {one.model: one.text for one in found.responses} == {"m-a": "7", "m-b": "9"}
    assert found.query[-1].content == "Name a prime."


def test_the_second_conversation_can_win(tmp_path: Path) -> None:
    found = [one_set(tmp_path, "arena", [row]) for row in (vote("model_b"), old_vote("b"))]
    assert [best_text(one) for one in found] == ["9", "9"]
    assert {one.text: one.model for one in found[0].responses} == {"7": "m-a", "9": "m-b"}


def test_turns_that_each_model_answered_for_itself_are_its_answer(tmp_path: Path) -> None:
    said = ("Name a prime.", "7", "Another.", "11"), ("Name a prime.", "9", "Another.", "15")
    found = one_set(tmp_path, "arena", [vote(conversation_a=turns(*said[0]), conversation_b=turns(*said[1]))])
    assert (len(found.query), best_text(found)) == (1, "11")
    assert all(one.turns is not None and len(json.loads(one.turns)) == 3 for one in found.responses)


PICTURE = [{"role": "user", "content": [{"type": "image", "image": "x"}]}, {"role": "assistant", "content": "7"}]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (vote("tie"), DropReason.NO_PREFERENCE),
        (vote("both_bad"), DropReason.NO_PREFERENCE),
        (vote("tie (bothbad)"), DropReason.NO_PREFERENCE),
        (old_vote("tie"), DropReason.NO_PREFERENCE),
        (vote("model_c"), "bad_winner"),
        (vote(None), "bad_winner"),
        (old_vote(winner_tie=1), "bad_winner"),
        (old_vote(winner_model_b="x"), "bad_winner"),
        (old_vote(winner_tie=None), "bad_winner"),
        (old_vote(winner_model_a=0), "bad_winner"),
        (old_vote(winner_model_b=1, winner_tie=1), "bad_winner"),
        (vote(conversation_b=turns("Another question.", "9")), "no_prompt"),
        (vote(conversation_b=turns("Name a prime.")), "bad_response"),
        (vote(conversation_a=None), "missing_field"),
        (vote(conversation_a="no turns"), "not_a_list"),
        (vote(conversation_a=PICTURE, conversation_b=PICTURE), "holds_image"),
        (vote(conversation_b=turns("Name a prime.", "7")), DropReason.DUPLICATE_RESPONSES),
        (old_vote(response_a='["7", "8"]'), "lengths_differ"),
        (old_vote(response_a='["7'), "bad_json"),
        (old_vote(response_a="[null]"), "missing_field"),
        (old_vote(prompt="{}"), "not_a_list"),
    ],
)
def test_traps(tmp_path: Path, row: dict[str, Any], reason: str | None) -> None:
    assert reason_of(tmp_path, "arena", row) == reason


def test_the_older_set_is_read_from_its_csv_file(tmp_path: Path) -> None:
    with (tmp_path / "train.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(old_vote()))
        writer.writeheader()
        writer.writerows([old_vote("b"), old_vote("tie")])
    won, tie = read_source(tmp_path, "arena")
    assert isinstance(won, PreferenceSet) and isinstance(tie, PreferenceSet)
    assert (best_text(won), tie.drop_reason, won.source_id) == ("9", DropReason.NO_PREFERENCE, "train.csv:1")
