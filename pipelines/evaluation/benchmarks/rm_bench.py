"""RM-Bench: 1,327 questions, each with three right and three wrong responses in three styles (arXiv 2410.16184).

    {"id": 8, "prompt": "Name a prime.", "chosen": ["7", "A prime is 7.", "- a prime is **7**"],
     "rejected": ["9", "A prime is 9.", "- a prime is **9**"], "domain": "chat"}

The styles are concise, detailed in plain text, detailed with markdown. Each right response is compared with each wrong
one, and a tie is wrong: a 3 x 3 matrix for each domain. hard = its mean above the diagonal (a plainer right response
against a fancier wrong one), normal = the diagonal, easy = below. A domain is the mean of the three, the total the
plain mean of the domains chat, code, math and safety. The traps:

* safety is two files, of 284 and 157 rows. The authors' script pools them; the mean of the two halves differs, so both
  totals are given;
* the files of one domain have no field `domain`: it is read from the file's name;
* ids repeat from domain to domain, and `total_dataset.json` repeats all other files.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pipelines.evaluation.benchmarks.benchmark import Benchmark, Place
from pipelines.evaluation.benchmarks.rules import (
    TOTAL,
    Floats,
    given,
    plain_mean,
    response_scores,
    subset_means,
    weighted_mean,
)
from pipelines.evaluation.benchmarks.values import identifier, one_of, query, responses
from pipelines.sources.text import RowError
from schemas.errors import SourceError
from schemas.evaluation import Protocol, Row

WHOLE = {"chat": 129, "code": 228, "math": 529, "safety-refuse": 284, "safety-response": 157}
HALVES = {subset: rows for subset, rows in WHOLE.items() if subset.startswith("safety")}
STYLES = ("concise", "plain", "markdown")
DOMAINS = ("chat", "code", "math", "safety")
BY_HALVES = f"{TOTAL} (safety as the mean of its halves)"

_N = len(STYLES)
_PLACES = {
    "hard": [(chosen, rejected) for chosen in range(_N) for rejected in range(_N) if chosen < rejected],
    "normal": [(style, style) for style in range(_N)],
    "easy": [(chosen, rejected) for chosen in range(_N) for rejected in range(_N) if chosen > rejected],
}
CELLS = ("right", *(f"{chosen} > {rejected}" for chosen in STYLES for rejected in STYLES))
"""The mean of the nine comparisons, and each of them: the right response's style > the wrong one's."""


def _row_of(section: Any, item: dict[str, Any], place: Place) -> Iterable[Row]:
    subset = _subset(item, place)
    sides = [responses(item.get(key), key) for key in ("chosen", "rejected")]
    if any(len(side) != _N for side in sides):
        counts = " and ".join(str(len(side)) for side in sides)
        raise RowError("wrong_count", f"{counts} responses; each side has one in each of {_N} styles")
    yield Row(
        row_id=f"{subset}/{identifier(item.get('id'), 'id')}",
        subset=subset,
        query=query(item.get("prompt"), "prompt"),
        responses=sides[0] + sides[1],
        names=tuple(f"{key} {style}" for key in ("chosen", "rejected") for style in STYLES),
        right=tuple(range(_N)),
        domain=subset.partition("-")[0],
    )


def _subset(item: dict[str, Any], place: Place) -> str:
    if item.get("domain") is not None:
        return one_of(item["domain"], "domain", list(WHOLE))
    name = place.file.rpartition("/")[2]
    subset = next((subset for subset in WHOLE if name.startswith(subset)), None)
    if subset is None:
        raise SourceError(
            f"{place.location}: the row has no field 'domain', and the file's name begins with none of "
            f"{', '.join(WHOLE)}; name the file as its authors do"
        )
    return subset


def _score(rows: Sequence[Row], votes: Floats, protocol: Protocol) -> Floats:
    if protocol is Protocol.PAIRS:
        wins = votes[..., 0] > votes[..., 1]  # in the order of the matrix, row by row
    else:
        scores = response_scores(votes, protocol)
        matrix = scores[..., :_N, None] > scores[..., None, _N:]
        wins = matrix.reshape(*matrix.shape[:2], _N * _N)
    return np.concatenate([wins.mean(axis=-1, keepdims=True), wins], axis=-1)


def _totals(groups: Sequence[str], means: Floats) -> dict[str, Floats]:
    figures = _domain_figures(subset_means(groups, means))
    for name, places in _PLACES.items():
        cells = [1 + chosen * _N + rejected for chosen, rejected in places]
        part = means[..., cells].mean(axis=-1, keepdims=True)
        domains = _domain_figures(subset_means(groups, part))
        figures |= {name: domains[TOTAL]} if TOTAL in domains else {}
    return figures


def _domain_figures(subsets: dict[str, Floats]) -> dict[str, Floats]:
    halves = given({"safety": weighted_mean(subsets, HALVES)})
    domains = {name: subsets[name] for name in DOMAINS if name in subsets} | halves
    by_halves = subsets | given({"safety": plain_mean(subsets, HALVES)})
    totals = {TOTAL: plain_mean(domains, DOMAINS), BY_HALVES: plain_mean(by_halves, DOMAINS)}
    return domains | given(totals)


BENCHMARK = Benchmark(
    kind="rm_bench",
    hubs=("THU-KEG/RM-Bench",),
    patterns=("*_filtered.json", "total_dataset.json", "*.jsonl", "*.jsonl.gz", "*.parquet"),
    license="ODC-By",
    unit="question",
    whole_file="total_dataset.json",
    fields=("id", "prompt", "chosen", "rejected"),
    whole=WHOLE,
    protocols=(Protocol.JOINT, Protocol.PAIRS, Protocol.SINGLE),
    published=Protocol.PAIRS,
    cells=CELLS,
    make=_row_of,
    score=_score,
    totals=_totals,
)
