"""Examples: the rows that were asked for, in words, and nothing that a terminal would obey."""

import json
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.reporting.examples import STATUSES, as_json, find_examples, render
from pipelines.reporting.visible import columns
from schemas.errors import ForgeError
from schemas.preference import Response
from storage.snapshots import Snapshot
from tests.pipelines.reporting.small_snapshot import HOSTILE, Small, a_set, small, synthesized, trajectory


def found(snapshot: Snapshot, **asked: Any) -> list[tuple[str, str | None]]:
    """Return (table, reason) of each example found."""
    options: dict[str, Any] = {"table": None, "status": None, "reason": None, "source": None, "n": 5} | asked
    return [(example.table, example.reason) for example in find_examples(snapshot, **options)]


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    return small().published(tmp_path)[0]


def test_the_options_say_which_table(snapshot: Snapshot) -> None:
    assert {table for table, _ in found(snapshot)} == {"trajectories/accepted", "trajectories/rejected"}
    assert found(snapshot, status="accepted") == [("trajectories/accepted", None)] * 2
    assert found(snapshot, reason="too_easy") == [("trajectories/rejected", "too_easy")] * 2
    assert found(snapshot, reason="tie") == [("sets/dropped", "tie")]
    assert found(snapshot, status="kept") == [("sets/kept", None)] * 2
    assert found(snapshot, table="sets") == [("sets/kept", None), ("sets/dropped", "tie"), ("sets/kept", None)]
    assert found(snapshot, table="rft/train") == found(snapshot, table="rft") == [("rft/train", None)] * 2
    assert found(snapshot, table="rl", source="telecom", n=1) == [("rl/train", None)]
    assert found(snapshot, table="meta_rm", reason="tied", n=1) == [("meta_rm/train", None)]


def test_a_damaged_shard_is_named_with_the_way_out(snapshot: Snapshot) -> None:
    path = snapshot.files("trajectories/rejected")[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    path.unlink()
    path.write_bytes(data)
    with pytest.raises(ForgeError, match=rf"{path.name}: damaged (?s:.*); remove it, and build again"):
        found(snapshot, status="rejected")


def test_different_sets_come_first(snapshot: Snapshot) -> None:
    examples = find_examples(snapshot, table=None, status="rejected", reason=None, source=None, n=2)
    assert len({example.row["set_id"] for example in examples}) == 2
    assert len(found(snapshot, status="rejected", n=9)) == 6


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"table": "nope"}, "there are: sets, trajectories, rft, rl, meta_rm, pairs"),
        ({"table": "rft", "status": "accepted"}, "it has: train, validation"),
        ({"status": "difficulty"}, "it has: meta_rm/train, pairs/train"),
        ({"reason": "nope"}, "there are: incorrect (2), too_easy (2), truncated (2)"),
        ({"table": "sets", "reason": "too_easy"}, "there are: tie (1)"),
        ({"table": "rl", "source": "nope"}, "there are: telecom (2)"),
        ({"table": "rft", "reason": "tie"}, "rows of rft have no reason"),
    ],
)
def test_says_what_there_is(snapshot: Snapshot, asked: dict[str, str], said: str) -> None:
    with pytest.raises(ForgeError) as error:
        found(snapshot, **asked)
    assert said in str(error.value)
    assert error.value.exit_code == 2


def test_a_trajectory_reads_well(snapshot: Snapshot) -> None:
    example = find_examples(snapshot, table=None, status="rejected", reason="incorrect", source=None, n=1)[0]
    text = render(example, 80)
    for line in (
        "QUESTION",
        " * response 2, the best: IMS",
        "   response 1: a wrong one",
        "   Accuracy (weight 60%): it is right",
        "  The second is right.",
        " * response 2:    3  IMS",
        "   response 1:    8  a wrong one",
        "   rejected: only correct answers are accepted",
    ):
        assert line in text.split("\n"), line
    assert "another response a higher score" in text
    assert max(columns(line) for line in text.split("\n")) <= 80


def test_an_unreadable_answer_is_shown_whole(snapshot: Snapshot) -> None:
    example = find_examples(snapshot, table=None, status=None, reason="truncated", source=None, n=1)[0]
    text = render(example, 80)
    assert "THE WHOLE ANSWER\n  the whole answer" in text
    assert "the answer ended at the token limit" in text and "SCORES" not in text


@pytest.mark.parametrize("table", STATUSES)
@pytest.mark.parametrize("width", [1, 40, 110])
def test_every_table_renders_and_is_json(tmp_path: Path, table: str, width: int) -> None:
    snapshot, _ = synthesized().published(tmp_path)
    for example in find_examples(snapshot, table=table, status=None, reason=None, source=None, n=9):
        assert render(example, width).startswith("== ")
        parsed = json.loads(orjson.dumps(as_json(example)))
        assert parsed["table"] == example.table
    if table == "trajectories":
        assert parsed["best_position"] == 1 and parsed["set"]["source"] == "telecom"


def test_a_trajectory_is_json_with_the_criteria_of_its_set(tmp_path: Path) -> None:
    made = small()
    made.sets = [replace(one, given_principles="- a", given_ids=("a",), own_rubric="- b") for one in made.sets]
    snapshot, _ = made.published(tmp_path)
    for example in find_examples(snapshot, table="trajectories", status=None, reason=None, source=None, n=9):
        judged = as_json(example)["set"]
        assert (judged["given_principles"], judged["given_ids"], judged["own_rubric"]) == ("- a", ("a",), "- b")


def test_traces_and_responses_say_who_wrote_them(tmp_path: Path) -> None:
    made = synthesized()
    written = [Response("mine", 1.0, model="small", origin="teacher"), Response("no", 0.0, origin="rewrite")]
    made.sets = [replace(made.sets[0], responses=tuple(written)), *made.sets[1:]]
    snapshot, _ = made.published(tmp_path)
    (example,) = find_examples(snapshot, table="traces", status=None, reason=None, source="telecom", n=1)
    text = render(example, 110)
    assert text.startswith("== train trace =")
    assert "by small · found right by mathematical equivalence · the responder's" in text
    assert "trace_id trace of" in text and "COMPLETION" in text
    sets = find_examples(snapshot, table="sets", status="kept", reason=None, source=None, n=2)
    shown = "\n".join(render(example, 110) for example in sets)
    assert "small, the teacher's own, reward 1" in shown
    assert "a wrong response in the teacher's words, reward 0" in shown


def test_a_terminal_is_given_nothing_to_obey(tmp_path: Path) -> None:
    one = a_set(HOSTILE, HOSTILE, source=HOSTILE)
    row = trajectory(one, 0, "unparsed", HOSTILE, scores=[1, 2], critique=HOSTILE, text=HOSTILE) | {"model": HOSTILE}
    row["principles"] = [{"name": HOSTILE, "description": HOSTILE, "weight": None}]
    made = Small(sets=[one], tables={"trajectories/rejected": [row]})
    snapshot, _ = made.published(tmp_path)
    [example] = find_examples(snapshot, table=None, status=None, reason=HOSTILE, source=HOSTILE, n=1)
    text = render(example, 80)
    assert not {character for character in text if unicodedata.category(character) in ("Cc", "Cf")} - {"\n"}
    assert "\\x1b[31mred" in text and "\\u202eevil" in text and "\\x0d" in text
    with pytest.raises(ForgeError) as error:
        find_examples(snapshot, table=None, status=None, reason="nope", source=None, n=1)
    assert "\x1b" not in str(error.value)


def test_rows_are_found_beyond_the_first_row_group(tmp_path: Path) -> None:
    sets = [a_set(f"question {number}") for number in range(3)]
    sets.sort(key=lambda one: one.query_id)
    many = [trajectory(sets[0], number, "tied", "tied", scores=[5, 5]) for number in range(5_000)]
    last = trajectory(sets[2], 0, "refused", "refused", scores=None)
    made = Small(sets=sets, tables={"trajectories/rejected": [*many, last]})
    snapshot, _ = made.published(tmp_path)
    [example] = find_examples(snapshot, table=None, status=None, reason="refused", source=None, n=3)
    assert example.preference == sets[2]
    both = find_examples(snapshot, table=None, status="rejected", reason=None, source=None, n=2)
    assert [one.reason for one in both] == ["tied", "refused"]


def test_a_word_of_a_megabyte_is_wrapped(tmp_path: Path) -> None:
    snapshot, _ = small(response="a" * 1_000_000).published(tmp_path)
    [example] = find_examples(snapshot, table="sets", status="kept", reason=None, source=None, n=1)
    assert render(example, 100).count("a" * 95) >= 10_000
