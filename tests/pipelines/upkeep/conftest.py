"""A root with two sources built, once, and a copy of it for each test."""

import os
from pathlib import Path

import pytest

from storage.root import Root
from tests.pipelines.upkeep.houses import built, write_house


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with two sources built, to be copied by each test."""
    folder = tmp_path_factory.mktemp("house")
    built(write_house(folder), Root.open(str(folder / "data")))
    return folder


@pytest.fixture
def house(model: Path, tmp_path: Path) -> tuple[Path, Root]:
    os.system(f"cp -a {model} {tmp_path / 'house'}")  # with its hard links
    return tmp_path / "house", Root.open(str(tmp_path / "house" / "data"))
