"""What else looks after a root leaves signatures alone; and a bucket keeps them as a directory does."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.loopback_s3 import LoopbackS3, serving_s3
from pipelines.curation.contamination.signatures import key_of, known_signatures, read_signature
from pipelines.upkeep.forgetting import forget, request_to_forget
from pipelines.upkeep.leftovers import DAY_S, leftovers, remove
from pipelines.upkeep.signing.checking import checked
from pipelines.upkeep.signing.listing import listed
from pipelines.upkeep.signing.signing import add_signature
from pipelines.upkeep.signing.wanted import wanted_of
from storage.root import Root
from tests.pipelines.upkeep.houses import MARK
from tests.pipelines.upkeep.signing.files import QUESTIONS, rows_of, write_rows

YEAR = 365 * DAY_S


def test_gc_and_forget_leave_a_signature_as_it_is(house: tuple[Path, Root], tmp_path: Path) -> None:
    """Not even one of a text that is forgotten: it has hashes, and no words."""
    _, root = house
    rows = rows_of(questions=[*QUESTIONS, f"What does the {MARK} say of the tide?"])
    add_signature(root, wanted_of(str(write_rows(tmp_path / "harbour.jsonl", rows))))
    kept = root.read(key_of("harbour"))
    found = leftovers(root, 0, now=time.time() + YEAR)
    assert not [leftover.key for leftover in found.found if "signatures" in leftover.key]
    list(remove(root, found.found, now=time.time() + YEAR))
    done = forget(root, request_to_forget(root, "gone"), remove_versions=True)
    assert not [part.key for part in done.findings.parts if "signatures" in part.key]
    assert root.read(key_of("harbour")) == kept
    assert MARK.encode() not in kept


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackS3]:
    with serving_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


def test_a_bucket_keeps_signatures_and_no_copy_outlives_its_object(
    s3: LoopbackS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = (s3.environment(machine) for machine in ("here", "there"))
    for name, value in here.items():
        monkeypatch.setenv(name, value)
    root = Root.open("s3://forge/signed")
    file = write_rows(tmp_path / "harbour.jsonl", rows_of()[:2])
    add_signature(root, wanted_of(str(file)))
    assert read_signature(known_signatures(root)["harbour"]).rows == 2
    for name, value in there.items():
        monkeypatch.setenv(name, value)
    write_rows(file, rows_of())
    add_signature(Root.open("s3://forge/signed"), wanted_of(str(file)))
    assert read_signature(known_signatures(root)["harbour"]).rows == 4, "another machine signed it anew"
    assert [one.rows for one in listed(root) if one.name == "harbour"] == [4]
    mine = write_rows(tmp_path / "mine.jsonl", [{"prompt": QUESTIONS[2]}])
    assert [hit.tier for hit in checked(root, mine).hits] == ["drop"]
