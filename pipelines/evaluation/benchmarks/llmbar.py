"""LLMBar: 419 pairs in which one output follows the instruction and the other only looks better (arXiv 2310.07641).

    {"input": "Name a prime.", "output_1": "7", "output_2": "9 is one, clearly.", "label": 1}

The label is the number of the right output. Each pair is shown in both orders (BOTH_ORDERS): accuracy is the mean of
both, agreement the share of pairs on which they decide the same. A judge that rates outputs (SINGLE) is right where the
right one is rated above the other; a tie or an unreadable rating counts half, and is no agreement. `Adversarial` is the
plain mean of Neighbor, GPTInst, GPTOut and Manual, the total that of all five subsets. The traps:

* the hub has a script that fetches the files, and no files: `path` names them;
* rows have no ids: a row is known by its subset and number. The subset is the file's name, or its folder's
  (`Adversarial/Neighbor/dataset.json`);
* the authors' script counts two unreadable answers as agreement. Here they agree on nothing;
* 419 of RewardBench's 2,985 pairs are these.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pipelines.evaluation.benchmarks.benchmark import Benchmark, Place
from pipelines.evaluation.benchmarks.rules import (
    TOTAL,
    Floats,
    best_of,
    decisions,
    given,
    plain_mean,
    response_scores,
    subset_means,
    win_credit,
)
from pipelines.evaluation.benchmarks.values import query, response
from pipelines.sources.text import RowError, number, shown
from schemas.errors import SourceError
from schemas.evaluation import Protocol, Row

WHOLE = {"Natural": 100, "Neighbor": 134, "GPTInst": 92, "GPTOut": 47, "Manual": 46}
ADVERSARIAL = ("Neighbor", "GPTInst", "GPTOut", "Manual")
CELLS = ("right", "agreement", "both_right")


def _row_of(section: Any, item: dict[str, Any], place: Place) -> Iterable[Row]:
    subset = _subset(item, place)
    label = number(item.get("label"))
    if label not in (1, 2):
        raise RowError("bad_label", f"label is {shown(item.get('label'))}, not 1 or 2")
    yield Row(
        row_id=f"{subset}/{place.number}",
        subset=subset,
        query=query(item.get("input"), "input"),
        responses=tuple(response(item.get(f"output_{side}"), f"output_{side}") for side in (1, 2)),
        names=("output_1", "output_2"),
        right=(int(label) - 1,),
        domain="Natural" if subset == "Natural" else "Adversarial",
    )


def _subset(item: dict[str, Any], place: Place) -> str:
    parts = place.file.rpartition(".")[0].split("/")
    named = str(item.get("subset", ""))
    subset = next((subset for subset in WHOLE if subset in (named, *parts)), None)
    if subset is None:
        raise SourceError(
            f"{place.location}: neither the file nor its folder is called {', '.join(WHOLE)}; "
            "name the file after its subset, as Natural.json"
        )
    return subset


def _score(rows: Sequence[Row], votes: Floats, protocol: Protocol) -> Floats:
    if protocol is Protocol.BOTH_ORDERS:
        both = decisions(rows, votes, protocol)
        orders = (both == 1) + 0.5 * (both == 0)
        return np.stack(
            [orders.mean(axis=-1), both[..., 0] == both[..., 1], (both == 1).all(axis=-1)], axis=-1, dtype=float
        )
    if protocol is Protocol.SINGLE:
        scores = response_scores(votes, protocol)
        right = np.array([row.right for row in rows])[:, None, :]
        mine, other = (np.take_along_axis(scores, index, axis=-1)[..., 0] for index in (right, 1 - right))
        decided = (mine > other) | (mine < other)
        return np.stack([np.where(decided, win_credit(mine, other), 0.5), decided, mine > other], axis=-1, dtype=float)
    return best_of(rows, votes, protocol)[..., None]


def _totals(groups: Sequence[str], means: Floats) -> dict[str, Floats]:
    figures: dict[str, Floats] = {}
    for place, cell in enumerate(CELLS[: means.shape[-1]]):
        subsets = subset_means(groups, means, place)
        mean = {"Adversarial": plain_mean(subsets, ADVERSARIAL), TOTAL: plain_mean(subsets, WHOLE)}
        suffix = "" if cell == "right" else f" {cell}"
        figures |= {f"{name}{suffix}": values for name, values in (subsets | given(mean)).items()}
    return figures


BENCHMARK = Benchmark(
    kind="llmbar",
    place_needed="an llmbar benchmark needs path = '..', Dataset/LLMBar of a clone of github.com/princeton-nlp/LLMBar",
    patterns=tuple(f"*{subset}{ending}" for subset in WHOLE for ending in (".json", ".jsonl", "/dataset.json")),
    license="MIT",
    unit="pair",
    fields=("input", "output_1", "output_2", "label"),
    whole=WHOLE,
    protocols=(Protocol.JOINT, Protocol.BOTH_ORDERS, Protocol.SINGLE),
    published=Protocol.BOTH_ORDERS,
    cells=CELLS,
    make=_row_of,
    score=_score,
    totals=_totals,
)
