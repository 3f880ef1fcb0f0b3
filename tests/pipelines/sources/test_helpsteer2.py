"""HelpSteer2 and HelpSteer2-Preference: each trap, on rows written for these tests."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from pipelines.sources.helpsteer2 import turns_of
from pipelines.sources.text import RowError
from schemas.preference import DropReason, LabelSource, PreferenceSet, Split, UnreadableRow
from tests.pipelines.sources.readings import best_text, json_lines, one_set, one_unreadable, read_rows, read_source
from tests.timing import least_seconds

TWO_TURNS = "c#\n\n<extra_id_1>Assistant\nC# is a language.\nAnd more.\n\n<extra_id_1>User\nShow me"


def rated(response: str, helpfulness: Any, prompt: str = "c#") -> dict[str, Any]:
    scores = {"correctness": 3, "coherence": 4, "complexity": 2, "verbosity": 2}
    return {"prompt": prompt, "response": response, "helpfulness": helpfulness, **scores}


def compared(strength: Any, **changes: Any) -> dict[str, Any]:
    return {
        "split": "train",
        "prompt": "c#",
        "response_1": "one",
        "response_2": "two",
        "preference_strength": strength,
        "preference_statement": "So.",
        **changes,
    }


def outcomes(found: list[PreferenceSet | UnreadableRow]) -> list[tuple[str, str | None]]:
    return [
        (row.source_id.rpartition(":")[2], row.reason if isinstance(row, UnreadableRow) else row.drop_reason)
        for row in found
    ]


def test_two_rows_with_one_prompt_are_one_set(tmp_path: Path) -> None:
    found = one_set(tmp_path, "helpsteer2", [rated("good", 4), rated("bad", 1)])
    assert (best_text(found), found.margin, found.split) == ("good", 3.0, None)
    assert (found.license, found.label_source) == ("CC-BY-4.0", LabelSource.HUMAN)


def test_equal_ratings_tie(tmp_path: Path) -> None:
    assert one_set(tmp_path, "helpsteer2", [rated("one", 3), rated("two", 3)]).drop_reason is DropReason.TIE


def test_rows_that_find_no_pair_are_counted(tmp_path: Path) -> None:
    found = read_rows(
        tmp_path,
        "helpsteer2",
        [
            rated("odd", 4, "first"),
            rated("a", 4),
            rated("b", 3),
            rated("c", 4),
            rated("d", 3),
            rated("e", "N/A"),
            rated("f", 5),
            b"{",
            rated("last", 4),
        ],
    )
    assert sorted(outcomes(found)) == [
        *(("1", "unpaired"), ("2", None), ("4", None), ("6", "no_rating"), ("7", "no_rating")),
        *(("8", "bad_json"), ("9", "unpaired")),
    ]


def test_the_official_validation_file_stays_validation(tmp_path: Path) -> None:
    for name, prompt in (("train", "one"), ("validation", "two")):
        rows = json_lines([rated("a", 4, prompt), rated("b", 1, prompt)])
        (tmp_path / f"{name}.jsonl.gz").write_bytes(gzip.compress(rows))
    (tmp_path / "preference").mkdir()
    (tmp_path / "preference" / "preference.jsonl.gz").write_bytes(gzip.compress(json_lines([compared(2)])))
    found = read_source(tmp_path, "helpsteer2")
    assert [row.split for row in found if isinstance(row, PreferenceSet)] == [None, Split.VALIDATION]
    assert len(read_source(tmp_path, "helpsteer2_preference")) == 1
    assert len(read_source(tmp_path / "preference", "helpsteer2_preference")) == 1


def test_a_conversation_in_one_string_becomes_turns(tmp_path: Path) -> None:
    turns = [("user", "c#"), ("assistant", "C# is a language.\nAnd more."), ("user", "Show me")]
    assert list(turns_of(TWO_TURNS)) == turns
    assert list(turns_of(f"<extra_id_1>User\n{TWO_TURNS}")) == turns
    assert list(turns_of(f"<extra_id_0>System\nBe brief.\n<extra_id_1>User\n{TWO_TURNS}")) == [
        ("system", "Be brief."),
        *turns,
    ]
    found = one_set(tmp_path, "helpsteer2", [rated("a", 4, TWO_TURNS), rated("b", 1, TWO_TURNS)])
    assert [message.role for message in found.query] == ["user", "assistant", "user"]


def test_a_hostile_prompt_costs_no_time() -> None:
    prompt = "\n" * 900_000 + "x"
    assert turns_of(prompt)[0].role == "user"
    assert least_seconds(lambda: turns_of(prompt), 2) < 2


def test_a_prompt_without_markers_is_one_turn_as_it_stands() -> None:
    assert list(turns_of("What is <extra_id_1> in T5?\n\nUser: me")) == [
        ("user", "What is <extra_id_1> in T5?\n\nUser: me")
    ]


@pytest.mark.parametrize(
    "prompt",
    [
        "a\n\n<extra_id_1>Assistant\nb",
        "a\n\n<extra_id_1>User\nb",
        "a\n\n<extra_id_1>Assistant\nb\n\n<extra_id_1>User\n",
        "<extra_id_1>Assistant\nb\n<extra_id_1>User\nc",
    ],
)
def test_turns_that_do_not_alternate_are_unreadable(tmp_path: Path, prompt: str) -> None:
    with pytest.raises(RowError, match="bad_turns"):
        turns_of(prompt)
    assert one_unreadable(tmp_path, "helpsteer2", [rated("a", 4, prompt), rated("b", 1, prompt)]).reason == "bad_turns"


@pytest.mark.parametrize(
    ("strength", "best", "margin", "reason"),
    [
        (-3, "one", 3.0, None),
        (-1, "one", 1.0, None),
        (0, None, 0.0, DropReason.NO_PREFERENCE),
        (2, "two", 2.0, None),
        ("3", "two", 3.0, None),
    ],
)
def test_a_negative_strength_prefers_response_1(
    tmp_path: Path, strength: Any, best: str | None, margin: float, reason: DropReason | None
) -> None:
    found = one_set(tmp_path, "helpsteer2_preference", [compared(strength)])
    assert (best_text(found), found.margin, found.drop_reason) == (best, margin, reason)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"preference_strength": "N/A"}, "no_rating"),
        ({"preference_strength": 4}, "no_rating"),
        ({"preference_strength": 1.5}, "no_rating"),
        ({"split": "test"}, "bad_split"),
        ({"split": None}, "bad_split"),
        ({"response_2": None}, "missing_field"),
    ],
)
def test_comparisons_that_cannot_be_read_are_counted(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    assert one_unreadable(tmp_path, "helpsteer2_preference", [compared(1, **changes)]).reason == reason


def test_the_field_split_tells_validation_from_train(tmp_path: Path) -> None:
    found = read_rows(tmp_path, "helpsteer2_preference", [compared(1), compared(1, split="val", prompt="d#")])
    assert [row.split for row in found if isinstance(row, PreferenceSet)] == [None, Split.VALIDATION]


def test_a_pair_in_both_sets_has_one_id_whichever_way_round(tmp_path: Path) -> None:
    first = one_set(tmp_path, "helpsteer2", [rated("two", 1, TWO_TURNS), rated("one", 4, TWO_TURNS)])
    agrees = one_set(tmp_path, "helpsteer2_preference", [compared(-2, prompt=TWO_TURNS)])
    conflicts = one_set(tmp_path, "helpsteer2_preference", [compared(2, prompt=TWO_TURNS)])
    assert first.set_id == agrees.set_id == conflicts.set_id
    assert first.best == agrees.best != conflicts.best
