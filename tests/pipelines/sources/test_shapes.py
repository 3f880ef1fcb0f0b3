"""The shapes that preference data comes in: each is read, or refused with a reason of its own."""

import datetime
import decimal
import json
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.judging.shown_text import show
from schemas.preference import DropReason, PreferenceSet
from schemas.query import wire
from tests.pipelines.sources.readings import best_text, one_set, one_unreadable, read_source

USER = {"role": "user", "content": "Name a moon."}
GOOD, BAD = {"role": "assistant", "content": "Io."}, {"role": "assistant", "content": "Mars."}
HELLO = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
PAIR = {"chosen": "Io.", "rejected": "Mars."}
WHOLE = {"chosen": [USER, GOOD], "rejected": [USER, BAD]}


def pair(tmp_path: Path, **row: Any) -> PreferenceSet:
    return one_set(tmp_path, "preference_sets", [row])


def reason(tmp_path: Path, **row: Any) -> str:
    return one_unreadable(tmp_path, "preference_sets", [row]).reason


def call(city: str = "Rome", **changes: Any) -> dict[str, Any]:
    function = {"name": "weather", "arguments": json.dumps({"city": city})}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": function}]} | changes


def context(found: PreferenceSet) -> str:
    return show(found).context


@pytest.mark.parametrize(
    ("asked", "query"),
    [
        ({"prompt": "Name a moon."}, [USER]),
        ({"question": "Name a moon."}, [USER]),
        ({"input": "Name a moon."}, [USER]),
        ({"instruction": "Name a moon.", "input": " "}, [USER]),
        ({"instruction": "Sort.", "input": "b a"}, [{"role": "user", "content": "Sort.\n\nb a"}]),
        ({"messages": [USER]}, [USER]),
        ({"instruction": "Sort.", "context": "b a"}, [{"role": "user", "content": "Sort.\n\nb a"}]),
        ({"messages": [{"role": "user", "parts": [{"text": "Name "}, {"text": "a moon."}]}]}, [USER]),
        ({"conversations": [{"from": "human", "value": "Name a moon."}]}, [USER]),
        ({"prompt": USER}, [USER]),
        ({"prompt": {"messages": [USER]}}, [USER]),
        ({"prompt": json.dumps([USER])}, [USER]),
        ({"prompt": str([USER])}, [USER]),
        ({"prompt": [{"role": "User", "content": [{"type": "text", "text": {"value": "Name a moon."}}]}]}, [USER]),
        ({"prompt": [{"role": "user", "content": {"type": "text", "text": "Name a moon."}}]}, [USER]),
        ({"prompt": [{"role": "user", "content": ["Name ", "a moon."]}]}, [USER]),
        ({"question": "Name a moon.", "system": "Be brief."}, [{"role": "system", "content": "Be brief."}, USER]),
        ({"instruction": "Name a moon.", "history": [["Hi", "Hello"]]}, [*HELLO, USER]),
    ],
)
@pytest.mark.parametrize("answers", [PAIR, {"responses": ["Io.", "Mars."], "best": 0}])
def test_a_question_is_read_under_each_of_its_names(
    tmp_path: Path, asked: dict[str, Any], query: list[Any], answers: dict[str, Any]
) -> None:
    found = pair(tmp_path, **asked, **answers)
    assert wire(found.query) == query
    assert (best_text(found), found.drop_reason) == ("Io.", None)


@pytest.mark.parametrize(
    "answers",
    [
        {"chosen": GOOD, "rejected": BAD},
        {"chosen": [GOOD], "rejected": [BAD]},
        {"chosen": {"from": "gpt", "value": "Io."}, "rejected": {"from": "gpt", "value": "Mars."}},
        {"chosen": {"text": "Io."}, "rejected": {"content": "Mars."}},
        {"chosen": ["Io."], "rejected": ["Mars."]},
        {
            "chosen": [
                {"role": "assistant", "content": [{"type": "text", "text": "I"}, {"type": "text", "text": "o."}]}
            ],
            "rejected": [BAD],
        },
        {"chosen": {"messages": [USER, GOOD]}, "rejected": {"messages": [USER, BAD]}},
        {"chosen": json.dumps({"messages": [USER, GOOD]}), "rejected": json.dumps([USER, BAD])},
        {"chosen": str([USER, GOOD]), "rejected": str([USER, BAD])},
        {"responses": [GOOD, BAD], "best": 0},
        {"responses": [json.dumps([USER, GOOD]), json.dumps({"messages": [USER, BAD]}, indent=1)], "best": 0},
        {"responses": [[USER, GOOD], [USER, BAD]], "best": 0.0},
    ],
)
def test_answers_are_read_in_each_of_their_forms(tmp_path: Path, answers: dict[str, Any]) -> None:
    found = pair(tmp_path, prompt="Name a moon.", **answers)
    assert [(one.text, one.turns) for one in found.responses] == [("Io.", None), ("Mars.", None)]
    assert (wire(found.query), best_text(found)) == ([USER], "Io.")


def test_whole_conversations_as_text_need_no_prompt(tmp_path: Path) -> None:
    found = pair(tmp_path, chosen=json.dumps([USER, GOOD]), rejected=json.dumps([USER, BAD]))
    spoken = pair(
        tmp_path,
        chosen="\n\nHuman: Name a moon.\n\nAssistant: Io.",
        rejected="\n\nHuman: Name a moon.\n\nAssistant: Mars.",
    )
    assert wire(found.query) == wire(spoken.query) == [USER]
    assert best_text(found) == best_text(spoken) == "Io."


@pytest.mark.parametrize(
    ("chosen", "rejected"),
    [
        ('{"a": 1}', "[1]"),
        (json.dumps([GOOD]), json.dumps([BAD])),
        (json.dumps({"messages": [{"role": "user", "content": "Hi"}, GOOD]}), '{"messages": []}'),
        (json.dumps([{"role": "king", "content": "x"}]), json.dumps([{"role": "queen", "content": "y"}])),
    ],
)
def test_a_question_that_asks_for_json_keeps_its_answers(tmp_path: Path, chosen: str, rejected: str) -> None:
    found = pair(tmp_path, prompt="Write JSON of a chat.", chosen=chosen, rejected=rejected)
    assert {one.text for one in found.responses} == {chosen, rejected}
    assert best_text(found) == chosen


@pytest.mark.parametrize(
    ("calls", "result"),
    [
        (call, {"role": "tool", "tool_call_id": "c", "content": "4 C"}),
        (
            lambda city: {
                "role": "assistant",
                "content": None,
                "function_call": {"name": "weather", "arguments": json.dumps({"city": city})},
            },
            {"role": "function", "name": "weather", "content": "4 C"},
        ),
        (
            lambda city: {
                "from": "function_call",
                "value": json.dumps({"name": "weather", "arguments": {"city": city}}),
            },
            {"from": "observation", "value": "4 C"},
        ),
        (
            lambda city: {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "c", "name": "weather", "input": {"city": city}}],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": "4 C"}]}],
            },
        ),
        (lambda city: call(tool_calls=json.dumps(call(city)["tool_calls"])), {"role": "tool", "content": "4 C"}),
    ],
)
def test_calls_of_tools_are_shown_in_answers_and_in_questions(tmp_path: Path, calls: Any, result: Any) -> None:
    asked = {"role": "user", "content": "Weather?"}
    found = pair(tmp_path, chosen=[asked, calls("Rome"), result, GOOD], rejected=[asked, calls("Bonn"), result, GOOD])
    assert (found.drop_reason, found.margin, wire(found.query)) == (None, 1.0, [asked])
    best, other = (show(found).responses[index] for index in (found.best or 0, 1 - (found.best or 0)))
    assert 'Assistant calls: weather({"city": "Rome"})' in best
    assert 'Assistant calls: weather({"city": "Bonn"})' in other
    assert "4 C" in best and "Assistant: Io." in best

    found = pair(tmp_path, prompt=[asked, calls("Rome"), result, GOOD, USER], **PAIR)
    assert 'Assistant: calls weather({"city": "Rome"})\n\nTool: 4 C\n\nAssistant: Io.' in context(found)
    assert {tuple(turn) for turn in wire(found.query)} == {("role", "content")}
    assert best_text(found) == "Io."


def test_a_question_may_end_with_what_a_tool_gave_back(tmp_path: Path) -> None:
    asked = [{"role": "user", "content": "Weather?"}, call(), {"role": "tool", "tool_call_id": "c", "content": "4 C"}]
    found = pair(tmp_path, prompt=asked, chosen="4 C.", rejected="9 C.")
    assert context(found).endswith("Tool: 4 C")
    assert (best_text(found), [one.turns for one in found.responses]) == ("4 C.", [None, None])


def test_an_answer_that_only_calls_stands_beside_one_that_only_speaks(tmp_path: Path) -> None:
    found = pair(tmp_path, prompt="Weather?", chosen=call(), rejected="No idea.")
    assert sorted(show(found).responses) == ['Assistant calls: weather({"city": "Rome"})', "Assistant: No idea."]


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        (
            {"prompt": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]},
            "holds_image",
        ),
        ({"prompt": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}, "holds_audio"),
        ({"chosen": [{"role": "assistant", "content": [{"image": "a.png"}]}]}, "holds_image"),
        ({"chosen": [{"role": "assistant", "content": [{"type": "video"}]}]}, "holds_video"),
        ({"prompt": [{"role": "user", "content": [{"type": "document"}]}]}, "holds_file"),
        ({"images": ["a.png"]}, "holds_image"),
        ({"prompt": [{"role": "user", "content": [{"type": "thinking", "thinking": "x"}]}]}, "unknown_part"),
        ({"prompt": [{"role": "user", "content": None}]}, "missing_field"),
        ({"chosen": [{"role": "assistant", "content": None}]}, "missing_field"),
        ({"chosen": call(tool_calls=["weather"])}, "bad_tool_call"),
        ({"chosen": call(tool_calls="{")}, "bad_tool_call"),
        ({"chosen": [call(), {"role": "tool", "content": "x"}]}, "bad_response"),
        ({"chosen": json.dumps([USER, GOOD])}, "bad_response"),
        (
            {"prompt": " Name a moon.", "chosen": json.dumps([USER, GOOD]), "rejected": json.dumps([USER, BAD])},
            "bad_prompt",
        ),
        (
            {"prompt": [{"role": "user", "content": json.loads('[{"text":' * 300 + '"x"' + "}]" * 300)}]},
            "nested_too_deep",
        ),
        ({"prompt": None, "instruction": "x", "history": ["x"]}, "bad_history"),
        ({"prompt": "\u200b\u2063"}, "empty_field"),
        (
            {
                "prompt": None,
                "chosen": [{"role": "user", "content": " "}, GOOD],
                "rejected": [{"role": "user", "content": " "}, BAD],
            },
            "empty_field",
        ),
        ({"prompt": None, "question": "Which?", "context": "Io or Mars."}, "several_queries"),
    ],
)
def test_what_no_judge_of_text_can_see_has_a_reason(tmp_path: Path, changes: dict[str, Any], due: str) -> None:
    assert reason(tmp_path, **({"prompt": "Name a moon."} | PAIR | changes)) == due


def test_an_answer_of_invisible_characters_is_empty(tmp_path: Path) -> None:
    found = pair(tmp_path, prompt="Name a moon.", chosen="\u200b\u200d\ufe0f", rejected="Mars.")
    assert found.drop_reason is DropReason.EMPTY_RESPONSE


@pytest.mark.parametrize(
    ("scores", "margin"),
    [
        ({"score_chosen": 5.0, "score_rejected": 5.0}, None),
        ({"chosen_score": "3", "rejected_score": "9"}, None),
        ({"chosen-rating": 2, "rejected-rating": 4}, None),
        ({"reward_chosen": -1, "reward_rejected": 0}, None),
        ({"chosen_avg_rating": 1, "rejected_avg_rating": 2}, None),
        ({"chosen": {"text": "Io.", "score": 2}, "rejected": {"text": "Mars.", "score": 3}}, None),
        ({"chosen": GOOD | {"rating": 5}, "rejected": BAD | {"rating": 3}}, 2.0),
        ({"margin": -0.5}, None),
        ({"margin": 0}, None),
        ({"chosen_score": 8, "rejected_score": 2, "margin": -6}, None),
        ({"score_chosen": 8.0, "score_rejected": 2.0}, 6.0),
        ({"Chosen Rating": "4.5", "Rejected Rating": 4}, 0.5),
        ({"margin": 2.5}, 2.5),
        ({"chosen_score": "N/A", "rejected_score": 9}, 1.0),
        (
            {"chosen_length": 3, "rejected_length": 9, "rejected_helpfulness_score": 9, "chosen_helpfulness_score": 1},
            1.0,
        ),
    ],
)
def test_scores_beside_a_pair_are_its_margin_or_contradict_it(
    tmp_path: Path, scores: dict[str, Any], margin: float | None
) -> None:
    found = pair(tmp_path, **({"prompt": "Name a moon."} | PAIR | scores))
    if margin is None:
        assert (found.drop_reason, found.best) == (DropReason.SCORES_CONTRADICT, None)
    else:
        assert (found.drop_reason, found.margin, best_text(found)) == (None, margin, "Io.")
    assert found.set_id == pair(tmp_path, prompt="Name a moon.", **PAIR).set_id


def test_one_labelled_answer_is_read_under_its_usual_name(tmp_path: Path) -> None:
    found = pair(tmp_path, prompt=[USER], completion=[GOOD], label=True)
    assert (found.responses[0].text, found.label, wire(found.query)) == ("Io.", 1, [USER])


IDS = [uuid.UUID(int=1), uuid.UUID(int=2)]


@pytest.mark.parametrize(
    ("ids", "due"),
    [
        (pa.ExtensionArray.from_storage(pa.uuid(), pa.array([one.bytes for one in IDS], pa.binary(16))), str(IDS[0])),
        (pa.array([one.bytes for one in IDS], pa.binary(16)), str(IDS[0])),
        (pa.array([decimal.Decimal("12345678901234567890")] * 2, pa.decimal128(38, 0)), "12345678901234567890"),
        (pa.array([7.0, None], pa.float64()), "7"),
        (pa.array([datetime.datetime(2026, 1, 2, 3, 4, 5)] * 2, pa.timestamp("ns")), "2026-01-02T03:04:05"),  # noqa: DTZ001
        (pa.array([datetime.date(2026, 1, 2)] * 2), "2026-01-02"),
        (pa.array([b"a-1"] * 2, pa.binary()), "a-1"),
        (pa.array(["a-1"] * 2, pa.string_view()), "a-1"),
    ],
)
@pytest.mark.parametrize(
    "texts",
    [pa.binary(), pa.large_string(), pa.large_binary(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
)
def test_what_sql_engines_write_is_read(tmp_path: Path, ids: Any, due: str, texts: Any) -> None:
    def column(*values: str) -> Any:
        return pa.array(values, pa.string()).cast(texts)

    rewards = pa.array([[decimal.Decimal("0.9"), decimal.Decimal("0.1")]] * 2, pa.list_(pa.decimal128(3, 1)))
    responses = pa.array([["Io.", "Mars."]] * 2, pa.large_list(pa.large_string()))
    table = pa.table(
        {"id": ids, "query": column("Name a moon.", "A moon?"), "responses": responses, "rewards": rewards}
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    first, _ = read_source(tmp_path / "rows.parquet", "preference_sets")
    assert isinstance(first, PreferenceSet), first
    assert (first.source_id, wire(first.query), best_text(first)) == (due, [USER], "Io.")
    assert first.margin == pytest.approx(0.8)


def test_bytes_that_are_no_text_cost_their_own_row(tmp_path: Path) -> None:
    table = {"query": [b"q", b"\xff\xfe"], "chosen": [b"a", b"a"], "rejected": [b"b", b"b"], "blob": [b"\xff", b"\xff"]}
    pq.write_table(pa.table(table), tmp_path / "rows.parquet")
    first, second = read_source(tmp_path / "rows.parquet", "preference_sets")
    assert isinstance(first, PreferenceSet)
    assert getattr(second, "reason", None) == "invalid_utf8"


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json"])
def test_a_key_that_stands_twice_costs_its_own_row(tmp_path: Path, name: str) -> None:
    rows = [
        '{"query": "q", "responses": ["a", "b"], "best": 0, "best": 1}',
        '{"query": "q", "responses": ["a", "the text \\"best\\": 1"], "best": 0}',
        '{"query": "q", "responses": [{"text": "a", "text": "c"}, "b"], "best": 0}',
    ]
    text = "\n".join(rows) if name.endswith("l") else f"[{','.join(rows)}]"
    (tmp_path / name).write_text(text)
    found = read_source(tmp_path / name, "preference_sets")
    assert [getattr(row, "reason", "read") for row in found] == ["repeated_key", "read", "repeated_key"]
    assert "'best' stands there twice" in getattr(found[0], "detail", "")
    assert [row.source_id for row in found] == [f"{name}:{number}" for number in (1, 2, 3)]
