"""Finished verdicts of any judge, read from a file into the pools that an evaluation computes with.

    {"item": "Natural/1", "order": "BA", "decision": "1"}
    {"item": 0, "swapped": true, "decision": "tie"}
    {"item": "Math/7", "order": [2, 0, 1, 3], "scores": [4, 9, 2, 2]}
    {"item": "Natural/2", "order": [0, 1], "decision": null}

`item` is the id of a row, or its number in the benchmark from 0. `order[p]` is the index, in the row, of the response
shown at position p; "BA" says the same in letters, `"swapped": true` stands for [1, 0], and without any of them the
responses stood as in the row. A verdict has one of:

* `scores`: a number for each response, in the order shown;
* `decision`: "1", "2", .. or "A", "B", .. for the position of the best response shown, "A>B", "B>A" or "A=B" for two of
  them, "tie", or a number without quotation marks for the index of the best response in the row.

null says that the answer could not be read. So does a list of scores of another length: the judge miscounted. Several
verdicts on one item are samples: they vote.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import numpy as np

from pipelines.evaluation.judgements import Pool, pools_of
from pipelines.sources.rows import rows_of
from pipelines.sources.text import number, shown
from schemas.errors import SourceError
from schemas.evaluation import READABLE, Protocol, Row
from schemas.preference import UnreadableRow

TIE = "tie"
NO_ANSWER, WRONG_COUNT = "no_answer", "wrong_count"
"""Why a verdict gives no scores: it is null, or has another number of scores than responses were shown."""

_COMPARED: dict[str, int | str] = {"A>B": 0, "B<A": 0, "B>A": 1, "A<B": 1, "A=B": TIE, "B=A": TIE}
MOST_SCORE = 1e100
"""Sums of scores beyond this would lose their differences."""
_PLACE_IN_LINE = re.compile(r": line \d+ column \d+ \(char (\d+)\)$")
"""How the JSON reader says where it stopped. It takes each line of a file for a text of its own."""
_FORMS = '"1", "A", "A>B", "tie", an index or null'


@dataclass
class Verdicts:
    """The rows of a benchmark that a file has verdicts on, and their scores."""

    rows: list[Row]
    pools: list[Pool]
    left_out: int
    """Rows without any verdict."""
    missing: int = 0
    """Samples that other prompts have and these do not: they count as unreadable."""
    outcomes: dict[str, int] = field(default_factory=dict)
    """Verdicts by `readable`, `no_answer` and `wrong_count`."""
    elsewhere: dict[str, int] = field(default_factory=dict)
    """Verdicts that name a benchmark which none of `titles` is; they count nowhere."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    """One line of the file."""

    row: int
    prompt: int
    order: tuple[int, ...]
    scores: tuple[float, ...] | None
    """In the order shown; None where there is no answer."""
    outcome: str


def read_verdicts(
    path: Path, rows: Sequence[Row], protocol: Protocol, title: str, titles: Sequence[str] = ()
) -> Verdicts:
    """Return the verdicts on these rows, shown by this protocol; those on another benchmark than `title` are skipped.

    `titles` are all benchmarks that the file may name, where there are several. Raises SourceError that names the line:
    no JSON, an item that no row is, an order or a decision that is none, no benchmark where there are several.
    """
    elsewhere: Counter[str] = Counter()
    found = list(_verdicts(path, rows, protocol, title, titles or (title,), elsewhere))
    if not found:
        named = f"; its verdicts name {', '.join(list(elsewhere)[:3])}" if elsewhere else ""
        raise SourceError(f"{path.name}: has no verdict on {title}{named}")
    judged = sorted({verdict.row for verdict in found})
    place_of = {number: place for place, number in enumerate(judged)}
    samples: defaultdict[tuple[int, int], list[_Verdict]] = defaultdict(list)
    for verdict in found:
        samples[place_of[verdict.row], verdict.prompt].append(verdict)
    kept = [rows[number] for number in judged]
    most = max(map(len, samples.values()))
    prompts = sum(len(row.prompts(protocol)) for row in kept)
    read = Verdicts(
        kept,
        pools_of(kept, protocol, most, np.float64),  # scores of a scale of their own, some of them nearly equal
        left_out=len(rows) - len(kept),
        missing=prompts * most - len(found),
        outcomes=dict(Counter(verdict.outcome for verdict in found)),
        elsewhere=dict(elsewhere),
    )
    _fill(read, protocol, samples)
    return read


def _fill(read: Verdicts, protocol: Protocol, samples: Mapping[tuple[int, int], Sequence[_Verdict]]) -> None:
    pool_of = {number: (pool, place) for pool in read.pools for place, number in enumerate(pool.rows)}
    for (row, prompt), verdicts in samples.items():
        axis = _axis(read.rows[row], protocol, prompt)
        pool, place = pool_of[row]
        for index, verdict in enumerate(verdicts):
            places = [axis.index(response) for response in verdict.order]
            pool.orders[place, prompt, index] = places
            if verdict.scores is not None:
                pool.scores[place, prompt, index, places] = verdict.scores


def _axis(row: Row, protocol: Protocol, prompt: int) -> tuple[int, ...]:
    """Return the responses of a prompt in the order of the last axis of its scores."""
    shown_responses = row.prompts(protocol)[prompt]
    return tuple(sorted(shown_responses)) if protocol is Protocol.BOTH_ORDERS else shown_responses


def _verdicts(
    path: Path,
    rows: Sequence[Row],
    protocol: Protocol,
    title: str,
    titles: Sequence[str],
    elsewhere: Counter[str],
) -> Iterator[_Verdict]:
    number_of = {row.row_id: number for number, row in enumerate(rows)}
    for location, line in rows_of(path):
        if isinstance(line, UnreadableRow):
            detail = _PLACE_IN_LINE.sub(lambda at: f", at character {int(at[1]) + 1}", line.detail)
            raise SourceError(f"{location}: {detail}")
        named = line.get("benchmark")
        if named is None and len(titles) > 1:
            raise SourceError(f"{location}: names no benchmark, and there are several: {', '.join(titles)}")
        if named not in (None, title):
            if named not in titles:
                elsewhere[shown(named)] += 1
            continue
        row = _row(line.get("item"), number_of, location)
        order = _order(line, rows[row], location)
        prompt = _prompt(rows[row], protocol, order, location)
        scores, outcome = _scores(line, order, location)
        yield _Verdict(row, prompt, order, scores, outcome)


def _row(item: Any, number_of: Mapping[str, int], location: str) -> int:
    """Return the number of the row that a verdict is about."""
    of_id = number_of.get(item if isinstance(item, str) else str(item))
    number = item if _is_index(item, len(number_of)) else None
    if number is not None and of_id not in (None, number):
        raise SourceError(
            f"{location}: item {number} is the number of a row, and the id of another one; write ids, with quotation "
            f'marks: "{number}"'
        )
    row = of_id if isinstance(item, str) else number
    if row is None:
        raise SourceError(
            f"{location}: no row is item {shown(item)}; give its row_id, or its number from 0 to {len(number_of) - 1}"
        )
    return row


def _order(line: Mapping[str, Any], row: Row, location: str) -> tuple[int, ...]:
    """Return the responses shown, as indices in the row."""
    value, n = line.get("order"), len(row.responses)
    if value is None:
        swapped = line.get("swapped", False)
        if not isinstance(swapped, bool) or (swapped and n != 2):
            raise SourceError(f"{location}: swapped is {shown(swapped)}, for {n} responses; give order = [..] instead")
        return (1, 0) if swapped else tuple(range(n))
    order = [ascii_uppercase.find(letter) for letter in value.upper()] if isinstance(value, str) else value
    if not isinstance(order, list) or not all(_is_index(index, n) for index in order) or len(set(order)) < len(order):
        raise SourceError(
            f"{location}: order is {shown(value)}; it lists the responses shown, as indices up to {n - 1} or as letters"
        )
    return tuple(order)


def _prompt(row: Row, protocol: Protocol, order: tuple[int, ...], location: str) -> int:
    """Return which prompt of the row shows these responses."""
    for place, prompt in enumerate(row.prompts(protocol)):
        if order == prompt or (protocol is not Protocol.BOTH_ORDERS and sorted(order) == sorted(prompt)):
            return place
    raise SourceError(
        f"{location}: order {list(order)} is no prompt of {shown(row.row_id)} by protocol {protocol.value}; give the "
        "responses that were shown, or the protocol they were shown by"
    )


def _scores(line: Mapping[str, Any], order: tuple[int, ...], location: str) -> tuple[tuple[float, ...] | None, str]:
    """Return (the scores in the order shown, outcome)."""
    keys = [key for key in ("scores", "decision") if key in line]
    if len(keys) != 1:
        raise SourceError(
            f"{location}: a verdict has scores or a decision; this one has {' and '.join(keys) or 'none'}"
        )
    value = line[keys[0]]
    if value is None:
        return None, NO_ANSWER
    if keys == ["decision"]:
        return _decided(value, order, location), READABLE
    if not isinstance(value, list):
        raise SourceError(f"{location}: scores is {shown(value)}, not a list")
    if len(value) != len(order):
        return None, WRONG_COUNT
    scores = tuple(math.nan if isinstance(one, str) else number(one) for one in value)
    if not all(score is not None and abs(score) <= MOST_SCORE for score in scores):  # no comparison holds of a NaN
        raise SourceError(
            f"{location}: scores holds what is no number up to {MOST_SCORE:g}; write null in place of scores that "
            "cannot be read"
        )
    return tuple(score for score in scores if score is not None), READABLE


def _decided(value: Any, order: tuple[int, ...], location: str) -> tuple[float, ...]:
    """Return 1 for the best response shown and 0 for others; all have 1 in a tie."""
    best = _best_position(value, order)
    if best is None or (best == TIE and len(order) < 2):
        raise SourceError(f"{location}: decision is {shown(value)} for {len(order)} responses, not one of {_FORMS}")
    return tuple(1.0 if best in (TIE, position) else 0.0 for position in range(len(order)))


def _best_position(value: Any, order: tuple[int, ...]) -> int | str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return order.index(value) if value in order else None
    if not isinstance(value, str):
        return None
    text = value.strip().upper()
    if text == TIE.upper():
        return TIE
    if len(order) == 2 and text in _COMPARED:
        return _COMPARED[text]
    names = [str(position + 1) for position in range(len(order))]
    letters = list(ascii_uppercase[: len(order)])
    return next((known.index(text) for known in (names, letters) if text in known), None)


def _is_index(value: Any, count: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < count
