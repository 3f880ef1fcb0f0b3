"""Benchmarks in the rows: what the card, the report, the last lines and an example say of them."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.reporting.attention import attention
from pipelines.reporting.contamination import announced, contamination_rows, contamination_sentences
from pipelines.reporting.example_parts import Example, facts
from pipelines.reporting.report import card_of, report_of
from pipelines.reporting.source_funnels import source_funnels
from tests.pipelines.reporting.small_snapshot import HOSTILE, small

CHECK: dict[str, Any] = {
    "over": "drop",
    "shingles": 3,
    "similarity": 0.5,
    "benchmarks": [{"benchmark": "llmbar", "rows": 419, "source": "llmbar", "revision": "9"}],
    "own": [{"source": "telecom", "benchmark": "teleqna"}],
    "hits": [
        {"source": "telecom", "benchmark": "llmbar", "tier": "drop", "rows": 1_200},
        {"source": "telecom", "benchmark": "llmbar", "tier": "mark", "rows": 3},
    ],
}


def test_the_card_the_report_and_the_last_lines_count_by_benchmark_and_tier(tmp_path: Path) -> None:
    made = small()
    made.checks["contamination"] = CHECK
    snapshot, stage = made.published(tmp_path)

    for page in (card_of(snapshot.manifest), report_of(snapshot.manifest, stage)):
        for said in ("llmbar (419)", "telecom is a benchmark", "left out", "1,200", "marked"):
            assert said in page.replace("\\", ""), said
    lines = attention(snapshot.manifest, source_funnels(snapshot.manifest, stage.paths))
    assert (
        "telecom holds queries of benchmarks: 1,200 left out (llmbar 1,200) and 3 marked (llmbar 3); the column "
        "contaminated_by names each." in lines
    )


@pytest.mark.parametrize("checks", [{}, {"contamination": None}])
def test_a_snapshot_of_before_says_nothing_of_benchmarks(tmp_path: Path, checks: dict[str, Any]) -> None:
    made = small()
    made.checks |= checks
    snapshot, stage = made.published(tmp_path)

    assert "## Benchmarks" not in card_of(snapshot.manifest)
    assert "No row was compared with a benchmark" in report_of(snapshot.manifest, stage)
    assert contamination_rows(checks) == contamination_sentences(checks) == []


def test_names_are_shown_as_names(tmp_path: Path) -> None:
    made = small()
    hits = [{"source": HOSTILE, "benchmark": HOSTILE, "tier": "drop", "rows": 1}]
    made.checks["contamination"] = CHECK | {"hits": hits, "own": [{"source": HOSTILE, "benchmark": "b"}]}
    snapshot, stage = made.published(tmp_path)

    for page in (card_of(snapshot.manifest), report_of(snapshot.manifest, stage)):
        assert "<script" not in page.replace("\\<", "")
    assert all("\n" not in line and "\x1b" not in line for line in announced(snapshot.manifest.checks["contamination"]))


def test_an_example_names_the_benchmark_and_the_overlap() -> None:
    row = {"contaminated_by": "llmbar", "contaminated_row": "00ff", "overlap": 0.619, "drop_reason": "contaminated"}

    assert "holds 62% of a query of llmbar (row 00ff)" in facts(Example("sets/dropped", row))
    assert not [fact for fact in facts(Example("sets/kept", {"contaminated_by": None})) if "holds" in fact]
