"""JudgeBench: 350 pairs of answers by GPT-4o and 270 by Claude 3.5 Sonnet, one of each right (arXiv 2410.12784).

    {"pair_id": "81ec57f2-..", "original_id": "10646", "source": "mmlu-pro-math", "question": "What is 7 + 5?",
     "response_model": "gpt-4o-2024-05-13", "response_A": "12", "response_B": "13", "label": "A>B"}

Each pair is shown in both orders. A right decision counts 1, a wrong one -1, a tie or an unreadable answer 0: the pair
is right only where the sum is above 0, so one right and one tie is right. Figures are by source (mmlu-pro-*,
livebench-reasoning, livebench-math, livecodebench), for each of the two models that wrote the answers. The total is
the share of GPT-4o's 350 pairs, the figure of the paper's tables. Scored one by one, the one decision counts, and a tie
is wrong; shown together without a fixed order, a tie counts half.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pipelines.evaluation.benchmarks.benchmark import Benchmark, Place
from pipelines.evaluation.benchmarks.rules import (
    TOTAL,
    Floats,
    decisions,
    given,
    one_cell_strict_alone,
    subset_means,
    weighted_mean,
)
from pipelines.evaluation.benchmarks.values import identifier, one_of, query, response
from pipelines.sources.text import RowError, filled_text, shown
from schemas.evaluation import Protocol, Row

SOURCES = ("mmlu-pro", "livebench-reasoning", "livebench-math", "livecodebench")
ROWS = {"gpt-4o": (154, 98, 56, 42), "claude-3-5-sonnet": (154, 51, 34, 31)}
"""Rows by source of each model that wrote the answers; response_model begins with these names."""
WHOLE = {
    f"{model} {source}": rows
    for model, by_source in ROWS.items()
    for source, rows in zip(SOURCES, by_source, strict=True)
}


def _row_of(section: Any, item: dict[str, Any], place: Place) -> Iterable[Row]:
    source = filled_text(item.get("source"), "source")
    writer = item.get("response_model") or place.file
    model = next((model for model in ROWS if model in str(writer)), None)
    group = next((group for group in SOURCES if source.startswith(group)), None)
    if model is None or group is None:
        raise RowError("unknown_source", f"source {shown(source)} of {shown(writer)} is none of JudgeBench's")
    yield Row(
        row_id=identifier(item.get("pair_id"), "pair_id"),
        subset=f"{model} {group}",
        query=query(item.get("question"), "question"),
        responses=tuple(response(item.get(f"response_{side}"), f"response_{side}") for side in "AB"),
        names=("A", "B"),
        right=(("A>B", "B>A").index(one_of(item.get("label"), "label", ("A>B", "B>A"))),),
        domain=source,
    )


def _score(rows: Sequence[Row], votes: Floats, protocol: Protocol) -> Floats:
    if protocol is not Protocol.BOTH_ORDERS:
        return one_cell_strict_alone(rows, votes, protocol)
    both = decisions(rows, votes, protocol)
    return np.stack([np.nansum(both, axis=-1) > 0, both[..., 0] == both[..., 1]], axis=-1).astype(float)


def _totals(groups: Sequence[str], means: Floats) -> dict[str, Floats]:
    subsets = subset_means(groups, means)
    models = {model: weighted_mean(subsets, _of(model)) for model in ROWS}
    return subsets | given(models | {TOTAL: models["gpt-4o"]})


def _of(model: str) -> dict[str, int]:
    return {subset: rows for subset, rows in WHOLE.items() if subset.startswith(f"{model} ")}


BENCHMARK = Benchmark(
    kind="judgebench",
    hubs=("ScalerLab/JudgeBench",),
    patterns=("*.jsonl", "*.jsonl.gz", "*.parquet"),
    license="MIT",
    unit="pair",
    fields=("pair_id", "source", "question", "response_A", "response_B", "label"),
    whole=WHOLE,
    protocols=(Protocol.JOINT, Protocol.BOTH_ORDERS, Protocol.SINGLE),
    published=Protocol.BOTH_ORDERS,
    cells=("right", "agreement"),
    make=_row_of,
    score=_score,
    totals=_totals,
)
