"""Collections are rare while a block runs, and as they were once the last block has ended."""

import gc
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from pipelines.collecting import COLLECT_EVERY, collecting_rarely


def test_blocks_may_overlap_and_the_last_one_restores_what_was() -> None:
    before, frozen, both = gc.get_threshold(), gc.get_freeze_count(), Barrier(2)

    def block() -> tuple[int, int]:
        with collecting_rarely():
            both.wait(10)
            inside = gc.get_threshold()[0]
        behind = gc.get_threshold()[0]
        both.wait(10)
        return inside, behind

    with ThreadPoolExecutor(2) as pool:
        other = pool.submit(block)
        with collecting_rarely():
            both.wait(10)
            both.wait(10)  # the other has ended, and this one goes on as it was
            assert gc.get_threshold()[0] == COLLECT_EVERY
            assert gc.get_freeze_count() > frozen
        assert other.result() == (COLLECT_EVERY, COLLECT_EVERY)
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_an_error_restores_it_too() -> None:
    before = gc.get_threshold()
    with pytest.raises(ValueError, match="bad"), collecting_rarely():
        raise ValueError("bad")
    assert gc.get_threshold() == before
