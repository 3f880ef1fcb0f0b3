"""One evaluation that many tests read, and none changes."""

import pytest

from storage.evaluations import Evaluation
from tests.pipelines.evaluation.evaluations import evaluated


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return evaluated(tmp_path_factory.mktemp("small"), judge={"position_bias": 3.0, "tied": 0.2, "wrong_count": 0.1})
