"""Garbage collection that comes rarely: rows and answers make no cycles, and a walk through them all finds nothing."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

COLLECT_EVERY = 100_000
"""So many new objects start a collection. Python's own number is 700: a tenth of the time in which rows are read, and
in a service all calls wait again and again."""

_lock = Lock()
_holders = 0
_before: tuple[int, int, int] = gc.get_threshold()


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Collect rarely while the block runs, and never walk through what stands at its start. Blocks may overlap."""
    global _before, _holders
    with _lock:
        _holders += 1
        if _holders == 1:
            _before = gc.get_threshold()
            gc.freeze()
            gc.set_threshold(COLLECT_EVERY, *_before[1:])
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if not _holders:
                gc.set_threshold(*_before)
                gc.unfreeze()
