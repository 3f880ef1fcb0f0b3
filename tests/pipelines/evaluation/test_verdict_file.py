"""Finished verdicts of other judges: every notation, what is refused, and two published judges of LLMBar."""

import json
import math
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.evaluation.benchmarks.llmbar import BENCHMARK, CELLS
from pipelines.evaluation.verdict_file import read_verdicts
from schemas.errors import SourceError
from schemas.evaluation import Protocol, Row
from schemas.preference import Response, UnreadableRow
from schemas.query import user
from tests.pipelines.evaluation.benchmarks.readings import read

DATA = Path(os.environ.get("SHARED_DATA", Path(__file__).parents[3].parent / "shared" / "data")) / "llmbar"


def row(row_id: str = "a", responses: int = 2, right: tuple[int, ...] = (0,)) -> Row:
    texts = tuple(Response(str(index)) for index in range(responses))
    return Row(row_id, "Natural", user("Which?"), texts, tuple(map(str, range(responses))), right)


def written(directory: Path, *verdicts: Any) -> Path:
    path = directory / "verdicts.jsonl"
    path.write_text("".join(f"{json.dumps(verdict)}\n" for verdict in verdicts), "utf-8")
    return path


def scores(directory: Path, verdict: dict[str, Any], n: int = 2, protocol: Protocol = Protocol.JOINT) -> list[Any]:
    """Return the scores of each prompt's one sample, mapped back; None for nan."""
    found = read_verdicts(written(directory, {"item": "a"} | verdict), [row(responses=n)], protocol, "llmbar")
    (pool,) = found.pools
    return [[None if np.isnan(score) else float(score) for score in prompt[0]] for prompt in pool.scores[0]]


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        ({"decision": "1"}, [1, 0]),
        ({"decision": "2"}, [0, 1]),
        ({"decision": "A"}, [1, 0]),
        ({"decision": "b"}, [0, 1]),
        ({"decision": "A>B"}, [1, 0]),
        ({"decision": "B>A"}, [0, 1]),
        ({"decision": "A=B"}, [1, 1]),
        ({"decision": "tie"}, [1, 1]),
        ({"decision": 0}, [1, 0]),
        ({"decision": None}, [None, None]),
        ({"decision": "1", "order": "BA"}, [0, 1]),
        ({"decision": "A", "order": [1, 0]}, [0, 1]),
        ({"decision": "A>B", "swapped": True}, [0, 1]),
        ({"decision": "1", "swapped": False}, [1, 0]),
        ({"decision": 0, "swapped": True}, [1, 0]),
        ({"scores": [3, 8], "order": "BA"}, [8, 3]),
        ({"scores": [3.5, 8]}, [3.5, 8]),
        ({"scores": [3]}, [None, None]),
        ({"scores": None}, [None, None]),
    ],
)
def test_a_pair_is_read_in_every_notation(tmp_path: Path, verdict: dict[str, Any], expected: list[Any]) -> None:
    assert scores(tmp_path, verdict) == [expected]


def test_several_responses_are_mapped_back(tmp_path: Path) -> None:
    assert scores(tmp_path, {"scores": [4, 9, 2], "order": [2, 0, 1]}, 3) == [[9, 2, 4]]
    assert scores(tmp_path, {"decision": "C", "order": "CAB"}, 3) == [[0, 1, 0]]
    assert scores(tmp_path, {"decision": 2, "order": "CAB"}, 3) == [[0, 0, 1]]


def test_each_protocol_has_its_prompts(tmp_path: Path) -> None:
    none = [None, None]
    assert scores(tmp_path, {"decision": "1", "order": "BA"}, 2, Protocol.BOTH_ORDERS) == [none, [0, 1]]
    assert scores(tmp_path, {"scores": [7], "order": [1]}, 3, Protocol.SINGLE) == [[None], [7], [None]]
    # In PAIRS the right response stands first on the last axis, however it was shown.
    assert scores(tmp_path, {"decision": "1", "order": [2, 0]}, 3, Protocol.PAIRS) == [none, [0, 1]]


def test_several_verdicts_on_an_item_are_samples(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {"item": 1, "decision": "1"},
        {"item": "b", "decision": "2", "order": "BA"},
        {"item": "b", "scores": [1, 2, 3]},
        {"item": "c", "decision": None},
        {"item": "z", "benchmark": "another", "decision": "1"},
    )
    found = read_verdicts(path, [row(name) for name in "abc"], Protocol.JOINT, "llmbar")
    assert [one.row_id for one in found.rows] == ["b", "c"]
    assert (found.left_out, found.missing, found.elsewhere) == (1, 2, {"'another'": 1})
    assert found.outcomes == {"readable": 2, "wrong_count": 1, "no_answer": 1}
    (pool,) = found.pools
    assert pool.rows == [0, 1]
    np.testing.assert_array_equal(pool.scores[0, 0], [[1, 0], [1, 0], [np.nan, np.nan]])
    assert np.isnan(pool.scores[1]).all()


@pytest.mark.parametrize(
    ("verdict", "message"),
    [
        ({"item": "b", "decision": "1"}, "no row is item 'b'; give its row_id, or its number from 0 to 0"),
        ({"item": 1, "decision": "1"}, "no row is item 1"),
        ({"item": True, "decision": "1"}, "no row is item True"),
        ({"decision": "1"}, "no row is item None"),
        ({"item": "a", "decision": "3"}, "decision is '3' for 2 responses, not one of"),
        ({"item": "a", "decision": "Output (a)"}, "decision is 'Output (a)'"),
        ({"item": "a", "decision": True}, "decision is True"),
        ({"item": "a", "decision": 2}, "decision is 2"),
        ({"item": "a"}, "this one has none"),
        ({"item": "a", "decision": "1", "scores": [1, 2]}, "this one has scores and decision"),
        ({"item": "a", "scores": 7}, "scores is 7, not a list"),
        ({"item": "a", "scores": [7, "x"]}, "scores holds what is no number"),
        ({"item": "a", "scores": [7, None]}, "scores holds what is no number"),
        ({"item": "a", "scores": [7, math.nan]}, "scores holds what is no number"),
        ({"item": "a", "scores": [7, math.inf]}, "scores holds what is no number"),
        ({"item": "a", "scores": [7, 1e101]}, "no number up to 1e+100"),
        ({"item": "a", "decision": "1", "order": "AC"}, "order is 'AC'"),
        ({"item": "a", "decision": "1", "order": [0, 0]}, "order is a list of 2"),
        ({"item": "a", "decision": "1", "order": [0]}, "is no prompt of 'a' by protocol joint"),
        ({"item": "a", "decision": "1", "swapped": "yes"}, "swapped is 'yes'"),
    ],
)
def test_a_verdict_that_says_nothing_names_its_line(tmp_path: Path, verdict: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError, match=r"^verdicts\.jsonl:1: ") as raised:
        read_verdicts(written(tmp_path, verdict), [row()], Protocol.JOINT, "llmbar")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_among_several_benchmarks_each_verdict_names_its_own(tmp_path: Path) -> None:
    path = written(tmp_path, {"item": 0, "benchmark": "other", "decision": "1"}, {"item": 0, "decision": "1"})
    with pytest.raises(
        SourceError, match=r"^verdicts\.jsonl:2: names no benchmark, and there are several: llmbar, other"
    ):
        read_verdicts(path, [row()], Protocol.JOINT, "llmbar", ["llmbar", "other"])


def test_a_number_that_is_another_rows_id_is_refused(tmp_path: Path) -> None:
    rows = [row("1"), row("0"), row("2")]
    with pytest.raises(
        SourceError, match=r"^verdicts\.jsonl:1: item 1 is the number of a row, and the id of another one"
    ):
        read_verdicts(written(tmp_path, {"item": 1, "decision": "1"}), rows, Protocol.JOINT, "own")
    found = read_verdicts(
        written(tmp_path, {"item": "1", "decision": "1"}, {"item": 2, "decision": "1"}), rows, Protocol.JOINT, "own"
    )
    assert [one.row_id for one in found.rows] == ["1", "2"]


def test_scores_that_are_nearly_equal_are_no_tie(tmp_path: Path) -> None:
    near = [1.00000001, 1.00000002]
    assert scores(tmp_path, {"scores": near}) == [near]


def test_a_file_without_verdicts_on_the_benchmark_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, {"item": "a", "benchmark": "another", "decision": "1"})
    with pytest.raises(SourceError, match=r"^verdicts\.jsonl: has no verdict on llmbar; its verdicts name 'another'"):
        read_verdicts(path, [row()], Protocol.JOINT, "llmbar")
    path.write_text("{", "utf-8")
    with pytest.raises(SourceError, match=r"^verdicts\.jsonl:1: "):
        read_verdicts(path, [row()], Protocol.JOINT, "llmbar")


def chosen(results: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the verdicts of a judge that chooses, as LLMBar publishes them: the winner is named by its output."""
    for number, result in enumerate(results):
        for swapped in (False, True):
            winner = result["results"][-1][f"swap = {swapped}"]["winner"]
            yield {"item": number, "swapped": swapped, "decision": None if winner is None else int(winner) - 1}


def rated(results: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the verdicts of a judge that rates each output alone."""
    for number, result in enumerate(results):
        for index in (0, 1):
            rating = result["results"][-1][f"score_{index + 1}"][0]
            yield {"item": number, "order": [index], "scores": [int(rating)] if rating.isdecimal() else None}


def shares(directory: Path, rows: list[Row], verdicts: Iterator[dict[str, Any]], protocol: Protocol) -> list[float]:
    """Return each cell's mean over the rows, in percent."""
    found = read_verdicts(written(directory, *verdicts), rows, protocol, "llmbar")
    (pool,) = found.pools
    cells = BENCHMARK.score(found.rows, pool.scores.swapaxes(1, 2)[:, :1], protocol)
    return [round(100 * float(share), 1) for share in cells.mean(axis=(0, 1))]


def test_a_judge_in_the_form_of_llmbar_gets_its_figures(tmp_path: Path) -> None:
    winners = [("1", "1"), ("2", "2"), ("1", "2"), (None, "1"), ("2", "1")]
    results = [
        {"results": [{"swap = False": {"winner": one}, "swap = True": {"winner": other}}]} for one, other in winners
    ]
    rows = [row(str(number)) for number in range(5)]
    # Right are 2, 0, 1, 1 and 1 of ten; two pairs agree, one is right in both.
    assert shares(tmp_path, rows, chosen(results), Protocol.BOTH_ORDERS) == [50.0, 40.0, 20.0]
    ratings = [("6", "1"), ("1", "6"), ("5", "5"), ("good", "1"), ("9", "8")]
    results = [{"results": [{"score_1": [one, "stop"], "score_2": [other, "stop"]}]} for one, other in ratings]
    assert shares(tmp_path, rows, rated(results), Protocol.SINGLE) == [60.0, 60.0, 40.0]


@pytest.mark.skipif(not DATA.is_dir(), reason="the published files stand beside the project, not in it")
@pytest.mark.parametrize(("judge", "protocol"), [("vanilla", Protocol.BOTH_ORDERS), ("rating", Protocol.SINGLE)])
def test_two_published_judges_get_their_published_figures(tmp_path: Path, judge: str, protocol: Protocol) -> None:
    rows = [one for one in read(DATA / "Natural.json", "llmbar") if not isinstance(one, UnreadableRow)]
    results = json.loads((DATA / "judged" / f"natural_gpt4_{judge}_result.json").read_text("utf-8"))
    published = json.loads((DATA / "judged" / f"natural_gpt4_{judge}_statistics.json").read_text("utf-8"))
    assert Counter(one.right[0] + 1 for one in rows) == Counter(result["label"] for result in results)
    found = shares(tmp_path, rows, chosen(results) if judge == "vanilla" else rated(results), protocol)
    keys = ("correct_average", "equal", "correct_both")
    assert dict(zip(CELLS, found, strict=True)) == {
        cell: float(published[key].rpartition("= ")[2].rstrip("%")) for cell, key in zip(CELLS, keys, strict=True)
    }
