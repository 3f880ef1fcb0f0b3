"""Clusters of equal and near-duplicate queries, by MinHash."""

import re
from collections.abc import Sequence

import rensa

_PERMUTATIONS = 128
_BANDS = 32
"""32 bands of 4 rows find a pair at the threshold with a probability above .999."""
THRESHOLD = 0.7
"""Jaccard similarity of character 5-grams; on TeleQnA it joins 398 rows, of which the 26 without a question are one
cluster. Too much joined costs little: a cluster only has to stand in one split."""
_SHINGLE = 5
_BLANKS = re.compile(r"\s+")


def clusters(query_ids: Sequence[str], texts: Sequence[str]) -> dict[str, str]:
    """Return, for each query_id, the smallest query_id of its cluster.

    `texts[i]` is all that query i says. The result does not depend on the order of the queries.
    """
    text_of = dict(zip(query_ids, texts, strict=True))
    ids = sorted(text_of)
    hashes = []
    index = rensa.RMinHashLSH(threshold=THRESHOLD, num_perm=_PERMUTATIONS, num_bands=_BANDS)
    for number, query_id in enumerate(ids):
        minhash = rensa.RMinHash(num_perm=_PERMUTATIONS, seed=42)
        minhash.update(_shingles(text_of[query_id]))
        hashes.append(minhash)
        index.insert(number, minhash)
    root = list(range(len(ids)))
    for number, minhash in enumerate(hashes):
        for other in index.query(minhash):
            if other < number and minhash.jaccard(hashes[other]) >= THRESHOLD:
                _join(root, number, other)
    return {query_id: ids[_root_of(root, number)] for number, query_id in enumerate(ids)}


def _shingles(text: str) -> list[str]:
    folded = _BLANKS.sub(" ", text.lower()).strip()
    return list({folded[start : start + _SHINGLE] for start in range(max(1, len(folded) - _SHINGLE + 1))})


def _root_of(root: list[int], number: int) -> int:
    while root[number] != number:
        root[number] = root[root[number]]
        number = root[number]
    return number


def _join(root: list[int], one: int, other: int) -> None:
    """Make two clusters one; the smaller number stays the root, so the smallest query_id names the cluster."""
    first, second = sorted((_root_of(root, one), _root_of(root, other)))
    root[second] = first
