"""Items made ahead: the next one in a thread of its own, while the one before it is used."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield the items, in order, one of them made ahead. Raises what making them raises.

    It wins time where making and using an item both let other threads run, as polars and pyarrow do.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as beside:
        coming = beside.submit(next, source, None)
        while (item := coming.result()) is not None:
            coming = beside.submit(next, source, None)
            yield item
