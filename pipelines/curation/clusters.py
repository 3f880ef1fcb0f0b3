"""Clusters of equal and near-duplicate queries, by MinHash."""

import re
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import rensa

_PERMUTATIONS = 128
_BANDS = 32
"""32 bands of 4 rows find a pair at the threshold with a probability above .999."""
THRESHOLD = 0.7
"""Jaccard similarity of character 5-grams; on TeleQnA it joins 398 rows, of which the 26 without a question are one
cluster. Too much joined costs little: a cluster only has to stand in one split."""
_REPRESENTATIVES = 8
"""Members of a band's group that further ones are compared with, each of another cluster. Queries made from one
template fall into one group: comparing all of them with each other would take time in proportion to their square."""
_SHINGLE = 5
_BLANKS = re.compile(r"\s+")
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5], np.uint64)

Hashes = npt.NDArray[np.uint32]


def clusters(query_ids: Sequence[str], texts: Sequence[str]) -> dict[str, str]:
    """Return, for each query_id, the smallest query_id of its cluster.

    `texts[i]` is all that query i says. The result does not depend on the order of the queries.
    """
    text_of = dict(zip(query_ids, texts, strict=True))
    ids = sorted(text_of)
    hashes = _hashes([text_of[query_id] for query_id in ids])
    root = list(range(len(ids)))
    for group in _groups(hashes):
        _join_similar(root, hashes, group)
    return {query_id: ids[_root_of(root, number)] for number, query_id in enumerate(ids)}


def _hashes(texts: Sequence[str]) -> Hashes:
    """Return the MinHash of each text, a row a text."""
    rows = np.empty((len(texts), _PERMUTATIONS), np.uint32)
    for number, text in enumerate(texts):
        minhash = rensa.RMinHash(num_perm=_PERMUTATIONS, seed=42)
        minhash.update(_shingles(text))
        rows[number] = minhash.digest()
    return rows


def _shingles(text: str) -> list[str]:
    folded = _BLANKS.sub(" ", text.lower()).strip()
    return list({folded[start : start + _SHINGLE] for start in range(max(1, len(folded) - _SHINGLE + 1))})


def _groups(hashes: Hashes) -> Iterator[list[int]]:
    """Yield, band by band, the rows that agree in a whole band, in ascending order."""
    width = _PERMUTATIONS // _BANDS
    for start in range(0, _PERMUTATIONS, width):
        keys = (hashes[:, start : start + width].astype(np.uint64) * _MIX).sum(axis=1, dtype=np.uint64)
        order = np.argsort(keys, kind="stable")
        starts = np.concatenate([[0], np.flatnonzero(np.diff(keys[order])) + 1, [len(order)]])
        for group in np.flatnonzero(np.diff(starts) > 1):
            yield order[starts[group] : starts[group + 1]].tolist()


def _join_similar(root: list[int], hashes: Hashes, group: list[int]) -> None:
    """Join each row of a group to the first representative it resembles; one that resembles none becomes one."""
    representatives: list[int] = []
    for number in group:
        for other in representatives:
            if _root_of(root, number) == _root_of(root, other):
                break
            if np.count_nonzero(hashes[number] == hashes[other]) >= THRESHOLD * _PERMUTATIONS:
                _join(root, number, other)
                break
        else:
            if len(representatives) < _REPRESENTATIVES:
                representatives.append(number)


def _root_of(root: list[int], number: int) -> int:
    while root[number] != number:
        root[number] = root[root[number]]
        number = root[number]
    return number


def _join(root: list[int], one: int, other: int) -> None:
    """Make two clusters one; the smaller number stays the root, so the smallest query_id names the cluster."""
    first, second = sorted((_root_of(root, one), _root_of(root, other)))
    root[second] = first
