"""The roots that tests of the explorer look at."""

from pathlib import Path

import pytest

from tests.end_to_end.commands import REPOSITORY, grmforge
from tests.pipelines.exploring.hostile import write_hostile


@pytest.fixture(scope="session")
def demo_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root with the snapshot `demo` and the evaluation `demo-grm`, which no test changes."""
    home = tmp_path_factory.mktemp("explored")
    for command, recipe in (("build", "demo"), ("evaluate", "evaluate")):
        done = grmforge(command, REPOSITORY / f"recipes/{recipe}.toml", cwd=home)
        assert done.code == 0, done.err
    return home / "data"


@pytest.fixture(scope="session")
def hostile_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root with a snapshot `small` whose every text tries something."""
    return write_hostile(tmp_path_factory.mktemp("hostile"))
