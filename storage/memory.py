"""Memory of stages that make millions of records: no walks over them, and what they leave goes back."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa


@contextmanager
def many_records() -> Iterator[None]:
    """Keep the cycle collector at rest in a block whose records form no cycles: it would take a tenth of the time.

    Before the block and behind it, pages that nobody uses any more go back to the system, which libraries keep for
    themselves otherwise: 170 MB of the peak of a million trajectories.
    """
    was_at_work = gc.isenabled()
    gc.disable()
    pa.default_memory_pool().release_unused()
    try:
        yield
    finally:
        pa.default_memory_pool().release_unused()
        if was_at_work:
            gc.enable()
