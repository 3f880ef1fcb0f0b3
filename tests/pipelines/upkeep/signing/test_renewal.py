"""A refresh signs anew what has changed, leaves what has not, and says so."""

from pathlib import Path

import pytest

from pipelines.curation.contamination.signatures import key_of, put_signature, read_signature, sign
from pipelines.upkeep.signing.signing import add_signature, renew_signatures
from pipelines.upkeep.signing.wanted import wanted_of
from schemas.errors import StorageError
from storage.root import Root
from tests.pipelines.upkeep.nights import a_night
from tests.pipelines.upkeep.signing.files import rows_of, write_rows


def renewed(root: Root) -> list[str]:
    lines: list[str] = []
    renew_signatures(root, lines.append)
    return lines


def test_a_file_that_changed_is_signed_anew(tmp_path: Path) -> None:
    root, file = Root(tmp_path / "data"), write_rows(tmp_path / "own.jsonl", rows_of()[:2])
    before = add_signature(root, wanted_of(str(file), fields=("question",))).signature
    assert renewed(root) == []
    write_rows(file, rows_of())
    (line,) = renewed(root)
    after = read_signature(root.at(key_of("own")))
    assert line == f"signature own made anew: {before.revision} -> {after.revision}, 4 queries"
    assert (before.rows, after.rows) == (2, 4)
    assert renewed(root) == []


def test_what_is_gone_or_of_unknown_origin_stays_as_it_is(tmp_path: Path) -> None:
    root, file = Root(tmp_path / "data"), write_rows(tmp_path / "own.jsonl", rows_of())
    add_signature(root, wanted_of(str(file)))
    put_signature(root, sign("given", ["Name the tallest mast."], source="a friend", revision="1", license="MIT"))
    kept = {name: root.read(key_of(name)) for name in ("own", "given")}
    file.unlink()
    given, own = renewed(root)
    assert given == "signature given: it does not say what it was made of, and stays as it is"
    assert own.startswith("signature own stays as it is, sha256:")
    assert "no such file or directory" in own
    assert {name: root.read(key_of(name)) for name in kept} == kept


def test_a_damaged_signature_ends_the_refresh(tmp_path: Path) -> None:
    root = Root(tmp_path / "data")
    root.write(key_of("own"), b"PAR1 and no more")
    with pytest.raises(StorageError, match=r"own.parquet: .*grmforge signatures add"):
        renewed(root)


def test_a_night_renews_before_it_builds(tmp_path: Path) -> None:
    root, file = Root(tmp_path / "data"), write_rows(tmp_path / "harbour.jsonl", rows_of()[:2])
    add_signature(root, wanted_of(str(file)))
    write_rows(file, rows_of())
    a_night(tmp_path, 12)
    assert read_signature(root.at(key_of("harbour"))).rows == 4
