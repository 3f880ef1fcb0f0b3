"""A refresh across two versions of the reader: the old answers count as the newer one reads them, and it is said."""

import json
from pathlib import Path

import polars as pl
import pytest

from pipelines.judging.verdicts import READER_VERSION
from pipelines.reporting.comparing import read_anew
from pipelines.reporting.comparison import lines_of, markdown_of
from storage.files import sha256_of
from storage.root import Root
from storage.snapshots import Snapshot, find_snapshot
from tests.pipelines.upkeep.nights import a_night

ACCEPTED, REJECTED = "trajectories/accepted", "trajectories/rejected"


def as_a_poorer_reader_left_it(snapshot: Snapshot, version: int | None) -> None:
    """Make a version what it were if its reader had refused half of the answers that are accepted."""
    folder = Path(snapshot.location)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    paths = {
        name: [folder / file["path"] for file in manifest["tables"][name]["files"]] for name in (ACCEPTED, REJECTED)
    }
    accepted, rejected = (pl.concat([pl.read_parquet(path) for path in paths[name]]) for name in (ACCEPTED, REJECTED))
    is_refused = pl.int_range(pl.len()) % 2 == 0
    refused = accepted.filter(is_refused).with_columns(
        accepted=pl.lit(False), outcome=pl.lit("unparsed"), reject_reason=pl.lit("unparsed")
    )
    for name, rows in ((ACCEPTED, accepted.filter(~is_refused)), (REJECTED, pl.concat([rejected, refused]))):
        first, *others = paths[name]
        for path in others:
            path.unlink()
        first.unlink()  # it may be shared with a stage
        rows.write_parquet(first)
        (entry, *_) = manifest["tables"][name]["files"]
        entry |= {"rows": rows.height, "bytes": first.stat().st_size, "sha256": sha256_of(first)}
        manifest["tables"][name] = {"rows": rows.height, "files": [entry]}
    manifest.pop("reader_version", None)
    if version is not None:
        manifest["reader_version"] = version
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_version_read_anew_is_what_was_published(tmp_path: Path) -> None:
    snapshot = a_night(tmp_path, 60).published.snapshot
    assert snapshot.manifest.reader_version == READER_VERSION
    for table, accepted in ((ACCEPTED, True), (REJECTED, False)):
        published = pl.concat([pl.read_parquet(path) for path in snapshot.files(table)])
        anew = read_anew(snapshot).filter(pl.col("accepted") == accepted)
        assert sorted(anew["trajectory_id"]) == sorted(published["trajectory_id"])
        both = anew.join(published, on="trajectory_id", suffix="_before")
        assert both["outcome"].to_list() == both["outcome_before"].to_list()


@pytest.mark.slow
@pytest.mark.parametrize("version", [None, READER_VERSION - 1])
def test_the_guard_compares_old_answers_as_the_newer_reader_reads_them(tmp_path: Path, version: int | None) -> None:
    first = a_night(tmp_path, 300)
    count = first.published.snapshot.rows(ACCEPTED)
    as_a_poorer_reader_left_it(find_snapshot(Root(tmp_path / "data"), f"small@{first.version}"), version)
    done = a_night(tmp_path, 301)
    assert done.tripped == ()
    assert done.comparison is not None and done.comparison.readers == (version, READER_VERSION)
    assert abs(done.comparison.overall.before.accepted - count) <= 3, "balance may move a row or two"
    said = "the reader of judgements has changed"
    assert said in "\n".join(lines_of(done.comparison)) and said in markdown_of(done.comparison)


@pytest.mark.slow
def test_with_the_same_reader_such_a_move_holds_latest_back(tmp_path: Path) -> None:
    first = a_night(tmp_path, 300)
    as_a_poorer_reader_left_it(find_snapshot(Root(tmp_path / "data"), f"small@{first.version}"), READER_VERSION)
    done = a_night(tmp_path, 301)
    assert done.comparison is not None
    assert "has changed" not in "\n".join(lines_of(done.comparison))
    assert any("acceptance of" in one for one in done.tripped)
