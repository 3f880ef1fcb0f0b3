"""What all benchmarks have in common: files of another kind, bad rows, repeated ids, parts without a total."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.evaluation.benchmarks.ppe import PARTS
from pipelines.evaluation.benchmarks.registry import BENCHMARKS, MODULES
from schemas.errors import SourceError
from schemas.evaluation import Row
from schemas.preference import UnreadableRow
from tests.pipelines.evaluation.benchmarks.readings import figures_of, read, whole_counts, written
from tests.pipelines.sources.stand_in_hub import StandInHub

PUBLISHED = [kind for kind in BENCHMARKS if kind != "preference_sets"]


def pair(**changes: Any) -> dict[str, Any]:
    """Return a row as RewardBench has it."""
    row = {"prompt": "Name a prime.", "chosen": "7", "rejected": "9", "subset": "alpacaeval-easy", "id": 0}
    return row | changes


def test_each_module_is_the_kind_of_its_name() -> None:
    assert list(BENCHMARKS) == list(MODULES)
    for benchmark in BENCHMARKS.values():
        assert benchmark.published in benchmark.protocols
        assert benchmark.cells[0] == "right"
        assert bool(benchmark.hubs) != bool(benchmark.place_needed)


def test_what_must_not_be_republished_is_marked() -> None:
    restricted = {kind for kind, benchmark in BENCHMARKS.items() if benchmark.redistribution == "restricted"}
    assert restricted == {"realmistake"}


@pytest.mark.parametrize("kind", PUBLISHED)
def test_a_file_of_another_kind_names_file_row_and_field(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, [{"text": "a chapter of a book"}], "other.json")
    with pytest.raises(SourceError, match=rf"^other\.json:1: the first row has no field '\w+'.*{kind}"):
        read(path, kind)


@pytest.mark.parametrize("kind", list(BENCHMARKS))
def test_a_file_that_is_no_data_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text("[{", "utf-8")
    with pytest.raises(SourceError, match=r"broken\.json: truncated or not valid JSON"):
        read(path, kind)


def parquet(*rows: dict[str, Any]) -> bytes:
    file = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows)), file)
    return bytes(file.getvalue())


def test_the_files_of_the_hub_are_read(tmp_path: Path) -> None:
    question = {"prompt": "2 + 2 = ?", "response_1": "4", "response_2": "5", "scores": [True, False]}
    question |= {"sampled_conflict_pairs": [[0, 1]]}
    vote = {"prompt": "Hi", "response_1": "Hello.", "response_2": "No.", "winner": "model_b"}
    rewardbench = {"data/raw-00000.parquet": parquet(pair(id=1)), "data/filtered-00000.parquet": parquet(pair(id=2))}
    with StandInHub(
        {BENCHMARKS["ppe"].hubs[0]: {"data/test-00000.parquet": parquet(vote)}, "allenai/reward-bench": rewardbench}
        | {hub: {"data/train-00000.parquet": parquet(question)} for hub in BENCHMARKS["ppe"].hubs[1:]}
    ) as hub:
        found = {}
        for kind in ("rewardbench", "ppe"):
            benchmark = BENCHMARKS[kind]
            section = benchmark.section.model_validate({"kind": kind})
            opened = benchmark.open(section, tmp_path, endpoint=hub.endpoint, cache=tmp_path / "cache")
            found[kind] = [row for files in opened for row in benchmark.read(section, files)]
    assert [getattr(row, "row_id", row) for row in found["rewardbench"]] == ["alpacaeval-easy/2"]
    assert [getattr(row, "row_id", row) for row in found["ppe"]] == ["human/1", *(f"{part}/1/0" for part in PARTS)]


def test_a_bad_row_is_counted_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps(pair()), "{broken", json.dumps(pair(id=1, chosen=None)), json.dumps(pair(id=2))]
    path.write_text("\n".join(lines), "utf-8")
    found = read(path, "rewardbench")
    assert [row.reason if isinstance(row, UnreadableRow) else row.row_id for row in found] == [
        "alpacaeval-easy/0",
        "bad_json",
        "missing_field",
        "alpacaeval-easy/2",
    ]


def test_a_repeated_id_is_unreadable(tmp_path: Path) -> None:
    first, second = read(written(tmp_path, [pair(), pair(chosen="11")]), "rewardbench")
    assert isinstance(first, Row)
    assert isinstance(second, UnreadableRow)
    assert (second.source_id, second.reason) == ("rows.json:2", "repeated_id")


@pytest.mark.parametrize("kind", PUBLISHED)
def test_a_part_of_a_benchmark_has_no_total(kind: str) -> None:
    benchmark = BENCHMARKS[kind]
    counts = whole_counts(benchmark)
    means = dict.fromkeys(counts, [1.0] * len(benchmark.cells))
    total = "correctness" if kind == "ppe" else "total"
    assert total in figures_of(benchmark, means, counts)
    assert benchmark.is_whole(counts)
    known = next(subset for subset, rows in benchmark.whole.items() if rows is not None or kind == "ppe")
    missing = {subset: rows for subset, rows in counts.items() if subset not in (known, "MATH")}
    assert total not in figures_of(benchmark, means, missing)
    if kind != "ppe":
        short = counts | {known: counts[known] - 1}
        assert total not in figures_of(benchmark, means, short)
    assert not benchmark.is_whole(missing)


@pytest.mark.parametrize("kind", ["ppe", "rmb"])
def test_where_nobody_says_how_many_rows_there_are_a_limit_decides(kind: str) -> None:
    benchmark = BENCHMARKS[kind]
    counts = whole_counts(benchmark)
    means = np.ones((len(counts), len(benchmark.cells)))
    assert benchmark.is_whole(counts)
    assert not benchmark.is_whole(counts, limited=True)
    known = {subset for subset, rows in benchmark.whole.items() if rows is not None}
    assert set(benchmark.figures(counts, means, limited=True)) == known


@pytest.mark.parametrize("kind", list(BENCHMARKS))
def test_figures_are_linear_and_keep_the_leading_axes(kind: str) -> None:
    benchmark = BENCHMARKS[kind]
    counts = whole_counts(benchmark) or {"mine": 3}
    draws = np.random.default_rng(0).random((2, 5, len(counts), len(benchmark.cells)))
    first, second = (benchmark.figures(counts, part) for part in draws)
    both = benchmark.figures(counts, draws.mean(axis=0))
    assert first and set(first) == set(both)
    for name, values in both.items():
        assert values.shape == (5,)
        np.testing.assert_allclose(values, (first[name] + second[name]) / 2)
