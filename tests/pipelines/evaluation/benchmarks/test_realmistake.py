"""ReaLMistake: one response a row, right or with an error."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.evaluation.benchmarks.realmistake import BENCHMARK, TASKS
from schemas.errors import SourceError
from schemas.evaluation import Protocol, Row
from tests.pipelines.evaluation.benchmarks.readings import (
    NAN,
    figures_of,
    read,
    reason_of,
    rights,
    rows_of,
    whole_counts,
    written,
)

FILE = f"{TASKS[0]}/gpt-4-0613.json"


def answer(**changes: Any) -> dict[str, Any]:
    row = {
        "input": "Write a problem whose answer is 12.",
        "llm_response": "What is 7 + 6?",
        "label": "error",
        "human_explanation": "7 + 6 is 13.",
        "error_categories": ["Reasoning Correctness"],
        "metadata": {"llm_response_model": "gpt-4-0613", "task": TASKS[0]},
    }
    return row | changes


def test_a_response_is_right_where_it_has_no_error(tmp_path: Path) -> None:
    first, second = rows_of(tmp_path, "realmistake", [answer(), answer(label="no_error")], FILE)
    assert (first.right, second.right) == ((), (0,))
    assert (first.row_id, first.subset, first.domain) == (f"{TASKS[0]}/gpt4/1", f"{TASKS[0]} gpt4", TASKS[0])
    assert first.reference == "7 + 6 is 13."


def test_the_layout_of_the_hub_is_read(tmp_path: Path) -> None:
    item = {key: value for key, value in answer(metadata=None).items() if key != "label"} | {"error_label": "no_error"}
    (tmp_path / TASKS[2] / "llama2").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([item]), tmp_path / TASKS[2] / "llama2" / "0000.parquet")
    (row,) = read(tmp_path, "realmistake")
    assert isinstance(row, Row)
    assert (row.subset, row.right) == (f"{TASKS[2]} llama2", (0,))


def test_a_path_must_name_task_and_model(tmp_path: Path) -> None:
    path = written(tmp_path, [answer(metadata=None)], "mine.json")
    with pytest.raises(SourceError, match=r"^mine\.json:1: the path 'mine\.json' names no task and model; keep"):
        read(path, "realmistake")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"label": "maybe"}, "unknown_label"),
        ({"label": None}, "missing_field"),
        ({"llm_response": None}, "missing_field"),
    ],
)
def test_rows_that_are_none_say_why(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    assert reason_of(tmp_path, "realmistake", answer(**changes), FILE) == reason


def test_accuracy_asks_on_which_side_of_the_middle_the_mean_score_is(tmp_path: Path) -> None:
    items = [answer(), answer(), answer(label="no_error"), answer(label="no_error"), answer()]
    rows = rows_of(tmp_path, "realmistake", items, FILE)
    votes = [[[2]], [[9]], [[9]], [[5.5]], [[NAN]]]
    assert rights("realmistake", rows, votes, Protocol.SINGLE) == [1, 0, 1, 0.5, 0]


def test_the_total_is_the_mean_of_all_900_rows() -> None:
    counts = whole_counts(BENCHMARK)
    assert sum(counts.values()) == 900
    means = {subset: [0.0] for subset in counts} | {f"{TASKS[1]} llama2": [1.0]}
    assert figures_of(BENCHMARK, means, counts)["total"] == pytest.approx(160 / 900, abs=1e-6)
