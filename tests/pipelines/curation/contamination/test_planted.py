"""Benchmark queries planted among clean ones, changed as training data changes them: the small form of the measurement.

`python -m benchmarks.decontamination` does the same with the queries of published benchmarks.
"""

import numpy as np
import pytest

from benchmarks.decontamination import Tiers, hits_of_rows, planted_tiers, tiers_of
from benchmarks.planted import with_options
from pipelines.curation.contamination.index import Index, index_of
from pipelines.curation.contamination.signatures import sign
from schemas.query import user

BEGINS = ("lan", "har", "fer", "pi", "an", "ma", "ro", "sig", "fo", "ba")
ENDS = ("tern", "bour", "ry", "lot", "chor", "st", "pe", "nal", "g", "ker")
WORDS = [begin + end for begin in BEGINS for end in ENDS]


def texts(count: int, sentences: int, seed: int) -> list[str]:
    """Return texts of so many sentences of nine words."""
    chance = np.random.default_rng(seed)
    return [
        " ".join(" ".join(chance.choice(WORDS, 9)).capitalize() + "." for _ in range(sentences)) for _ in range(count)
    ]


LONG, SHORT, CLEAN = texts(120, 4, 1), texts(40, 1, 2), texts(400, 4, 3)


@pytest.fixture(scope="module")
def index() -> Index:
    return index_of([sign("harbour", [*LONG, *SHORT], source="made", revision="1", license="none")], 3, 0.5)


def test_long_queries_are_found_however_they_were_changed(index: Index) -> None:
    found = planted_tiers(index, [*LONG, *SHORT], WORDS, 10**9)["26 words and more"]
    assert {tiers.rows for tiers in found.values()} == {len(LONG)}
    for name in ("exact", "other_case", "wrapped", "conversation"):
        assert found[name] == Tiers(len(LONG), 1.0, 0.0), name
    assert found["cut"].found >= 0.99
    assert found["reordered"].found >= 0.95
    assert found["edited"].found >= 0.9


def test_of_short_queries_only_whole_texts_are_found(index: Index) -> None:
    found = planted_tiers(index, SHORT, WORDS, 10**9)["under 13"]
    assert found["exact"].drop == found["other_case"].drop == found["conversation"].drop == 1.0
    assert found["wrapped"].found == found["edited"].found == 0.0


def test_options_in_another_order_and_layout_hide_nothing(index: Index) -> None:
    chance = np.random.default_rng(4)
    rows = [with_options(query, texts(4, 1, number), chance) for number, query in enumerate(LONG)]
    assert tiers_of(index, rows).drop == 1.0


def test_clean_texts_of_the_same_words_are_left_alone(index: Index) -> None:
    assert hits_of_rows(index, [user(text) for text in CLEAN]).height == 0
