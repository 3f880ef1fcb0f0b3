"""The roots that tests of the explorer look at."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.clients import Silent
from pipelines.evaluation.evaluate import evaluate
from pipelines.orders import Order, new_run
from pipelines.steps import build
from storage.root import Root
from tests.end_to_end.commands import REPOSITORY
from tests.pipelines.exploring.hostile import write_hostile


def in_a_thread(make: Callable[[], Path]) -> Path:
    """Return what is made in a thread of its own: an open browser has a loop in this one, and no other may run."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(make).result()


@pytest.fixture(scope="session")
def demo_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root with the snapshot `demo` and the evaluation `demo-grm`, which no test changes."""
    root = tmp_path_factory.mktemp("explored") / "data"

    def made() -> Path:
        for make, name in ((build, "demo"), (evaluate, "evaluate")):
            recipe = Order(str(REPOSITORY / f"recipes/{name}.toml"), None, str(root), None, False).read()
            make(recipe, Root.open(str(root)), new_run(recipe, {}, Silent()))
        return root

    return in_a_thread(made)


@pytest.fixture(scope="session")
def hostile_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root with a snapshot `small` whose every text tries something."""
    return in_a_thread(lambda: write_hostile(tmp_path_factory.mktemp("hostile")))
