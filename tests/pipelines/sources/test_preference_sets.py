"""Your own data: the documented schema is read, and a row that breaks it says how."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.preference import DropReason, LabelSource, PreferenceSet, Split
from tests.pipelines.sources.readings import best_text, one_set, one_unreadable, read_source

ROW: dict[str, Any] = {"query": "What is NR?", "responses": ["New Radio", "No Radio"], "best": 0}


def row(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**ROW, **changes}.items() if value != "absent"}


def documented_examples() -> list[dict[str, Any]]:
    """Return the rows of the example in docs/preference_sets.md."""
    text = (Path(__file__).parents[3] / "docs" / "preference_sets.md").read_text("utf-8")
    block = text.partition("<!-- preference_sets example -->")[2].partition("```json\n")[2].partition("```")[0]
    return [json.loads(line) for line in block.splitlines()]


def test_the_example_of_the_docs_is_read(tmp_path: Path) -> None:
    examples = documented_examples()
    assert len(examples) >= 3
    found = [one_set(tmp_path, "preference_sets", [example]) for example in examples]
    assert [entry.drop_reason for entry in found] == [None] * len(examples)
    assert any(entry.label is not None for entry in found)
    assert any(len(entry.query) > 1 for entry in found)


def test_best_is_an_index_from_0(tmp_path: Path) -> None:
    found = one_set(tmp_path, "preference_sets", [row(best=1)], name="mine", license="Apache-2.0", domain="telecom")
    assert (best_text(found), found.margin) == ("No Radio", 1.0)
    assert (found.source, found.license, found.domain, found.split) == ("mine", "Apache-2.0", "telecom", None)
    assert (found.source_id, found.label_source) == ("train.jsonl.gz:1", LabelSource.HUMAN)


def test_rewards_rank_and_the_recipe_may_ask_for_a_margin(tmp_path: Path) -> None:
    rows = [row(best="absent", rewards=[0.5, "0.75"])]
    assert one_set(tmp_path, "preference_sets", rows).margin == 0.25
    assert one_set(tmp_path, "preference_sets", rows, min_margin=0.5).drop_reason is DropReason.UNCERTAIN
    tie = one_set(tmp_path, "preference_sets", [row(best="absent", rewards=[1, 1])])
    assert tie.drop_reason is DropReason.TIE


@pytest.mark.parametrize("label", [0, 1, True, 1.0])
def test_a_single_response_has_a_label(tmp_path: Path, label: Any) -> None:
    found = one_set(tmp_path, "preference_sets", [row(best="absent", responses=["New Radio"], label=label)])
    assert (found.label, found.best, found.drop_reason) == (int(label), None, None)


def test_optional_fields_are_kept(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "last", "tool_calls": [{"id": "1"}]}]
    responses = [
        {"text": "a", "reasoning": "because", "model": "m", "origin": "o"},
        {"turns": turns},
    ]
    found = one_set(
        tmp_path,
        "preference_sets",
        [
            row(
                responses=responses,
                id=7,
                reference="R",
                license="MIT",
                domain="math",
                split="validation",
                label_source="verifier",
                anything_else={"x": 1},
            )
        ],
    )
    assert (found.source_id, found.reference, found.license, found.domain) == ("7", "R", "MIT", "math")
    assert (found.split, found.label_source) == (Split.VALIDATION, LabelSource.VERIFIER)
    first, second = sorted(found.responses, key=lambda response: response.text)
    assert (first.reasoning, first.model, first.origin, first.turns) == ("because", "m", "o", None)
    assert second.text == "last"
    assert second.turns is not None
    assert json.loads(second.turns) == turns


@pytest.mark.parametrize(
    ("changes", "reason", "says"),
    [
        ({"query": None}, "missing_field", "no query"),
        ({"query": None, "question": "q", "instruction": "i"}, "several_queries", "question and instruction"),
        ({"query": "\u200b\ufeff \u2060"}, "empty_field", "invisible characters"),
        ({"domain": "x" * 100_000}, "name_too_long", "domain has 100,000 characters"),
        ({"query": ""}, "empty_field", "query"),
        ({"query": 3}, "not_text", "query"),
        ({"query": [{"role": "assistant", "content": "x"}]}, "no_user_turn", "assistant"),
        ({"query": [{"role": "robot", "content": "x"}]}, "unknown_role", "robot"),
        ({"query": []}, "empty_field", "no turns"),
        ({"responses": None}, "missing_field", "responses"),
        ({"responses": "New Radio"}, "not_a_list", "responses"),
        ({"responses": ["a", 3]}, "bad_response", r"responses\[1\]"),
        ({"responses": ["a", {"model": "m"}]}, "missing_field", r"responses\[1\]\.text"),
        ({"responses": ["a"] * 1001}, "too_many_responses", "1,001"),
        ({"best": 2}, "bad_best", "0 to 1"),
        ({"best": -1}, "bad_best", "-1"),
        ({"best": "0"}, "bad_best", "'0'"),
        ({"best": True}, "bad_best", "True"),
        ({"best": 0.5}, "bad_best", "0.5"),
        ({"best": None}, "no_truth", "none"),
        ({"rewards": [1, 0]}, "several_truths", "rewards and best"),
        ({"best": None, "rewards": [1]}, "lengths_differ", "1 rewards for 2"),
        ({"best": None, "rewards": [1, "N/A"]}, "bad_reward", r"rewards\[1\] is 'N/A'"),
        ({"best": None, "rewards": [1, None]}, "bad_reward", "None"),
        ({"best": None, "label": 1}, "bad_label", "2"),
        ({"best": None, "label": 2, "responses": ["a"]}, "bad_label", "not 0 or 1"),
        ({"split": "dev"}, "bad_split", "dev"),
        ({"licence": "MIT"}, "misspelt_key", "'license'"),
        ({"responses": [{"txt": "a"}, "b"]}, "misspelt_key", "'text'"),
    ],
)
def test_a_row_that_breaks_the_schema_says_how(tmp_path: Path, changes: dict[str, Any], reason: str, says: str) -> None:
    found = one_unreadable(tmp_path, "preference_sets", [row(**changes)])
    assert found.reason == reason
    assert re.search(says, found.detail)


def test_parquet_rows_have_nulls_for_what_others_have(tmp_path: Path) -> None:
    rows = [
        {"query": "q", "responses": [{"text": "a", "model": None}, {"text": "b", "model": "m"}], "best": 1.0},
        {"query": "r", "responses": [{"text": "a", "model": None}], "label": 1},
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=_schema()), tmp_path / "rows.parquet")
    found = read_source(tmp_path / "rows.parquet", "preference_sets")
    assert [entry.drop_reason for entry in found if isinstance(entry, PreferenceSet)] == [None, None]


def _schema() -> pa.Schema:
    response = pa.struct([("text", pa.string()), ("model", pa.string())])
    return pa.schema(
        [("query", pa.string()), ("responses", pa.list_(response)), ("best", pa.float64()), ("label", pa.int64())]
    )
