"""What every test stands on."""

import os
import shutil
import signal
from collections import Counter
from itertools import chain, islice
from pathlib import Path

import pytest
from hypothesis import settings

from pipelines.rubrics.opening import open_retriever
from schemas.recipe import RubricsSection
from storage.root import Root

# The machine may be busy with a server or a build beside the test: time is no property of the code.
settings.register_profile("grmforge", deadline=None)
settings.load_profile("grmforge")

# Under nohup it is ignored, and commands that tests start would ignore it too, as they should.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

_APART = {"GRMFORGE_VLLM_PYTHON": "vllm", "GRMFORGE_TRAINERS": "trainers"}
collect_ignore = [folder for variable, folder in _APART.items() if variable not in os.environ]
"""A real vLLM and each trainer have environments of their own: `make test-vllm`, `make test-trainers`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let every worker begin with modules of slow tests: the last worker would be alone with those that come last.

    A module stays whole, since its tests share servers. Each worker is first given an equal run of neighbouring tests.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    slow_modules = Counter(item.path for item in items if item.get_closest_marker("slow"))
    parts: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for path, _ in slow_modules.most_common():
        fewest = min(parts, key=lambda part: sum(item.get_closest_marker("slow") is not None for item in part))
        fewest += [item for item in items if item.path == path]
    quick = iter([item for item in items if item.path not in slow_modules])
    for number, part in enumerate(parts):
        share = len(items) * (number + 1) // workers - len(items) * number // workers
        part += islice(quick, max(0, share - len(part)))
    items[:] = [*chain.from_iterable(parts), *quick]


@pytest.fixture(scope="session")
def opened_rubrics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root whose rubrics were opened once: the seeds are embedded, and stand in both pools."""
    root = Root(tmp_path_factory.mktemp("rubrics"))
    with open_retriever(root, RubricsSection(), {}):
        pass
    return root.path


@pytest.fixture
def rubric_root(opened_rubrics: Path, tmp_path: Path) -> Root:
    """Return tmp_path/data, a root of its own in which the seeds need not be embedded again: that takes seconds."""
    return Root(Path(shutil.copytree(opened_rubrics, tmp_path / "data")))
