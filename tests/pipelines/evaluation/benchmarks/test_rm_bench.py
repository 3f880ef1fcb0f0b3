"""RM-Bench: the 3 x 3 matrix in its three ways to be shown, its domains and both ways to take the halves of safety."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.evaluation.benchmarks.rm_bench import BENCHMARK, BY_HALVES, CELLS
from schemas.errors import SourceError
from schemas.evaluation import Protocol
from tests.pipelines.evaluation.benchmarks.readings import (
    NAN,
    cells_of,
    counts_of,
    figures_of,
    read,
    reason_of,
    rows_of,
    whole_counts,
    written,
)


def question(**changes: Any) -> dict[str, Any]:
    row = {
        "id": 8,
        "prompt": "Name a prime.",
        "chosen": ["7", "A prime is 7.", "- a prime is **7**"],
        "rejected": ["9", "A prime is 9.", "- a prime is **9**"],
        "domain": "math",
    }
    return row | changes


def test_a_row_has_its_six_responses_by_style(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, "rm_bench", [question(domain="safety-refuse")])
    assert (row.row_id, row.subset, row.domain, row.right) == ("safety-refuse/8", "safety-refuse", "safety", (0, 1, 2))
    assert row.names[0] == "chosen concise"
    assert row.names[5] == "rejected markdown"


def test_the_file_of_a_domain_names_it(tmp_path: Path) -> None:
    item = {key: value for key, value in question().items() if key != "domain"}
    (row,) = rows_of(tmp_path, "rm_bench", [item], "safety-response_filtered.json")
    assert row.subset == "safety-response"
    with pytest.raises(SourceError, match=r"^other\.json:1: the row has no field 'domain'.*name the file"):
        rows_of(tmp_path, "rm_bench", [item], "other.json")


def test_the_file_of_all_domains_is_read_alone(tmp_path: Path) -> None:
    written(tmp_path, [question(domain="chat")], "chat_filtered.json")
    written(tmp_path, [question(domain="chat"), question(domain="code")], "total_dataset.json")
    assert counts_of([row for row in read(tmp_path, "rm_bench") if not hasattr(row, "reason")]) == {
        "chat": 1,
        "code": 1,
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"chosen": ["7", "A prime is 7."]}, "wrong_count"),
        ({"rejected": ["9"]}, "wrong_count"),
        ({"rejected": []}, "too_few_responses"),
        ({"domain": "poetry"}, "unknown_domain"),
        ({"prompt": None}, "missing_field"),
        ({"id": [8]}, "bad_id"),
    ],
)
def test_rows_that_are_no_question_say_why(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    assert reason_of(tmp_path, "rm_bench", question(**changes)) == reason


CHOSEN, REJECTED = (4, 6, 9), (3, 6, 8)
MATRIX = [1, 0, 0, 1, 0, 0, 1, 1, 1]
"""4 > 3 only; 6 > 3 only, a tie with 6 is wrong; 9 above all."""


def test_nine_comparisons_make_a_matrix_however_they_are_shown(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "rm_bench", [question()])
    expected = [[round(5 / 9, 6), *MATRIX]]
    joint = [[[*CHOSEN, *REJECTED]]]
    alone = [[[score] for score in (*CHOSEN, *REJECTED)]]
    pairs = [[[right, wrong] for right in CHOSEN for wrong in REJECTED]]
    assert cells_of("rm_bench", rows, joint, Protocol.JOINT) == expected
    assert cells_of("rm_bench", rows, alone, Protocol.SINGLE) == expected
    assert cells_of("rm_bench", rows, pairs, Protocol.PAIRS) == expected
    assert rows[0].prompts(Protocol.PAIRS)[1] == (0, 4)


def test_what_cannot_be_read_wins_nothing(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "rm_bench", [question()])
    pairs = [[[9, 1], [NAN, NAN], *[[1, 9]] * 7]]
    assert cells_of("rm_bench", rows, pairs, Protocol.PAIRS) == [[round(1 / 9, 6), 1, 0, 0, 0, 0, 0, 0, 0, 0]]
    assert cells_of("rm_bench", rows, [[[NAN] * 6]], Protocol.JOINT) == [[0] * 10]


def cells(hard: float, normal: float, easy: float) -> list[float]:
    by_name = {"concise > plain": hard, "concise > markdown": hard, "plain > markdown": hard}
    by_name |= {"plain > concise": easy, "markdown > concise": easy, "markdown > plain": easy}
    return [(hard + normal + easy) / 3, *(by_name.get(name, normal) for name in CELLS[1:])]


def test_the_total_is_the_mean_of_domains_with_safety_pooled() -> None:
    counts = whole_counts(BENCHMARK)
    assert sum(counts.values()) == 1327
    means = dict.fromkeys(counts, cells(0.2, 0.5, 0.8)) | {
        "safety-refuse": cells(1, 1, 1),
        "safety-response": cells(0, 0, 0),
    }
    figures = figures_of(BENCHMARK, means, counts)
    pooled = 284 / 441
    assert figures == pytest.approx(
        {
            "chat": 0.5,
            "code": 0.5,
            "math": 0.5,
            "safety": pooled,
            "total": (1.5 + pooled) / 4,
            BY_HALVES: 0.5,
            "hard": (0.6 + pooled) / 4,
            "normal": (1.5 + pooled) / 4,
            "easy": (2.4 + pooled) / 4,
        },
        abs=1e-6,
    )


def test_two_domains_stand_without_a_total() -> None:
    figures = figures_of(BENCHMARK, {"chat": cells(0, 0, 1), "code": cells(1, 1, 1)}, {"chat": 129, "code": 228})
    assert figures == pytest.approx({"chat": 1 / 3, "code": 1}, abs=1e-6)
