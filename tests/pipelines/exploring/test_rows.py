"""Rows, filters, words, counts and exports, over a real snapshot and a real server."""

import io
import json
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.exploring.choosing import Choice, Stopped
from pipelines.exploring.opening import Explorer
from pipelines.exploring.rows import json_lines, write_parquet
from storage.root import Root
from storage.snapshots import find_snapshot
from storage.versions import find_version
from tests.pipelines.exploring.hostile import LONG, MANY
from tests.pipelines.exploring.served import Served, served


@pytest.fixture(scope="module")
def demo(demo_root: Path) -> Iterator[Served]:
    with served(demo_root, "demo") as running:
        yield running


@pytest.fixture(scope="module")
def trajectories(demo_root: Path) -> pl.DataFrame:
    """Return all trajectories in the order in which the explorer numbers them."""
    snapshot = find_snapshot(Root(demo_root), "demo")
    parts = ("accepted", "rejected", "difficulty")
    frames = [
        pl.read_parquet(snapshot.files(f"trajectories/{part}")).with_columns(status=pl.lit(part)) for part in parts
    ]
    return pl.concat(frames).with_row_index("_row")


ASKED = pl.col("prompt").list.first().struct.field("content").str
TEXT = pl.col("text").str
CHOICES: list[tuple[dict[str, Any], pl.Expr]] = [
    ({}, pl.lit(True)),
    ({"where": [["status", "is", "accepted"]]}, pl.col("status") == "accepted"),
    ({"where": [["source", "in", ["own", "teleqna"]]]}, pl.col("source").is_in(["own", "teleqna"])),
    ({"where": [["reject_reason", "is", None]]}, pl.col("reject_reason").is_null()),
    ({"where": [["reject_reason", "not_null", None]]}, pl.col("reject_reason").is_not_null()),
    (
        {"where": [["reject_reason", "in", [None, "tied"]]]},
        pl.col("reject_reason").is_null() | (pl.col("reject_reason") == "tied"),
    ),
    ({"where": [["outcome", "not", "correct"]]}, pl.col("outcome") != "correct"),
    ({"where": [["outcome", "not", ["correct", "tied"]]]}, ~pl.col("outcome").is_in(["correct", "tied"])),
    ({"where": [["model", "contains", "GRM"]]}, pl.col("model") == "simulated-grm"),
    ({"where": [["margin", "gt", 1], ["margin", "le", 4]]}, (pl.col("margin") > 1) & (pl.col("margin") <= 4)),
    ({"where": [["margin", "null", None]]}, pl.col("margin").is_null()),
    ({"where": [["margin", "is", 2]]}, pl.col("margin") == 2),
    ({"where": [["margin", "not", 2]]}, pl.col("margin").ne_missing(2)),
    ({"where": [["sample_index", "in", [0, 2]]]}, pl.col("sample_index").is_in([0, 2])),
    ({"where": [["accepted", "is", True]]}, pl.col("accepted") == True),  # noqa: E712
    ({"where": [["n_responses", "ge", 4]]}, pl.col("order").list.len() >= 4),
    ({"where": [["order", "has", 4]]}, pl.col("order").list.contains(4)),
    ({"where": [["scores", "null", None]]}, pl.col("scores").is_null()),
    ({"where": [["text", "contains", "mixes up"]]}, TEXT.contains("(?i)mixes up")),
    ({"where": [["text", "contains", "critique mixes"]]}, TEXT.contains("(?i)critique mixes")),
    ({"where": [["text", "contains", ""]]}, pl.col("text").is_not_null()),
    ({"where": [["critique", "null", None]]}, pl.col("critique").is_null()),
    ({"words": "MIXES terms", "in": "text"}, TEXT.contains("(?i)mixes") & TEXT.contains("(?i)terms")),
    ({"words": '"mixes up two"', "in": "text"}, TEXT.contains("(?i)mixes up two")),
    ({"words": "hexagon", "in": "prompt"}, ASKED.contains("(?i)hexagon")),
    ({"words": "hexagon"}, ASKED.contains("(?i)hexagon")),
    ({"words": "a.*b ("}, pl.lit(False)),
    (
        {"words": "mixes", "in": "text", "where": [["source", "is", "own"]]},
        (pl.col("source") == "own") & TEXT.contains("mixes"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("choice", "same"), CHOICES, ids=lambda one: json.dumps(one) if isinstance(one, dict) else "")
def test_a_choice_counts_and_shows_the_rows_that_polars_chooses(
    demo: Served, trajectories: pl.DataFrame, choice: dict[str, Any], same: pl.Expr
) -> None:
    expected = trajectories.filter(same)
    wanted = {"table": "trajectories", **choice}
    assert demo.api("count", **wanted) == {"total": expected.height}
    shown = demo.api("rows", limit=500, columns="source,margin", **wanted)
    assert shown["total"] == expected.height
    assert [row["_row"] for row in shown["rows"]] == expected["_row"].to_list()[:500]
    assert [row["trajectory_id"] for row in shown["rows"]] == expected["trajectory_id"].to_list()[:500]
    again = eval(shown["expression"], {"pl": pl}).collect()
    assert sorted(again["trajectory_id"]) == sorted(expected["trajectory_id"])


def test_ids_choose_their_rows(demo: Served, trajectories: pl.DataFrame) -> None:
    first, second = trajectories["set_id"].unique().sort()[:2]
    of_both = trajectories.filter(pl.col("set_id").is_in([first, second]))
    shown = demo.api("rows", table="trajectories", where=[["set_id", "in", [first, second, "none such"]]])
    assert [row["trajectory_id"] for row in shown["rows"]] == of_both["trajectory_id"].to_list()
    others = demo.api("count", table="trajectories", where=[["set_id", "not", [first, second]]])
    assert others["total"] == trajectories.height - of_both.height


@pytest.mark.parametrize("column", ["margin", "source", "completion_tokens", "n_responses", "status"])
@pytest.mark.parametrize("descending", [False, True])
def test_rows_are_sorted_with_nulls_last(
    demo: Served, trajectories: pl.DataFrame, column: str, descending: bool
) -> None:
    frame = trajectories.with_columns(n_responses=pl.col("order").list.len())
    shown = demo.api("rows", table="trajectories", sort=column, desc=int(descending), limit=500, columns=column)
    expected = frame.sort(column, descending=descending, nulls_last=True)[column].to_list()
    assert [row[column] for row in shown["rows"]] == expected[:500]
    second = demo.api("rows", table="trajectories", sort=column, desc=int(descending), offset=100, limit=50)
    assert [row["_row"] for row in second["rows"]] == [row["_row"] for row in shown["rows"][100:150]]


def test_facets_follow_the_choice_but_for_what_it_says_of_the_column_itself(
    demo: Served, trajectories: pl.DataFrame
) -> None:
    where = [["source", "is", "own"], ["outcome", "is", "correct"]]
    found = demo.api("facets", table="trajectories", columns="source,outcome,reject_reason", where=where)

    def counts(frame: pl.DataFrame, column: str) -> dict[Any, int]:
        return dict(frame[column].value_counts().iter_rows())

    correct, own = (trajectories.filter(pl.col(name) == value) for name, _, value in reversed(where))
    assert dict(found["source"]) == counts(correct, "source")
    assert dict(found["outcome"]) == counts(own, "outcome")
    assert dict(found["reject_reason"]) == counts(correct.filter(pl.col("source") == "own"), "reject_reason")


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_a_choice_is_exported_whole_in_its_order(demo: Served, trajectories: pl.DataFrame, form: str) -> None:
    where = json.dumps([["source", "is", "own"]])
    query = urllib.parse.urlencode({"table": "trajectories", "where": where, "sort": "margin", "format": form})
    answer = demo.asked(f"/api/export?{query}")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="demo-trajectories.{form}"'
    expected = trajectories.filter(pl.col("source") == "own").sort("margin", nulls_last=True, maintain_order=True)
    if form == "parquet":
        exported = pl.read_parquet(io.BytesIO(answer.body))
        names = [name for name in trajectories.columns if name != "_row"]
        assert exported.select(names).equals(expected.select(names))
    else:
        lines = [json.loads(line) for line in answer.body.splitlines()]
        assert [line["trajectory_id"] for line in lines] == expected["trajectory_id"].to_list()
        assert lines[0]["prompt"] == expected["prompt"][0].to_list()


def test_every_table_is_described_and_shows_a_row_that_its_id_finds_again(demo: Served, demo_root: Path) -> None:
    tables = demo.api("opened")["tables"]
    assert {"trajectories", "sets", "rft", "rl", "meta_rm", "pairs"} <= tables.keys()
    snapshot = find_snapshot(Root(demo_root), "demo")
    for name, table in tables.items():
        paths = [path for path in snapshot.manifest.tables if path.startswith(f"{name}/")]
        assert table["rows"] == sum(snapshot.rows(path) for path in paths)
        assert set(table["default_columns"]) <= {column["name"] for column in table["columns"]}
        assert all(column["meaning"] for column in table["columns"])
        [row] = demo.api("rows", table=name, limit=1)["rows"]
        whole = demo.api("row", table=name, id=row[table["id"]])["row"]
        assert {key: whole[key] for key in (table["id"], "_row")} == {key: row[key] for key in (table["id"], "_row")}
        assert whole.keys() >= {column["name"] for column in table["columns"]}


def test_long_texts_are_cut_in_rows_and_say_so_and_are_whole_in_one_row(hostile_root: Path) -> None:
    with served(hostile_root, "small") as running:
        rows = running.api("rows", table="trajectories", columns="text,scores,prompt")["rows"]
        cut = [row for row in rows if "text" in row.get("_cut", [])]
        assert [len(row["text"]) for row in cut] == [300]
        whole = running.api("row", table="trajectories", id=cut[0]["trajectory_id"])["row"]
        assert whole["text"].endswith(LONG)
        assert rows[0]["prompt"] == "the prompt as sent"
        assert max(len(row["scores"] or ()) for row in rows) == MANY


REFUSED = [
    ({"table": "nothing"}, 404, "has no table 'nothing'; it has: trajectories, sets"),
    ({"table": "sets", "columns": "colour"}, 400, "sets has no column 'colour'; it has: "),
    ({"table": "sets", "where": "[[1]]"}, 400, "where: must be a JSON list such as "),
    ({"table": "sets", "where": "[" * 1_200}, 400, "where: must be a JSON list such as "),
    ({"table": "sets", "where": '[["colour", "is", 1]]'}, 400, "sets has no column 'colour'"),
    ({"table": "sets", "where": '[["source", "like", 1]]'}, 400, "source: no operation 'like'; there are: is, in"),
    ({"table": "sets", "where": '[["margin", "gt", "far"]]'}, 400, 'margin: gt "far" says nothing of this column'),
    ({"table": "sets", "where": '[["source", "in", 7]]'}, 400, "source: in 7 says nothing of this column"),
    ({"table": "sets", "where": '[["set_id", "gt", "a"]]'}, 400, 'set_id: gt "a" says nothing of this column'),
    ({"table": "sets", "where": '[["query", "is", "a"]]'}, 400, 'query: is "a" says nothing of this column'),
    ({"table": "sets", "where": '[["votes", "has", "a"]]'}, 400, 'votes: has "a" says nothing of this column'),
    ({"table": "sets", "where": '[["source", "in", {"own": 1}]]'}, 400, 'source: in {"own": 1} says nothing'),
    ({"table": "trajectories", "where": '[["margin", "gt", 1%s]]' % ("0" * 400)}, 400, "says nothing of this column"),
    ({"table": "trajectories", "where": '[["scores", "has", 1%s]]' % ("0" * 40)}, 400, "says nothing of this column"),
    ({"table": "sets", "v": "a" * 300}, 404, "is no version of what is opened"),
    ({"table": "sets", "sort": "query"}, 400, "query: rows are sorted by short columns"),
    ({"table": "sets", "offset": "-1"}, 400, "offset: must be a whole number, not '-1'"),
    ({"table": "sets", "in": "colour", "words": "x"}, 400, "sets has no column 'colour'"),
]


@pytest.mark.parametrize(("query", "status", "words"), REFUSED, ids=[words for *_, words in REFUSED])
def test_what_cannot_be_chosen_is_said(demo: Served, query: dict[str, str], status: int, words: str) -> None:
    answer = demo.asked(f"/api/rows?{urllib.parse.urlencode(query)}")
    assert (answer.status, words in answer.json["error"]) == (status, True), answer.body


def test_nothing_is_less_than_null(demo: Served) -> None:
    assert demo.api("count", table="trajectories", where=[["margin", "lt", None]]) == {"total": 0}


def test_an_export_whose_client_has_gone_ends(demo_root: Path, tmp_path: Path) -> None:
    opened = Explorer(Root(demo_root), find_version(Root(demo_root), "demo")).version(None)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        next(json_lines(opened, "trajectories", Choice(), stop))
    with pytest.raises(Stopped):
        write_parquet(opened, "trajectories", Choice(), tmp_path / "rows", stop)


def test_a_row_that_is_not_there_is_said(demo: Served) -> None:
    answer = demo.asked("/api/row?table=sets&id=nothing")
    assert (answer.status, answer.json) == (400, {"error": "sets has no row with set_id 'nothing'"})
    answer = demo.asked("/api/row?table=pairs&id=100000")
    assert answer.json["error"].startswith("pairs has 539 rows")
