"""How well a candidate fits a question: by the telling words that they share (BM25), or as a cross-encoder reads both.

Frequencies are counted among the candidates alone, so that a word which all of them have tells nothing, no statistics
have to be kept beside an index, and the same candidates get the same scores whatever else the pool holds. On TeleQnA
that finds as much as statistics of the whole pool (docs/rubrics.md).
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipelines.rubrics.library import Entry
from schemas.errors import RecipeError
from storage.milvus import EXTRA

_WORD = re.compile(r"\w+")
_SILENT = frozenset(
    _WORD.findall(
        "a an and are as at be been by can did do does for from had has have how if in into is it its no not of on or "
        "so such than that the their them then there these they this those to was were what when where which who whose "
        "why will with would you your"
    )
)
"""Words that join others and tell nothing, of the language that the seeds are written in."""
_K1 = 1.5
_B = 0.75
_RERANKED = 20
"""Best candidates that a cross-encoder reads; the others keep their places behind them."""
_BATCH = 32

Words = Mapping[str, int]
Ranked = list[tuple[Entry, float]]


@lru_cache(maxsize=16_384)
def words(text: str) -> Words:
    """Return how often each telling word stands in a text, case folded."""
    return Counter(word for word in _WORD.findall(text.casefold()) if word not in _SILENT)


def shared_words(query: Set[str], candidates: Sequence[Words]) -> list[float]:
    """Return for each candidate how much of the query's words it shares, from 0 to 1.

    That is BM25 (Robertson and Zaragoza 2009), where the best candidate counts 1, unless all of them share little:
    1 stands for at least half the weight of all the query's words, so that one common word lifts nothing much.
    """
    lengths = [sum(candidate.values()) for candidate in candidates]
    mean = sum(lengths) / max(1, len(lengths)) or 1.0
    # How telling each word of the query is: the fewer candidates have it, the more. Sorted, since a sum of floats
    # depends on its order, and a set's order on the process.
    having = {word: sum(word in candidate for candidate in candidates) for word in sorted(query)}
    weights = {word: math.log((len(candidates) - n + 0.5) / (n + 0.5) + 1) for word, n in having.items()}
    scores = []
    for candidate, length in zip(candidates, lengths, strict=True):
        damping = _K1 * (1 - _B + _B * length / mean)
        found = ((weights[word], candidate[word]) for word in weights if word in candidate)
        scores.append(sum(weight * often * (_K1 + 1) / (often + damping) for weight, often in found))
    whole = max(*scores, sum(weights.values()) / 2) if scores and weights else 1.0
    return [score / whole for score in scores]


class Reranker:
    """A cross-encoder of sentence-transformers. Only where a recipe names one."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def reranked(self, questions: Sequence[str], ranked: Sequence[Ranked]) -> list[Ranked]:
        """Return each question's candidates, the first of them by the cross-encoder's score, which becomes theirs."""
        heads = [candidates[:_RERANKED] for candidates in ranked]
        pairs = [(question, entry.text) for question, head in zip(questions, heads, strict=True) for entry, _ in head]
        scores = iter(self._model.predict(pairs, batch_size=_BATCH, show_progress_bar=False).tolist() if pairs else [])
        return [
            sorted(((entry, float(next(scores))) for entry, _ in head), key=lambda one: (-one[1], one[0].entry_id))
            + candidates[_RERANKED:]
            for head, candidates in zip(heads, ranked, strict=True)
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
