"""The packaged MiniLM, loaded once."""

from pathlib import Path

import pytest

from pipelines.rubrics.embedding import PACKAGED, SentenceTransformerEmbedder, open_embedder


@pytest.fixture(scope="session")
def minilm() -> SentenceTransformerEmbedder:
    return open_embedder(PACKAGED, None, Path())
