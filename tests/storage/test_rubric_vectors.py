"""Vectors of texts: kept by model, given back in any order, refused at another width."""

from pathlib import Path

import numpy as np
import pytest

from schemas.errors import StorageError
from storage.root import Root
from storage.rubric_tables import ModelIdentity, VectorCache
from tests.storage.pools import MODEL, WIDTH, vectors_of


def test_vectors_come_back_in_the_order_asked_also_in_another_run(tmp_path: Path) -> None:
    root = Root(tmp_path)
    cache = VectorCache(root, MODEL)
    assert cache.missing(["a", "b", "a"]) == [0, 1]
    cache.add(["a", "b"], vectors_of(["a", "b"]))
    cache.add(["c"], vectors_of(["c"]))
    for one in (cache, VectorCache(root, MODEL)):
        assert one.missing(["c", "d", "a", "d"]) == [1]
        assert np.array_equal(one.vectors(["c", "a", "c"]), vectors_of(["c", "a", "c"]))
        assert one.vectors([]).shape == (0, WIDTH)


def test_another_model_or_revision_has_vectors_of_its_own(tmp_path: Path) -> None:
    root = Root(tmp_path)
    VectorCache(root, MODEL).add(["a"], vectors_of(["a"]))
    for other in (ModelIdentity("other", "1", WIDTH), ModelIdentity("hashes", "2", WIDTH)):
        assert VectorCache(root, other).missing(["a"]) == [0]


def test_a_wrong_width_is_refused_and_nothing_written(tmp_path: Path) -> None:
    root = Root(tmp_path)
    cache = VectorCache(root, MODEL)
    with pytest.raises(StorageError, match=r"hashes@1 \(8 dimensions\): 1 vectors came as \(1, 5\)"):
        cache.add(["a"], np.zeros((1, 5), np.float32))
    assert cache.missing(["a"]) == [0]
    assert list(tmp_path.rglob("*.parquet")) == []
