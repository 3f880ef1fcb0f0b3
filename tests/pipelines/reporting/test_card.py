"""The card: YAML that `datasets` reads, naming exactly the tables that have rows."""

from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.reporting.report import card_of
from schemas.manifest import Input, Manifest, ModelUse, TableEntry

TABLES = [
    *(f"{name}/{split}" for name in ("rft", "rl", "meta_rm", "pairs") for split in ("train", "validation")),
    *(f"trajectories/{name}" for name in ("accepted", "rejected", "difficulty", "on_policy")),
    "sets/kept",
    "sets/dropped",
]


def a_manifest(tables: set[str], **given: Any) -> Manifest:
    usual: dict[str, Any] = {
        "name": "small",
        "version": "20260101T000000Z-cccccccc",
        "content_hash": "c" * 32,
        "created_at": "2026-01-01T00:00:00Z",
        "package_version": "0",
        "seed": 0,
        "recipe": {},
        "inputs": [],
        "models": [],
        "funnel": [],
        "checks": {},
        "tables": {name: TableEntry(rows=1, files=[]) for name in tables},
    }
    return Manifest(**usual | given)


def an_input(**given: Any) -> Input:
    counts = dict.fromkeys(("rows", "sampled_out", "kept", "dropped", "unreadable"), 1)
    texts = dict.fromkeys(("source", "kind", "origin", "revision", "license", "unit", "sha256"), "x")
    return Input(**{**counts, **texts, "redistribution": "open", "unreadable_reasons": []} | given)


def front_matter(card: str) -> Any:
    _, matter, _ = card.split("---\n", 2)
    return yaml.safe_load(matter)


@given(st.sets(st.sampled_from(TABLES)))
def test_the_front_matter_declares_the_tables_that_have_rows_and_no_other(tables: set[str]) -> None:
    configs = front_matter(card_of(a_manifest(tables)))["configs"] or []
    declared = {file["path"] for config in configs for file in config["data_files"]}
    assert declared == {f"{name}-*.parquet" for name in tables}
    names = [config["config_name"] for config in configs]
    assert len(names) == len(set(names))
    assert set(names) == {
        name.replace("/", "_") if name.startswith(("sets", "trajectories")) else Path(name).parent.name
        for name in tables
    }


def test_a_source_that_must_not_be_republished_is_said_so() -> None:
    card = card_of(a_manifest({"rft/train"}, inputs=[an_input(source="teleqna", redistribution="restricted")]))
    assert "Redistribution restricted" in card
    assert "teleqna" in card
    assert "restricted" not in card_of(a_manifest({"rft/train"}, inputs=[an_input()]))


def test_texts_from_outside_stay_text() -> None:
    hostile = "evil](http://x) <script>|\n---\nconfigs: []\n| # head"
    card = card_of(a_manifest({"rft/train"}, inputs=[an_input(origin=hostile, license=hostile)]))
    assert "<script>" not in card
    assert card.count("\n---\n") == 1
    assert len([line for line in card.splitlines() if "evil" in line]) == 1
    assert front_matter(card)["configs"][0]["config_name"] == "rft"


def test_a_models_name_moves_no_cursor_and_breaks_no_line() -> None:
    use = ModelUse(
        role="grm", engine="simulated", model="sim|\n---\n\x1b[31m", requests=1, cached=0, failed=0, prompt_tokens=1,
        completion_tokens=1, cost_usd=0,
    )  # fmt: skip
    card = card_of(a_manifest({"rft/train"}, models=[use]))
    assert "\x1b" not in card and card.count("\n---\n") == 1
    assert [line for line in card.splitlines() if "sim" in line] == [
        "**simulated: grm; these rows are for trying things out, never for training.**",
        r"| grm | simulated | sim\| --- \\x1b\[31m | 1 | 0 | 1 |",
    ]
