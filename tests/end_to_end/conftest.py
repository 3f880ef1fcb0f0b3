"""The demo snapshot, built once for all tests that read it."""

from pathlib import Path

import pytest

from storage.snapshots import Snapshot
from tests.end_to_end.commands import REPOSITORY, grmforge, latest


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory whose `data/` is a root with the demo snapshot and an evaluation in it."""
    home = tmp_path_factory.mktemp("demo")
    for command, recipe in (("build", "demo"), ("evaluate", "evaluate")):
        done = grmforge(command, REPOSITORY / f"recipes/{recipe}.toml", cwd=home)
        assert done.code == 0, done.err
    return home


@pytest.fixture(scope="session")
def demo(demo_home: Path) -> Snapshot:
    """Return the demo snapshot."""
    return latest(demo_home / "data", "demo")
