"""PPE: votes of people on pairs, and pairs of answers that are verified to be right and wrong (arXiv 2410.14872).

    {"question_id": "a1", "prompt": "Name a prime.", "response_1": "7", "response_2": "9", "winner": "model_a",
     "model_a": "m", "model_b": "n", "language": "English"}
    {"question_id": "3", "prompt": "2 + 2 = ?", "response_1": "4", .., "response_32": "5", "scores": [true, .., false],
     "sampled_conflict_pairs": [[0, 31], ..], "model_name": "m"}

`human` is accuracy on the 16,038 votes without their ties, which are left out and counted. Each question of MMLU-Pro,
MATH, GPQA, MBPP-Plus and IFEval has 32 answers of one model; accuracy is that on the pairs that the authors sampled,
one right and one wrong answer each. `correctness` is the plain mean of these five. The authors give no total of both.

    best_of_k = true      # also the 32 answers of each question as one row, scored one by one

gives the curve of the accuracy that a choice of the best of k answers has, expected over all subsets of k. A judge that
reads 32 answers in one prompt is of no use there: ask with protocol = "single". The traps:

* the parts are six data sets, all read; a local file is known by its name (`PPE-MATH-Best-of-K`, `math_best_of_k`);
* pairs are numbered from 0 and the fields from 1: pair [0, 31] is response_1 and response_32;
* the authors' lists repeat some pairs. Each counts as often as it stands there.
"""

from collections.abc import Iterator, Sequence
from math import comb
from typing import Any

import numpy as np

from pipelines.evaluation.benchmarks.benchmark import Benchmark, Place
from pipelines.evaluation.benchmarks.rules import (
    Flags,
    Floats,
    best_of,
    given,
    plain_mean,
    response_scores,
    right_ones,
    subset_means,
)
from pipelines.evaluation.benchmarks.values import one_of, query, response
from pipelines.sources.text import RowError, list_of, missing_field, number, short_text, shown
from schemas.errors import SourceError
from schemas.evaluation import Protocol, Row
from schemas.preference import UnreadableRow
from schemas.query import Messages
from schemas.recipe import SourceSection
from schemas.recipe.section import Flag

HUMAN = "human"
PARTS = ("MMLU-Pro", "MATH", "GPQA", "MBPP-Plus", "IFEval")
CORRECTNESS = "correctness"
TIES = ("tie", "tie (bothbad)")
SIZES = (1, 2, 4, 8, 16, 32)
BEST_OF = " best of k"

WHOLE: dict[str, int | None] = dict.fromkeys((HUMAN, *PARTS, *(f"{part}{BEST_OF}" for part in PARTS)))


class Ppe(SourceSection):
    """Keys of a `ppe` section."""

    best_of_k: Flag = False
    """Also read all answers to each question as one row, for the curves of best of k."""


def _rows_of(section: Any, item: dict[str, Any], place: Place) -> Iterator[Row | UnreadableRow]:
    asked = query(item.get("prompt"), "prompt")
    if "winner" in item:
        yield _vote(item, place, asked)
        return
    part = _part(place)
    scores = [_score_of(score, index) for index, score in enumerate(list_of(item.get("scores"), "scores"))]
    pairs = list_of(item.get("sampled_conflict_pairs"), "sampled_conflict_pairs")
    for count, pair in enumerate(pairs):
        try:
            yield _pair(item, place, asked, part, count, _indices(pair, scores))
        except RowError as error:
            yield error.row(f"{place.location} pair {count}")
    if getattr(section, "best_of_k", False):
        keys = [f"response_{index + 1}" for index in range(len(scores))]
        yield Row(
            row_id=f"{part}/{place.number}/all",
            subset=f"{part}{BEST_OF}",
            query=asked,
            responses=tuple(response(item.get(key), key) for key in keys),
            names=tuple(keys),
            right=tuple(index for index, score in enumerate(scores) if score == max(scores) > 0),
            domain=part,
        )


def _vote(item: dict[str, Any], place: Place, asked: Messages) -> Row:
    winner = one_of(item.get("winner"), "winner", ("model_a", "model_b", *TIES))
    if winner in TIES:
        raise RowError("tie", "people found neither response better; the authors leave such votes out")
    return Row(
        row_id=f"{HUMAN}/{place.number}",
        subset=HUMAN,
        query=asked,
        responses=tuple(
            response(item.get(f"response_{side}"), f"response_{side}", short_text(item.get(model), model))
            for side, model in ((1, "model_a"), (2, "model_b"))
        ),
        names=("response_1", "response_2"),
        right=(("model_a", "model_b").index(winner),),
        domain=short_text(item.get("language"), "language") or HUMAN,
    )


def _part(place: Place) -> str:
    name = _plain(f"{place.origin} {place.file}")
    part = next((part for part in PARTS if _plain(part) in name), None)
    if part is None:
        raise SourceError(
            f"{place.location}: the name says none of {', '.join(PARTS)}; call the file or its folder as its authors do"
        )
    return part


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _score_of(value: Any, index: int) -> float:
    score = float(value) if isinstance(value, bool) else number(value)
    if score is None:
        raise RowError("bad_score", f"scores[{index}] is {shown(value)}, not a number")
    return score


def _indices(pair: Any, scores: list[float]) -> tuple[int, int]:
    """Return (right, wrong) of a sampled pair. Raises RowError for two that are equally right."""
    if not (isinstance(pair, list) and len(pair) == 2 and all(index in range(len(scores)) for index in pair)):
        raise RowError("bad_pair", f"{shown(pair)} is not two of {len(scores)} responses")
    first, second = pair
    if scores[first] == scores[second]:
        raise RowError("equal_scores", f"responses {first} and {second} have the same score")
    return (first, second) if scores[first] > scores[second] else (second, first)


def _pair(item: dict[str, Any], place: Place, asked: Messages, part: str, count: int, indices: tuple[int, int]) -> Row:
    ordered = tuple(sorted(indices))
    keys = tuple(f"response_{index + 1}" for index in ordered)
    for key in keys:
        if key not in item:
            raise missing_field(key)
    return Row(
        row_id=f"{part}/{place.number}/{count}",
        subset=part,
        query=asked,
        responses=tuple(response(item[key], key) for key in keys),
        names=keys,
        right=(ordered.index(indices[0]),),
        domain=part,
    )


def _score(rows: Sequence[Row], votes: Floats, protocol: Protocol) -> Floats:
    """Return the credit, and for rows of all answers the accuracy of the best of each number of them."""
    cells = np.zeros((*votes.shape[:2], 1 + len(SIZES)))
    cells[..., 0] = best_of(rows, votes, protocol)
    curves = [place for place, row in enumerate(rows) if row.subset.endswith(BEST_OF)]
    if curves and protocol is not Protocol.PAIRS:
        scores = response_scores(votes, protocol)
        cells[curves, :, 1:] = best_of_sizes(scores[curves], right_ones(rows)[curves])
    return cells


def best_of_sizes(scores: Floats, right: Flags) -> Floats:
    """Return the expected accuracy of the best of k responses, `[rows, draws, sizes]`, over all subsets of k.

    Ties are broken at random. A row with a response that has no score is 0 throughout.
    """
    by_response = np.ascontiguousarray(scores.transpose(2, 0, 1))  # long runs in memory, which numpy adds quickly
    count = len(by_response)
    chances = [
        [comb(rest, min(size, count)) / comb(count, min(size, count)) for rest in range(count + 1)] for size in SIZES
    ]
    accuracy = np.zeros((len(SIZES), *scores.shape[:2]))
    for index in np.flatnonzero(right.any(axis=0)):
        mine = by_response[index]
        lower = np.sum(by_response < mine, axis=0, dtype=np.int16)
        equal = np.sum(by_response == mine, axis=0, dtype=np.int16)
        for place, within in enumerate(map(np.array, chances)):
            is_best = (within[lower + equal] - within[lower]) / np.maximum(equal, 1)
            accuracy[place] += np.where(right[:, index, None], is_best, 0.0)
    accuracy[:, np.isnan(by_response).any(axis=0)] = 0.0
    return accuracy.transpose(1, 2, 0)


def _totals(groups: Sequence[str], means: Floats) -> dict[str, Floats]:
    subsets = subset_means(groups, means)
    parts = {name: values for name, values in subsets.items() if not name.endswith(BEST_OF)}
    figures = parts | given({CORRECTNESS: plain_mean(parts, PARTS)})
    for cell, size in enumerate(SIZES, 1):
        curves = subset_means(groups, means, cell)
        at_size = {part: curves[f"{part}{BEST_OF}"] for part in PARTS if f"{part}{BEST_OF}" in curves}
        at_size |= given({CORRECTNESS: plain_mean(at_size, PARTS)})
        figures |= {f"{name} best of {size}": values for name, values in at_size.items()}
    return figures


BENCHMARK = Benchmark(
    kind="ppe",
    section=Ppe,
    hubs=(
        "lmarena-ai/PPE-Human-Preference-V1",
        "lmarena-ai/PPE-MMLU-Pro-Best-of-K",
        "lmarena-ai/PPE-MATH-Best-of-K",
        "lmarena-ai/PPE-GPQA-Best-of-K",
        "lmarena-ai/PPE-MBPP-Plus-Best-of-K",
        "lmarena-ai/PPE-IFEval-Best-of-K",
    ),
    patterns=("*.parquet", "*.jsonl", "*.jsonl.gz", "*.json"),
    license="unknown",
    unit="pair",
    fields=("prompt", "response_1", "response_2"),
    whole=WHOLE,
    protocols=(Protocol.JOINT, Protocol.SINGLE),
    published=Protocol.SINGLE,
    cells=("right", *(f"best_of_{size}" for size in SIZES)),
    make=_rows_of,
    score=_score,
    totals=_totals,
)
