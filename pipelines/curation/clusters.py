"""Clusters: queries that say nearly the same stand together, by MinHash.

Signatures lie in temporary files, 768 bytes a query. In memory are 8 bytes for each query, and one band at a time.
"""

import os
import re
from array import array
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from operator import itemgetter
from types import TracebackType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import rensa

from storage.root import Root
from storage.spill import nameless_file, written_to

THRESHOLD = 0.7
"""Jaccard similarity of character 5-grams; on TeleQnA it joins 398 rows, of which the 26 without a question are one
cluster. Too much joined costs little: a cluster only has to stand in one split."""
_PERMUTATIONS = 128
_BANDS = 32  # 32 bands of 4 rows find a pair at the threshold with a probability above .999
_WIDTH = _PERMUTATIONS // _BANDS
_REPRESENTATIVES = 8
"""Members of a band's group that further ones are compared with, each of another cluster. Queries made from one
template fall into one group: comparing all of them with each other would take time in proportion to their square."""
_SHINGLE = 5
_BLANKS = re.compile(r"\s+")
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5], np.uint64)
_AT_ONCE = 2_048
"""Signatures that are in memory at a time."""
_CHARACTERS = 200_000
"""Characters of texts whose shingles are in memory at a time: a shingle takes 60 bytes."""
_ROW = _PERMUTATIONS * 4
_KEY = 8

Hashes = npt.NDArray[np.uint32]
Places = npt.NDArray[np.int64]


class _Chunk(NamedTuple):
    """Queries whose keys stand together, band after band, in the file of keys."""

    start: int
    rows: int


class Signatures(AbstractContextManager["Signatures"]):
    """The MinHash of each of many texts, in temporary files under a root."""

    def __init__(self, root: Root) -> None:
        self.rows = 0
        self._files = ExitStack()
        self._root = root
        self._hashes, self._keys = (self._files.enter_context(nameless_file(root)) for _ in range(2))
        self._chunks: list[_Chunk] = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def add(self, texts: Sequence[str]) -> None:
        """Add texts; they are numbered from 0 in the order in which they come."""
        for start in range(0, len(texts), _AT_ONCE):
            hashes = _hashes(texts[start : start + _AT_ONCE])
            bands = hashes.reshape(len(hashes), _BANDS, _WIDTH).astype(np.uint64)
            keys = (bands * _MIX).sum(axis=2, dtype=np.uint64)
            written_to(self._root, self._hashes, hashes.tobytes())
            written_to(self._root, self._keys, np.ascontiguousarray(keys.T).tobytes())
            self._chunks.append(_Chunk(self.rows, len(hashes)))
            self.rows += len(hashes)

    def band(self, band: int) -> npt.NDArray[np.uint64]:
        """Return a key for each text: those that agree in a whole band have the same."""
        descriptor = self._keys.fileno()
        return np.concatenate(
            [np.empty(0, np.uint64)]
            + [
                np.frombuffer(os.pread(descriptor, rows * _KEY, (start * _BANDS + band * rows) * _KEY), np.uint64)
                for start, rows in self._chunks
            ]
        )

    def of(self, numbers: Places) -> Hashes:
        """Return the signatures of these texts, a row a text."""
        descriptor = self._hashes.fileno()
        content = b"".join(os.pread(descriptor, _ROW, number * _ROW) for number in numbers.tolist())
        return np.frombuffer(content, np.uint32).reshape(len(numbers), _PERMUTATIONS)


def clusters(signatures: Signatures, order: Places) -> npt.NDArray[np.int32]:
    """Return, for each place in the order, the first place of its cluster.

    `order` has the numbers of the texts, ascending by their ids: the result depends on the texts and their ids alone.
    """
    parents = array("i", range(len(order)))
    for band in range(_BANDS):
        members, starts = _groups(signatures.band(band)[order], _roots(parents, np.arange(len(order))))
        for start in range(0, len(starts) - 1, _AT_ONCE):
            _join_groups(parents, signatures, order, members, starts[start : start + _AT_ONCE + 1])
    return _roots(parents, np.arange(len(order)))


def _hashes(texts: Sequence[str]) -> Hashes:
    """Return the MinHash of each text, a row a text."""
    hashes, shingles, characters = [np.empty((0, _PERMUTATIONS), np.uint32)], list[list[str]](), 0
    for number, text in enumerate(texts, 1):
        folded = _BLANKS.sub(" ", text.lower()).strip()
        shingles.append([folded[start : start + _SHINGLE] for start in range(max(1, len(folded) - _SHINGLE + 1))])
        characters += len(folded)
        if characters > _CHARACTERS or number == len(texts):
            matrix = rensa.RMinHash.digest_matrix_from_token_sets(shingles, _PERMUTATIONS, 42)
            hashes.append(np.array(matrix.to_rows(), np.uint32))
            shingles, characters = [], 0
    return np.concatenate(hashes)


def _groups(keys: npt.NDArray[np.uint64], roots: npt.NDArray[np.int32]) -> tuple[Places, Places]:
    """Return the places of each group with one key, ascending, group after group; and where each group begins.

    Groups stand in the order of their keys, and the end of all is the last number. Members of their first one's
    cluster are left out: they would find it before all others, and nothing would change.
    """
    order = np.argsort(keys, kind="stable")
    is_first = np.append(True, np.diff(keys[order]) != 0)[: len(order)]
    firsts = order[np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))]
    stays = is_first | (roots[order] != roots[firsts])
    order, is_first = order[stays], is_first[stays]
    is_alone = is_first & np.append(is_first[1:], True)[: len(order)]
    return order[~is_alone], np.append(np.flatnonzero(is_first[~is_alone]), np.count_nonzero(~is_alone))


def _join_groups(parents: "array[int]", signatures: Signatures, order: Places, members: Places, starts: Places) -> None:
    """Join the members of each group, group after group: what one joins, the next one finds joined."""
    sizes = np.diff(starts)
    likeness: dict[int, npt.NDArray[np.bool_] | None] = dict.fromkeys(starts[:-1][sizes > _REPRESENTATIVES].tolist())
    for size in range(2, _REPRESENTATIVES + 1):
        of_size = starts[:-1][sizes == size]
        is_like = _likeness(signatures, order[members[of_size[:, None] + np.arange(size)]])
        # Where no member resembles another one, nothing happens: all of them may be representatives.
        likeness |= {int(of_size[number]): is_like[number] for number in np.flatnonzero(is_like.any(axis=(1, 2)))}
    size_of = dict(zip(starts.tolist(), sizes.tolist(), strict=False))
    for start, resembles in sorted(likeness.items(), key=itemgetter(0)):
        group = members[start : start + size_of[start]]
        if resembles is None:
            _join_similar(parents, signatures, order, group)
            continue
        found: list[int] = []
        for member, place in enumerate(group.tolist()):
            if not _is_joined(parents, place, group[found].tolist(), resembles[member, found]):
                found.append(member)


def _likeness(signatures: Signatures, groups: Places) -> npt.NDArray[np.bool_]:
    """Return for groups of one size which earlier members each one resembles: [groups, members, members]."""
    n_groups, size = groups.shape
    is_like = np.zeros((n_groups, size, size), np.bool_)
    hashes = signatures.of(groups.ravel()).reshape(n_groups, size, _PERMUTATIONS)
    for first in range(size):
        for second in range(first + 1, size):
            is_like[:, second, first] = _resembles(hashes[:, first], hashes[:, second])
    return is_like


def _join_similar(parents: "array[int]", signatures: Signatures, order: Places, group: Places) -> None:
    """Join each member of a group to the first representative that is of its cluster, or that it resembles.

    One that has none becomes a representative itself, up to a number of them.
    """
    found: list[int] = []
    seen = np.empty((0, _PERMUTATIONS), np.uint32)
    start, width = 0, 2 * _REPRESENTATIVES
    while start < len(group):
        if is_whole := len(found) == _REPRESENTATIVES:
            width = _AT_ONCE
        part = group[start : start + width]
        hashes = signatures.of(order[part])
        if is_whole:
            _join_rest(parents, part, found, _resemblance(seen, hashes))
            start += len(part)
            continue
        known = len(found)
        is_like = _resemblance(np.concatenate([seen, hashes]), hashes)
        added: list[int] = []
        for member, place in enumerate(part.tolist()):
            among = is_like[member, [*range(known), *(known + one for one in added)]]
            if not _is_joined(parents, place, found, among):
                found.append(place)
                added.append(member)
            start += 1
            if len(found) == _REPRESENTATIVES:
                break
        seen = np.concatenate([seen, hashes[added]])


def _join_rest(parents: "array[int]", rest: Places, representatives: list[int], is_like: npt.NDArray[np.bool_]) -> None:
    """Join members that cannot become representatives.

    Nothing happens to one that resembles none of these, and shares its cluster with none of all: most are such.
    """
    roots = _roots(parents, rest)
    is_shared = (roots[:, None] == _roots(parents, np.array(representatives))).any(axis=1)
    ascending = np.sort(roots)
    repeated = ascending[1:][ascending[1:] == ascending[:-1]]
    if len(repeated):
        is_shared |= np.isin(roots, repeated)
    for number in np.flatnonzero(is_shared | is_like.any(axis=1)).tolist():
        _is_joined(parents, int(rest[number]), representatives, is_like[number])


def _is_joined(parents: "array[int]", place: int, representatives: list[int], is_like: npt.NDArray[np.bool_]) -> bool:
    """Join a member to the first representative that is of its cluster, or that it resembles; say whether it has one.

    The smaller place stays the root, so that the smallest id names the cluster.
    """
    own = _root_of(parents, place)
    for other, resembles in zip(representatives, is_like.tolist(), strict=True):
        root = _root_of(parents, other)
        if own == root or resembles:
            parents[max(own, root)] = min(own, root)
            return True
    return False


def _resemblance(representatives: Hashes, hashes: Hashes) -> npt.NDArray[np.bool_]:
    """Return for each signature which representatives it resembles: [signatures, representatives]."""
    return _resembles(hashes[:, None], representatives)


def _resembles(some: Hashes, others: Hashes) -> npt.NDArray[np.bool_]:
    same: npt.NDArray[np.bool_] = (some == others).sum(axis=-1, dtype=np.uint8) >= THRESHOLD * _PERMUTATIONS
    return same


def _roots(parents: "array[int]", places: Places) -> npt.NDArray[np.int32]:
    """Return the first place of the cluster of each place."""
    above = np.frombuffer(parents, np.int32) if len(parents) else np.empty(0, np.int32)
    roots = above[places]
    while (higher := above[roots]).tobytes() != roots.tobytes():
        roots = higher
    return roots


def _root_of(parents: "array[int]", place: int) -> int:
    while parents[place] != place:
        parents[place] = parents[parents[place]]
        place = parents[place]
    return place
