"""BM25 among the candidates of one query: which of them share the query's telling words.

Frequencies are counted among the candidates alone, so that a word which all of them have tells nothing, no statistics
have to be kept beside an index, and the same candidates get the same scores whatever else the pool holds. On TeleQnA
that finds as much as statistics of the whole pool (docs/rubrics.md).
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from functools import lru_cache

_WORD = re.compile(r"\w+")
_K1 = 1.5
_B = 0.75

Words = Mapping[str, int]


@lru_cache(maxsize=16_384)
def words(text: str) -> Words:
    """Return how often each word stands in a text, case folded."""
    return Counter(_WORD.findall(text.casefold()))


def bm25(query: Set[str], candidates: Sequence[Words]) -> list[float]:
    """Return the BM25 score of each candidate for the words of a query (Robertson and Zaragoza 2009)."""
    lengths = [sum(candidate.values()) for candidate in candidates]
    mean = sum(lengths) / max(1, len(lengths)) or 1.0
    having = Counter(word for candidate in candidates for word in candidate if word in query)
    weights = {word: math.log((len(candidates) - n + 0.5) / (n + 0.5) + 1) for word, n in having.items()}
    scores = []
    for candidate, length in zip(candidates, lengths, strict=True):
        damping = _K1 * (1 - _B + _B * length / mean)
        # Sorted, since a sum of floats depends on its order, and a set's order on the process.
        shared = sorted(word for word in candidate if word in weights)
        scores.append(sum(weights[word] * candidate[word] * (_K1 + 1) / (candidate[word] + damping) for word in shared))
    return scores
