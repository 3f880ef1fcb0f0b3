"""What questions were given is kept, the first word counting, unless it turns out to be their own."""

from pathlib import Path

from storage.given_criteria import Given, add_given, read_given
from storage.root import Root

FIRST, SECOND = Given(("c1", "c2"), "- one\n- two", ("q7",)), Given(("c3",), "- three", ("q8",))


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
