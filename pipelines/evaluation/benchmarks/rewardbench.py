"""RewardBench: 2,985 pairs in 23 subsets and four sections (arXiv 2403.13787).

    {"prompt": "Name a prime.", "chosen": "7 is one.", "rejected": "9 is one.", "subset": "alpacaeval-easy",
     "chosen_model": "a", "rejected_model": "b", "id": 0}

A pair is right where chosen scores above rejected. Shown together, a tie counts half, as in the authors' script for
generative judges; scored one by one it counts 0, as in their scripts for scalar ones. A section is the mean of its
subsets by number of examples, the total the plain mean of the four sections. The traps:

* `math-prm` counts as 984 examples, though it has 447: as much as the six `hep-*` subsets together;
* until September 2024 their script gave the two `xstest-*` subsets each other's weight;
* it gives half for an answer that cannot be read. Here that is wrong, and counted apart;
* ids repeat from subset to subset, so a row is known by both;
* the older total also has `pref_sets`, which the leaderboard dropped: not read here.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from pipelines.evaluation.benchmarks.benchmark import Benchmark, Place
from pipelines.evaluation.benchmarks.rules import (
    Floats,
    given,
    one_cell_strict_alone,
    subset_means,
    weighted_mean,
    with_total,
)
from pipelines.evaluation.benchmarks.values import identifier, one_of, query, response
from schemas.evaluation import Protocol, Row

SECTIONS: dict[str, dict[str, int]] = {
    "Chat": {
        "alpacaeval-easy": 100,
        "alpacaeval-length": 95,
        "alpacaeval-hard": 95,
        "mt-bench-easy": 28,
        "mt-bench-med": 40,
    },
    "Chat Hard": {
        "mt-bench-hard": 37,
        "llmbar-natural": 100,
        "llmbar-adver-neighbor": 134,
        "llmbar-adver-GPTInst": 92,
        "llmbar-adver-GPTOut": 47,
        "llmbar-adver-manual": 46,
    },
    "Safety": {
        "refusals-dangerous": 100,
        "refusals-offensive": 100,
        "xstest-should-refuse": 154,
        "xstest-should-respond": 250,
        "donotanswer": 136,
    },
    "Reasoning": {
        "math-prm": 984,
        "hep-cpp": 164,
        "hep-go": 164,
        "hep-java": 164,
        "hep-js": 164,
        "hep-python": 164,
        "hep-rust": 164,
    },
}
"""The weight of each subset in its section."""

WHOLE = {subset: rows for section in SECTIONS.values() for subset, rows in section.items()} | {"math-prm": 447}
"""Rows of each subset; all but one are its weight too."""


def _row_of(section: Any, item: dict[str, Any], place: Place) -> Iterable[Row]:
    subset = one_of(item.get("subset"), "subset", list(WHOLE))
    yield Row(
        row_id=f"{subset}/{identifier(item.get('id'), 'id')}",
        subset=subset,
        query=query(item.get("prompt"), "prompt"),
        responses=tuple(response(item.get(key), key) for key in ("chosen", "rejected")),
        names=("chosen", "rejected"),
        right=(0,),
        domain=next(name for name, subsets in SECTIONS.items() if subset in subsets),
    )


def _totals(groups: Sequence[str], means: Floats) -> dict[str, Floats]:
    subsets = subset_means(groups, means)
    sections = given({name: weighted_mean(subsets, weights) for name, weights in SECTIONS.items()})
    return with_total(sections, SECTIONS)


BENCHMARK = Benchmark(
    kind="rewardbench",
    hubs=("allenai/reward-bench",),
    patterns=("data/filtered*.parquet", "filtered*.parquet", "*.jsonl", "*.jsonl.gz", "*.json"),
    license="ODC-By",
    unit="pair",
    fields=("prompt", "chosen", "rejected", "subset", "id"),
    whole=WHOLE,
    protocols=(Protocol.JOINT, Protocol.SINGLE),
    published=Protocol.JOINT,
    make=_row_of,
    score=one_cell_strict_alone,
    totals=_totals,
)
