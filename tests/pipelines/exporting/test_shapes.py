"""Rows in the columns that trainers read: every text is kept whole and in its place."""

import pyarrow as pa
import pytest

from pipelines.exporting import shapes
from schemas.columns import joined
from schemas.query import MESSAGES


def conversations(*turns: list[tuple[str, str]]) -> pa.ChunkedArray:
    rows = [[{"role": role, "content": content} for role, content in turn] for turn in turns]
    return pa.chunked_array([pa.array(rows[:1], MESSAGES), pa.array(rows[1:], MESSAGES)])


PROMPTS = conversations([("user", "a")], [("system", "s"), ("user", "b"), ("assistant", "c"), ("user", "d")])
ANSWERS = conversations([("assistant", "1")], [("assistant", "2")])
OTHERS = conversations([("assistant", "x")], [("assistant", "y")])
ROWS = pa.table({"id": ["r1", "r2"], "prompt": PROMPTS, "completion": ANSWERS, "chosen": ANSWERS, "rejected": OTHERS})


def contents(column: pa.ChunkedArray) -> list[str]:
    return ["".join(message["content"] for message in row) for row in column.to_pylist()]


def test_a_conversation_is_its_prompt_and_then_its_answer() -> None:
    made = shapes.messages(ROWS)
    assert made.column_names == ["id", "messages"]
    assert contents(made["messages"]) == ["a1", "sbcd2"]
    assert set(made["messages"].to_pylist()[1][0]) == {"role", "content"}
    assert contents(shapes.messages(ROWS.slice(1))["messages"]) == ["sbcd2"]
    assert shapes.messages(ROWS.slice(2)).num_rows == 0


@pytest.mark.parametrize(("key", "on", "off"), [("loss", True, False), ("step_loss_mask", 1, 0)])
def test_only_the_last_message_is_marked_as_trained_on(key: str, on: bool | int, off: bool | int) -> None:
    rows = shapes.marked_messages(key, on, off)(ROWS)["messages"].to_pylist()
    assert [[message[key] for message in row] for row in rows] == [[off, on], [off, off, off, off, on]]


def test_pairs_keep_which_side_is_better() -> None:
    texts = shapes.with_rejected_text(shapes.marked_messages("loss", True, False, "chosen"))(ROWS)
    assert contents(texts["messages"]) == ["a1", "sbcd2"] and texts["rejected_response"].to_pylist() == ["x", "y"]
    both = shapes.chosen_and_rejected_messages(ROWS).to_pylist()
    assert [(row["chosen"]["content"], row["rejected"]["content"]) for row in both] == [("1", "x"), ("2", "y")]
    ranked = shapes.ranked_completions(ROWS).to_pylist()
    assert [[(one["rank"], one["completion"][0]["content"]) for one in row["completions"]] for row in ranked] == [
        [(0, "1"), (1, "x")],
        [(0, "2"), (1, "y")],
    ]


def test_lists_are_joined_whatever_their_chunks() -> None:
    first = pa.chunked_array([pa.array([[1], []], pa.list_(pa.int32())), pa.array([[2, 3]], pa.list_(pa.int32()))])
    second = pa.chunked_array([pa.array([[], [4], [5]], pa.list_(pa.int32()))])
    assert joined(first, second).to_pylist() == [[1], [4], [2, 3, 5]]
