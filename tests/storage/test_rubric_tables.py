"""Rubrics of a root: each once, the latest findings, whole files or none; and what questions were given is kept."""

from pathlib import Path

import pytest

from schemas.errors import StorageError
from schemas.rubric import RubricDrop
from storage.root import Root
from storage.rubric_tables import Given, add_given, add_rubrics, read_given, read_rubrics
from tests.rubrics import a_rubric

FIRST, SECOND = Given(("c1", "c2"), "- one\n- two", ("q7",)), Given(("c3",), "- three", ("q8",))


def files(root: Root) -> list[str]:
    return root.names("rubrics", ".parquet")


def test_a_rubric_is_written_once(tmp_path: Path) -> None:
    root = Root(tmp_path)
    assert read_rubrics(root) == []
    assert add_rubrics(root, [a_rubric(2), a_rubric(1), a_rubric(1)]) == 2
    before = files(root)
    assert add_rubrics(root, [a_rubric(1), a_rubric(2)]) == 0
    assert files(root) == before
    assert add_rubrics(root, [a_rubric(1), a_rubric(3)]) == 1
    assert read_rubrics(root) == sorted(map(a_rubric, (1, 2, 3)), key=lambda one: one.rubric_id)


def test_the_latest_findings_count(tmp_path: Path) -> None:
    root = Root(tmp_path)
    for number in range(12):
        add_rubrics(root, [a_rubric(1, panel=8 + number)])
    assert add_rubrics(root, [a_rubric(1, panel=8, drop_reason=RubricDrop.INCONSISTENT)]) == 1
    assert read_rubrics(root) == [a_rubric(1, panel=8, drop_reason=RubricDrop.INCONSISTENT)]


def test_equal_rubrics_are_equal_bytes(tmp_path: Path) -> None:
    for place, rubrics in (("a", [a_rubric(1), a_rubric(2)]), ("b", [a_rubric(2), a_rubric(1)])):
        add_rubrics(Root(tmp_path / place), rubrics)
    first, second = (Root(tmp_path / place) for place in "ab")
    assert files(first) == files(second)
    assert first.read(f"rubrics/{files(first)[0]}") == second.read(f"rubrics/{files(first)[0]}")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    root = Root(tmp_path)
    add_rubrics(root, [a_rubric(1)])
    file = root.at(f"rubrics/{files(root)[0]}")
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(StorageError, match=rf"{file.name}: damaged"):
        read_rubrics(root)


def test_what_was_given_first_is_given_again(tmp_path: Path) -> None:
    root = Root(tmp_path)
    own = {"q1": frozenset({"q1"}), "q2": frozenset({"q2"})}
    assert read_given(root, "settings", own) == {}
    add_given(root, "settings", {"q1": FIRST})
    add_given(root, "settings", {"q1": SECOND, "q2": SECOND, "q3": FIRST})
    assert read_given(root, "settings", own) == {"q1": FIRST, "q2": SECOND}
    assert read_given(root, "other settings", own) == {}
    add_given(root, "settings", {})
    assert len(root.names("rubrics/given/settings", ".parquet")) == 2


def test_what_a_near_duplicate_had_a_part_in_is_given_no_longer(tmp_path: Path) -> None:
    root = Root(tmp_path)
    add_given(root, "settings", {"q1": FIRST})
    grown = {"q1": frozenset({"q1", "q7"})}
    assert read_given(root, "settings", grown) == {}
    add_given(root, "settings", {"q1": SECOND})
    assert read_given(root, "settings", grown) == {"q1": SECOND}


def test_nothing_found_is_kept_too(tmp_path: Path) -> None:
    root = Root(tmp_path)
    add_given(root, "settings", {"q1": Given((), "", ())})
    assert read_given(root, "settings", {"q1": frozenset()}) == {"q1": Given((), "", ())}
