"""A small snapshot whose judge thinks aloud, and a tokenizer that needs no hub."""

from pathlib import Path

import pytest

from pipelines.steps import build
from storage.root import Root
from storage.snapshots import Snapshot
from tests.examples import a_recipe, a_run, jsonl_rows, simulated, write_rows
from tests.trainers.tokenizers import save_tokenizer

SETS = 60


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """Return a snapshot with every set. One question speaks of a picture; the general rows hold a long conversation."""
    path = tmp_path_factory.mktemp("exported")
    rows = jsonl_rows(SETS)
    for row in rows[::5]:
        row["query"] = f"What does <image> show? {row['query']}"
    write_rows(path / "own.jsonl", rows)
    chats = [
        [{"role": "user", "content": f"one {number}"}, {"role": "assistant", "content": "two"}]
        + [{"role": "user", "content": "three"}, {"role": "assistant", "content": f"four {number}"}] * (number % 2)
        for number in range(40)
    ]
    write_rows(path / "chats.jsonl", [{"messages": chat} for chat in chats])
    sources = [{"kind": "preference_sets", "name": "own", "path": "own.jsonl", "hinted": True}]
    models = {"grm": simulated(thinks_aloud=0.5), "difficulty": simulated(model="weak", accuracy=0.5, seed=1)}
    general = {"path": "chats.jsonl", "ratio": 0.5, "license": "MIT"}
    recipe = a_recipe(path, sources=sources, models=models, general=general, splits={"validation": 0.3})
    return build(recipe, Root(path), a_run(recipe)[0]).snapshot


@pytest.fixture(scope="session")
def tokenizer_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tokenizer(tmp_path_factory.mktemp("tokenizer"))
