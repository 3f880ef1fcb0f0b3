"""A spill gives rows back by buckets, in the order in which they came, and leaves nothing behind."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from schemas.record import content_id
from storage.root import Root
from storage.spill import Records, Spill, stepped

ROWS = pa.schema([pa.field("query_id", pa.string()), pa.field("number", pa.int64()), pa.field("text", pa.string())])


def rows(count: int, start: int = 0, length: int = 1_000) -> pa.Table:
    """Return rows of about `length` bytes; every third query is that of the row before."""
    numbers = range(start, start + count)
    ids = [content_id("spilled", number - (number % 3 == 2)) for number in numbers]
    return pa.table([ids, list(numbers), [f"{number} {'x' * length}" for number in numbers]], schema=ROWS)


@pytest.mark.parametrize("length", [10, 10_000], ids=["held", "in the file"])
def test_rows_come_back_by_bucket_in_the_order_in_which_they_came(tmp_path: Path, length: int) -> None:
    with Spill(Root(tmp_path), ROWS) as spill:
        for start in range(0, 6_000, 500):
            spill.write(rows(500, start, length))
        tables = list(spill.ranges())
        assert spill.rows == 6_000
        assert not any(tmp_path.iterdir()), "the file has no name"
    buckets = [[query_id[:2] for query_id in table.column("query_id").to_pylist()] for table in tables]
    assert all(max(one) < min(other) for one, other in pairwise(buckets))
    assert [bucket for part in buckets for bucket in part] == sorted(bucket for part in buckets for bucket in part)
    found = pa.concat_tables(tables)
    by_bucket = sorted(rows(6_000, length=length).to_pylist(), key=lambda row: row["query_id"][:2])  # a stable sort
    assert found.to_pylist() == by_bucket


def test_rows_of_a_range_are_sorted_where_an_order_is_given(tmp_path: Path) -> None:
    with Spill(Root(tmp_path), ROWS) as spill:
        for start in (900, 0):
            spill.write(rows(900, start, 10))
        found = pa.concat_tables(list(spill.ranges("query_id", "number"))).to_pylist()
    assert found == sorted(rows(1_800, length=10).to_pylist(), key=lambda row: (row["query_id"], row["number"]))


@dataclass(frozen=True, slots=True)
class Counted:
    number: int
    steps: tuple[str, ...] = ()


def step(name: str, seen: list[int]) -> Callable[[Records[Counted]], Iterator[Counted]]:
    def each(counted: Records[Counted]) -> Iterator[Counted]:
        seen.append(sum(one.number for one in counted()))
        yield from (replace(one, steps=(*one.steps, name)) for one in counted())

    return each


def test_records_go_through_steps_each_as_often_as_it_likes(tmp_path: Path) -> None:
    seen: list[int] = []
    made, steps = map(Counted, range(300)), (step("a", seen), step("b", seen))
    with stepped(Root(tmp_path), Counted, made, steps) as done:
        assert list(done()) == list(done()) == [Counted(number, ("a", "b")) for number in range(300)]
        assert not any(tmp_path.iterdir()), "the files have no names"
    assert seen == [sum(range(300))] * 2
    with stepped(Root(tmp_path), Counted, (), steps) as done:
        assert list(done()) == []


def test_a_spill_without_rows_gives_none(tmp_path: Path) -> None:
    with Spill(Root(tmp_path), ROWS) as spill:
        spill.write(rows(0))
        assert list(spill.ranges()) == []


FILL = """
import resource, signal, sys
from pathlib import Path
from schemas.errors import StorageError
from storage.root import Root
from storage.spill import Spill
from tests.storage.test_spill import ROWS, rows
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    with Spill(Root(Path(sys.argv[1])), ROWS) as spill:
        for start in range(0, 4_000, 500):
            spill.write(rows(500, start, 10_000))
except StorageError as error:
    print(error)
"""


def test_a_full_disk_is_one_storage_error_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FILL, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith(f"{tmp_path}: a temporary file: File too large")
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []
