"""The demo's snapshot and a tokenizer, made once for every trainer."""

from pathlib import Path

import pytest

from storage.snapshots import Snapshot
from tests.end_to_end.commands import REPOSITORY, grmforge, latest
from tests.trainers.tokenizers import save_tokenizer


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    home = tmp_path_factory.mktemp("demo")
    done = grmforge("build", REPOSITORY / "recipes/demo.toml", cwd=home)
    assert done.code == 0, done.err
    return latest(home / "data", "demo")


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tokenizer(tmp_path_factory.mktemp("tokenizer"))
