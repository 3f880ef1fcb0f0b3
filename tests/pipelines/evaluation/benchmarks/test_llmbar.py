"""LLMBar: accuracy over both orders and agreement, for judges that choose and for judges that rate."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.evaluation.benchmarks.llmbar import BENCHMARK
from schemas.errors import SourceError
from schemas.evaluation import Protocol
from tests.pipelines.evaluation.benchmarks.readings import (
    NAN,
    cells_of,
    counts_of,
    figures_of,
    read,
    reason_of,
    rights,
    rows_of,
    whole_counts,
    written,
)


def pair(**changes: Any) -> dict[str, Any]:
    return {"input": "Name a prime.", "output_1": "7", "output_2": "9 is one, clearly.", "label": 1} | changes


def test_the_file_or_its_folder_names_the_subset(tmp_path: Path) -> None:
    written(tmp_path, [pair(), pair(label=2)], "Natural.json")
    written(tmp_path, [pair()], "Adversarial/Neighbor/dataset.json")
    written(tmp_path, [pair()], "judged/natural_gpt4_result.json")
    rows = read(tmp_path, "llmbar")
    assert counts_of(rows) == {"Neighbor": 1, "Natural": 2}  # type: ignore[arg-type]
    assert [row.row_id for row in rows] == ["Neighbor/1", "Natural/1", "Natural/2"]  # type: ignore[union-attr]
    assert [row.right for row in rows] == [(0,), (0,), (1,)]  # type: ignore[union-attr]
    with pytest.raises(SourceError, match=r"^mine\.json:1: neither the file nor its folder.*Natural\.json"):
        read(written(tmp_path, [pair()], "mine.json"), "llmbar")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"label": 0}, "bad_label"),
        ({"label": None}, "bad_label"),
        ({"label": 3}, "bad_label"),
        ({"input": ""}, "empty_field"),
    ],
)
def test_rows_that_are_no_pair_say_why(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    assert reason_of(tmp_path, "llmbar", pair(**changes), "Manual.json") == reason


RIGHT, WRONG, TIE, UNREAD = [9, 1], [1, 9], [5, 5], [NAN, NAN]


@pytest.mark.parametrize(
    ("orders", "right", "agreement", "both"),
    [
        ((RIGHT, RIGHT), 1, 1, 1),
        ((RIGHT, WRONG), 0.5, 0, 0),
        ((WRONG, WRONG), 0, 1, 0),
        ((RIGHT, TIE), 0.75, 0, 0),
        ((RIGHT, UNREAD), 0.5, 0, 0),
        ((UNREAD, UNREAD), 0, 0, 0),
    ],
)
def test_accuracy_is_the_mean_of_both_orders(
    tmp_path: Path, orders: tuple[list[float], ...], right: float, agreement: float, both: float
) -> None:
    rows = rows_of(tmp_path, "llmbar", [pair(), pair(label=2)], "Natural.json")
    flipped = [vote[::-1] for vote in orders]
    assert cells_of("llmbar", rows, [list(orders), flipped], Protocol.BOTH_ORDERS) == [[right, agreement, both]] * 2


@pytest.mark.parametrize(
    ("ratings", "expected"),
    [
        ((6, 1), [1, 1, 1]),
        ((1, 6), [0, 1, 0]),
        ((9, 9), [0.5, 0, 0]),
        ((NAN, 9), [0.5, 0, 0]),
        ((NAN, NAN), [0.5, 0, 0]),
    ],
)
def test_a_tie_and_an_unreadable_rating_count_half(
    tmp_path: Path, ratings: tuple[float, float], expected: list[float]
) -> None:
    rows = rows_of(tmp_path, "llmbar", [pair(), pair(label=2)], "Natural.json")
    votes = [[[rating] for rating in ratings], [[rating] for rating in ratings[::-1]]]
    assert cells_of("llmbar", rows, votes, Protocol.SINGLE) == [expected] * 2


def test_shown_together_there_is_accuracy_alone(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "llmbar", [pair()] * 4, "Natural.json")
    votes = [[vote] for vote in (RIGHT, WRONG, TIE, UNREAD)]
    assert rights("llmbar", rows, votes, Protocol.JOINT) == [1, 0, 0.5, 0]
    assert len(cells_of("llmbar", rows, votes, Protocol.JOINT)[0]) == 1


def test_the_total_is_the_plain_mean_of_five_subsets() -> None:
    counts = whole_counts(BENCHMARK)
    assert sum(counts.values()) == 419
    means = {subset: [0.2 * place, 1.0, 0.0] for place, subset in enumerate(counts)}
    figures = figures_of(BENCHMARK, means, counts)
    assert figures["Natural"] == 0
    assert figures["Adversarial"] == pytest.approx(0.5)
    assert figures["total"] == pytest.approx(0.4)
    assert figures["total agreement"] == 1
    assert "total agreement" not in figures_of(BENCHMARK, {name: cells[:1] for name, cells in means.items()}, counts)
