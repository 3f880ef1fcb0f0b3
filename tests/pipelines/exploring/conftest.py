"""The roots that tests of the explorer look at."""

from pathlib import Path

import pytest

from benchmarks.clients import Silent
from pipelines.evaluation.evaluate import evaluate
from pipelines.orders import Order, new_run
from pipelines.steps import build
from storage.root import Root
from tests.end_to_end.commands import REPOSITORY
from tests.pipelines.exploring.hostile import write_hostile


@pytest.fixture(scope="session")
def demo_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root with the snapshot `demo` and the evaluation `demo-grm`, which no test changes."""
    root = tmp_path_factory.mktemp("explored") / "data"
    for make, name in ((build, "demo"), (evaluate, "evaluate")):
        recipe = Order(str(REPOSITORY / f"recipes/{name}.toml"), None, str(root), None, False).read()
        make(recipe, Root.open(str(root)), new_run(recipe, {}, Silent()))
    return root


@pytest.fixture(scope="session")
def hostile_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root with a snapshot `small` whose every text tries something."""
    return write_hostile(tmp_path_factory.mktemp("hostile"))
