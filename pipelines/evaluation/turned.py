"""Items that more samples turn right or wrong, with what the judge said of them: the examples of an evaluation's page.

Chosen by how far the vote of all samples is from a single sample on average. A page has room for few of them, so their
texts are cut, and they stop where they would take more than a fixed number of bytes.
"""

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.reporting.row_search import find_rows
from pipelines.reporting.visible import cut, visible
from schemas.evaluation import GREEDY_INDEX, ITEMS, READABLE
from storage.tables import read_frame

MOST_BYTES = 700_000
"""Of all examples together, as they stand in the page."""
MOST_ITEMS = 24
LEAST_CHANGE = 0.1
"""Change in the share right that makes an item an example."""
_PER_DIRECTION = 6
"""Examples of one benchmark turned right, and as many turned wrong."""
_LONGEST = 1_500
"""Characters of a question or a judgement."""
_LONGEST_RESPONSE = 1_000
_MOST_RESPONSES = 6
_MOST_SCORES = 64
"""Scores of one response."""
_MOST_ROWS = 40_000
"""Judgements looked at in all."""
_UNREAD = "·"


@dataclass(frozen=True, slots=True)
class ShownResponse:
    """A response of an example."""

    name: str
    text: str
    is_right: bool
    scores: str
    """One a judgement that saw it, in the order of the samples; a dot for an unreadable one."""
    vote: float | None
    """Its summed scores."""


@dataclass(frozen=True, slots=True)
class ShownJudgement:
    """A judgement of an example."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class TurnedItem:
    """An item whose vote differs from its single samples."""

    benchmark: str
    item_id: str
    subset: str
    is_turned_right: bool
    facts: tuple[str, ...]
    headline: str
    query: tuple[tuple[str, str], ...]
    """(role, text) of each message."""
    responses: tuple[ShownResponse, ...]
    left_out: int
    """Responses that are not shown."""
    judgements: tuple[ShownJudgement, ...]

    @property
    def bytes(self) -> int:
        """How much of a page it takes."""
        texts = [
            *(text for _, text in self.query),
            *(one.text for one in self.responses),
            *(one.text for one in self.judgements),
        ]
        texts += [self.headline, *self.facts, *(one.scores + one.name for one in self.responses)]
        return sum(len(html.escape(visible(text)).encode()) for text in texts) + 300 * (len(texts) + 4)


def turned_items(items: Sequence[Path], judgements: Sequence[Path], benchmarks: Sequence[str]) -> list[TurnedItem]:
    """Return the examples, those turned right first within each benchmark; as many as fit."""
    chosen = _chosen(items, benchmarks)
    if not chosen:
        return []
    ids = {"item_id": frozenset(item_id for _, item_id in chosen)}
    by_item = _by_item(find_rows(judgements, ids, _MOST_ROWS))
    rows = {(row["benchmark"], row["item_id"]): row for row in find_rows(items, ids, _MOST_ROWS)}
    found: list[TurnedItem] = []
    taken = 0
    for key in chosen:
        one = _turned(rows[key], by_item.get(key, []))
        if taken + one.bytes <= MOST_BYTES:
            found.append(one)
            taken += one.bytes
    return found


def _chosen(items: Sequence[Path], benchmarks: Sequence[str]) -> list[tuple[str, str]]:
    """Return (benchmark, item_id) of the items with the largest change each way."""
    columns = ["benchmark", "item_id", "right_at_1", "right_at_max"]
    frame = read_frame(items, ITEMS, columns).with_columns(change=pl.col("right_at_max") - pl.col("right_at_1"))
    each = max(1, min(_PER_DIRECTION, MOST_ITEMS // (2 * max(1, len(benchmarks)))))
    chosen: list[tuple[str, str]] = []
    for benchmark in benchmarks[:MOST_ITEMS]:
        of_one = frame.filter(pl.col("benchmark") == benchmark)
        for sign in (1, -1):
            far = of_one.filter(sign * pl.col("change") >= LEAST_CHANGE)
            first = far.sort(sign * pl.col("change"), "item_id", descending=[True, False]).head(each)
            chosen += [(benchmark, item_id) for item_id in first["item_id"].to_list()]
    return chosen


def _by_item(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    by_item: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (row["prompt"], row["sample_index"])):
        by_item.setdefault((row["benchmark"], row["item_id"]), []).append(row)
    return by_item


def _turned(item: Mapping[str, Any], judgements: Sequence[Mapping[str, Any]]) -> TurnedItem:
    single, vote, right = item["right_at_1"], item["right_at_max"], set(item["right"])
    shown = range(min(len(item["responses"]), _MOST_RESPONSES))
    samples = [row for row in judgements if row["sample_index"] != GREEDY_INDEX]
    facts = [f"{item['subset']}" if item["subset"] else "", f"domain {item['domain']}"]
    facts.append(f"{item['readable']:,} of {item['samples']:,} judgements readable")
    if item["right_greedy"] is not None:
        facts.append(f"greedy {_right(item['right_greedy'])}")
    return TurnedItem(
        benchmark=item["benchmark"],
        item_id=item["item_id"],
        subset=item["subset"],
        is_turned_right=vote > single,
        facts=tuple(cut(fact, 120) for fact in facts if fact),
        headline=f"{cut(item['item_id'], 100)}: {single:.0%} of single samples right, the vote of all {_right(vote)}",
        query=tuple((turn["role"], cut(turn["content"], _LONGEST)) for turn in item["query"][-3:]),
        responses=tuple(_response(item, index, index in right, samples) for index in shown),
        left_out=len(item["responses"]) - len(shown),
        judgements=tuple(_shown(item, row) for row in _picked(judgements, right)),
    )


def _right(share: float) -> str:
    return {0.0: "wrong", 1.0: "right"}.get(share, f"tied: {share:.0%} right")


def _response(
    item: Mapping[str, Any], index: int, is_right: bool, samples: Sequence[Mapping[str, Any]]
) -> ShownResponse:
    scores = [
        _UNREAD if row["scores"] is None else f"{row['scores'][row['order'].index(index)]:g}"
        for row in samples
        if index in row["order"]
    ]
    more = f" … {len(scores):,} in all" if len(scores) > _MOST_SCORES else ""
    votes = item["votes"]
    return ShownResponse(
        name=cut(item["names"][index], 60),
        text=cut(item["responses"][index], _LONGEST_RESPONSE),
        is_right=is_right,
        scores=" ".join(scores[:_MOST_SCORES]) + more,
        vote=None if votes is None else votes[index],
    )


def _picked(judgements: Sequence[Mapping[str, Any]], right: set[int]) -> Iterator[Mapping[str, Any]]:
    """Yield the first judgement that is right, that is wrong, that cannot be read, and the greedy one."""
    kinds: set[str] = set()
    for row in judgements:
        kind = _kind(row, right)
        if kind not in kinds:
            kinds.add(kind)
            yield row


def _kind(row: Mapping[str, Any], right: set[int]) -> str:
    if row["sample_index"] == GREEDY_INDEX:
        return "greedy"
    if row["scores"] is None:
        return "unreadable"
    top = {index for index, score in zip(row["order"], row["scores"], strict=True) if score == max(row["scores"])}
    return "right" if top <= right else "wrong"


def _shown(item: Mapping[str, Any], row: Mapping[str, Any]) -> ShownJudgement:
    names = ", ".join(cut(item["names"][index], 30) for index in row["order"][:_MOST_RESPONSES])
    number = "greedy" if row["sample_index"] == GREEDY_INDEX else f"sample {row['sample_index'] + 1}"
    prompt = f", prompt {row['prompt'] + 1}" if row["prompt"] else ""
    if row["outcome"] == READABLE:
        said = "scores " + " ".join(f"{score:g}" for score in row["scores"][:_MOST_RESPONSES])
    else:
        said = row["outcome"].replace("_", " ")
    more = ", …" if len(row["order"]) > _MOST_RESPONSES else ""
    return ShownJudgement(f"{number}{prompt}: saw {names}{more}; {said}", cut(row["text"] or "", _LONGEST))
