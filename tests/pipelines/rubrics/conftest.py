"""The packaged MiniLM, loaded once."""

from pathlib import Path

import pytest

from pipelines.rubrics.embedding import PACKAGED, Embedder, open_embedder


@pytest.fixture(scope="session")
def minilm() -> Embedder:
    return open_embedder(PACKAGED, None, Path())
