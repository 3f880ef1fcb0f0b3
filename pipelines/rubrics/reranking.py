"""Reranking by a cross-encoder, which reads question and candidate together. Only where a recipe names one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.rubrics.library import Entry
from schemas.errors import RecipeError
from storage.milvus import EXTRA

Ranked = list[tuple[Entry, float]]

_RERANKED = 20
"""Best candidates that are read; the others keep their places behind them."""
_BATCH = 32


class Reranker:
    """A cross-encoder of sentence-transformers."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def reranked(self, questions: Sequence[str], ranked: Sequence[Ranked]) -> list[Ranked]:
        """Return each question's candidates, the first of them by the cross-encoder's score, which becomes theirs."""
        heads = [one[:_RERANKED] for one in ranked]
        pairs = [(question, entry.text) for question, head in zip(questions, heads, strict=True) for entry, _ in head]
        scores = iter(self._model.predict(pairs, batch_size=_BATCH, show_progress_bar=False).tolist() if pairs else [])
        return [
            sorted(((entry, float(next(scores))) for entry, _ in head), key=lambda one: (-one[1], one[0].entry_id))
            + one[_RERANKED:]
            for head, one in zip(heads, ranked, strict=True)
        ]


def open_reranker(model: str, directory: Path) -> Reranker:
    """Return the cross-encoder of a recipe: a directory relative to `directory`, or a hub id. Raises RecipeError."""
    local = directory / model
    try:
        from sentence_transformers import CrossEncoder
    except ImportError:
        raise RecipeError(EXTRA) from None
    try:
        loaded = CrossEncoder(str(local) if local.is_dir() else model, local_files_only=local.is_dir())
    except (OSError, ValueError, KeyError) as error:
        raise RecipeError(f"rubrics.reranker {model!r} cannot be loaded: {str(error).splitlines()[0]}") from None
    return Reranker(loaded)
