"""JudgeBench: two decisions a pair, counted as the authors count them, and its sections."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.evaluation.benchmarks.judgebench import BENCHMARK
from schemas.evaluation import Protocol
from tests.pipelines.evaluation.benchmarks.readings import (
    NAN,
    cells_of,
    figures_of,
    reason_of,
    rights,
    rows_of,
    whole_counts,
)


def pair(**changes: Any) -> dict[str, Any]:
    row = {
        "pair_id": "a1",
        "original_id": "10646",
        "source": "mmlu-pro-math",
        "question": "What is 7 + 5?",
        "response_model": "gpt-4o-2024-05-13",
        "response_A": "12",
        "response_B": "13",
        "label": "A>B",
    }
    return row | changes


def test_the_label_names_the_right_answer(tmp_path: Path) -> None:
    first, second = rows_of(tmp_path, "judgebench", [pair(), pair(pair_id="a2", label="B>A", source="livecodebench")])
    assert (first.row_id, first.right, first.subset, first.domain) == ("a1", (0,), "gpt-4o mmlu-pro", "mmlu-pro-math")
    assert (second.right, second.subset) == ((1,), "gpt-4o livecodebench")


def test_a_file_names_the_model_where_rows_do_not(tmp_path: Path) -> None:
    item = {key: value for key, value in pair().items() if key != "response_model"}
    (row,) = rows_of(tmp_path, "judgebench", [item], "response_model=claude-3-5-sonnet-20240620.json")
    assert row.subset == "claude-3-5-sonnet mmlu-pro"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"label": "A=B"}, "unknown_label"),
        ({"label": None}, "missing_field"),
        ({"label": 1}, "not_text"),
        ({"source": "arena"}, "unknown_source"),
        ({"response_model": "llama"}, "unknown_source"),
        ({"response_B": None}, "missing_field"),
    ],
)
def test_rows_that_are_no_pair_say_why(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    assert reason_of(tmp_path, "judgebench", pair(**changes)) == reason


RIGHT, WRONG, TIE, UNREAD = [9, 1], [1, 9], [5, 5], [NAN, NAN]


@pytest.mark.parametrize(
    ("orders", "right", "agreement"),
    [
        ((RIGHT, RIGHT), 1, 1),
        ((RIGHT, WRONG), 0, 0),
        ((WRONG, WRONG), 0, 1),
        ((RIGHT, TIE), 1, 0),
        ((TIE, RIGHT), 1, 0),
        ((WRONG, TIE), 0, 0),
        ((TIE, TIE), 0, 1),
        ((RIGHT, UNREAD), 1, 0),
        ((UNREAD, WRONG), 0, 0),
        ((UNREAD, UNREAD), 0, 0),
    ],
)
def test_a_pair_is_right_where_the_sum_of_both_decisions_is_above_zero(
    tmp_path: Path, orders: tuple[list[float], ...], right: float, agreement: float
) -> None:
    rows = rows_of(tmp_path, "judgebench", [pair(), pair(pair_id="a2", label="B>A")])
    flipped = [vote[::-1] for vote in orders]
    found = cells_of("judgebench", rows, [list(orders), flipped], Protocol.BOTH_ORDERS)
    assert found == [[right, agreement]] * 2


def test_other_protocols_have_one_decision(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "judgebench", [pair(pair_id=str(number)) for number in range(4)])
    votes = [RIGHT, WRONG, TIE, UNREAD]
    assert rights("judgebench", rows, [[vote] for vote in votes], Protocol.JOINT) == [1, 0, 0.5, 0]
    alone = [[[score] for score in vote] for vote in votes]
    assert rights("judgebench", rows, alone, Protocol.SINGLE) == [1, 0, 0, 0]


def test_the_total_is_the_share_of_the_350_pairs() -> None:
    counts = whole_counts(BENCHMARK)
    assert sum(counts.values()) == 620
    means = {subset: [0.0, 0.0] for subset in counts} | {
        "gpt-4o livebench-math": [1.0, 0.0],
        "claude-3-5-sonnet mmlu-pro": [1.0, 0.0],
    }
    figures = figures_of(BENCHMARK, means, counts)
    assert figures["total"] == figures["gpt-4o"] == pytest.approx(56 / 350)
    assert figures["claude-3-5-sonnet"] == pytest.approx(154 / 270, abs=1e-6)
