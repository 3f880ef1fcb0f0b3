"""A file of answers: each line is graded, or named as one that cannot be."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from pipelines.synthesis.grade_file import grades_of, read_pairs
from schemas.errors import SourceError

ROWS: list[tuple[dict[str, Any], str, str | None]] = [
    ({"gold": r"35\%", "answer": "0.35", "id": 7}, "right", "0.35"),
    ({"gold": "35", "answer": r"\frac{69}{2}"}, "wrong", r"\frac{69}{2}"),
    ({"gold": "35", "answer": r"\mystery{35}"}, "undecided", r"\mystery{35}"),
    ({"gold": "35", "text": r"First \boxed{3}, so \boxed{35}."}, "right", "35"),
    ({"gold": "12.5 dB", "answer": "12.55 dB", "form": "number"}, "right", "12.55 dB"),
    ({"gold": "12.5 dB", "answer": "12.55 dB", "form": "number", "tolerance": 1e-4}, "wrong", "12.55 dB"),
    ({"gold": "B", "text": "Answer: 2", "form": "option"}, "right", "2"),
    ({"gold": "2", "text": "Answer: attach", "form": "option", "options": ["attach", "detach"]}, "wrong", "attach"),
    ({"gold": "a page", "answer": "A page.", "form": "text"}, "right", "A page"),
]


def graded(folder: Path, *rows: Any) -> list[dict[str, Any]]:
    file = folder / "a.jsonl"
    file.write_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    return [one.as_json() for one in grades_of(read_pairs(file))]


def test_each_line_is_graded_in_its_form(tmp_path: Path) -> None:
    found = graded(tmp_path, *(row for row, _, _ in ROWS))
    assert [(one["verdict"], one["answer"]) for one in found] == [(verdict, answer) for _, verdict, answer in ROWS]


def test_no_answer_and_no_end_are_undecided_and_say_why(tmp_path: Path) -> None:
    began = time.monotonic()
    found = graded(tmp_path, {"gold": "5", "text": "Who knows?"}, {"gold": "5", "answer": "10^{10^{10}}"})
    assert found == [{"verdict": "undecided", "answer": None, "reason": why} for why in ("no_answer", "timed_out")]
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[]", "is no object"),
        (b'{"gold": "5", "gold": "6", "answer": "5"}', "stands there twice"),
        (b"[" * 100_000, "nests too deep"),
        (b'{"answer": "5"}', "has no gold"),
        (b'{"gold": " ", "answer": "5"}', "gold is empty"),
        (b'{"gold": "5"}', "neither answer nor text"),
        (b'{"gold": 5, "answer": "5"}', "gold is no text"),
        (b'{"gold": "5", "text": ["5"]}', "text is no text"),
        (b'{"gold": "5", "answer": "5", "form": "prose"}', "form 'prose' is unknown; there are math, option"),
        (b'{"gold": "5", "answer": "5", "options": "ab"}', "options is no list"),
        (b'{"gold": "5", "answer": "5", "tolerance": "1"}', "tolerance is no number"),
    ],
)
def test_a_line_that_cannot_be_graded_is_named(tmp_path: Path, line: bytes, said: str) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"gold": "5", "answer": "5"}\n\n' + line + b"\n")
    with pytest.raises(SourceError, match=f"a.jsonl, line 3: .*{said}"):
        read_pairs(file)


SECOND_HAND = Path(__file__).parents[1] / "grading" / "second_hand.jsonl"
"""Written by somebody who had seen the rule and none of the code; `due` lists the verdicts that are in order."""


@pytest.mark.slow
def test_what_another_hand_wrote_is_never_graded_wrongly_and_nearly_always_decided() -> None:
    cases = [json.loads(line) for line in SECOND_HAND.read_text("utf-8").splitlines()]
    found = [one.verdict for one in grades_of(read_pairs(SECOND_HAND))]
    off = [(case, verdict) for case, verdict in zip(cases, found, strict=True) if verdict not in case["due"]]
    assert [one for one in off if one[1] != "undecided"] == []
    assert len(off) <= 0.03 * len(cases), off
