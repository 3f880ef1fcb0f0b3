"""Reviews: `forget` takes those of what it forgets, `gc` leaves all of them, and a bucket holds them like a folder."""

import time
from pathlib import Path

import pytest

from benchmarks.loopback_s3 import serving_s3
from pipelines.reviews.importing import import_reviews
from pipelines.upkeep.findings import Place
from pipelines.upkeep.leftovers import DAY_S, leftovers, remove
from schemas.errors import SourceError
from storage.reviews import every_review
from storage.root import Root
from storage.snapshots import every_snapshot
from tests.pipelines.reviews.small_reviews import a_draw, right, saved, written
from tests.pipelines.upkeep.houses import built, forgotten, write_house


def reviewed(root: Root, folder: Path) -> Path:
    """Review every set of the only version under a root; return the file."""
    (snapshot,) = every_snapshot(root)
    file = written(folder / "saved.json", saved(a_draw(snapshot, 1_000), right))
    assert import_reviews(root, [file]).reviews == snapshot.rows("sets/kept")
    return file


def test_reviews_go_with_their_source_and_do_not_come_back(house: tuple[Path, Root]) -> None:
    folder, root = house
    file = reviewed(root, folder)
    before = every_review(root)
    mine = before.filter(source="gone").height
    done = forgotten(root, "gone")
    (part,) = (part for part in done.findings.parts if part.place is Place.REVIEWS)
    assert part.rows == mine > 0
    left = every_review(root)
    assert left.height == before.height - mine and "gone" not in set(left["source"])
    again = import_reviews(root, [file])
    assert (again.reviews, again.known, len(again.gone)) == (0, left.height, mine)


def test_reviews_go_with_their_set(house: tuple[Path, Root]) -> None:
    folder, root = house
    reviewed(root, folder)
    before = every_review(root)
    one = before.filter(source="kept")["set_id"][0]
    forgotten(root, one)
    assert set(before["set_id"]) - set(every_review(root)["set_id"]) == {one}


def test_gc_leaves_them(house: tuple[Path, Root]) -> None:
    folder, root = house
    reviewed(root, folder)
    later = time.time() + 1_000 * DAY_S
    gone = list(remove(root, leftovers(root, 0, now=later).found, now=later))
    assert gone and not [one for one in gone if "reviews" in one.key.split("/")[0]]
    assert every_review(root).height > 0


@pytest.mark.slow
def test_a_bucket_holds_them_as_a_folder_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_s3(tmp_path / "s3") as server:
        for name, value in server.environment("reviews").items():
            monkeypatch.setenv(name, value)
        root = Root.open("s3://forge/reviews")
        recipe = write_house(tmp_path)
        built(recipe, root)
        file = reviewed(root, tmp_path)
        assert len(root.names("reviews", ".parquet")) == 1
        again = import_reviews(root, [file])
        assert again.reviews == 0 and again.agreement["labels"]["raw"]["same"] == 1.0
        published = built(recipe, root)
        assert published.new and published.snapshot.manifest.checks["reviews"]["sets"] == again.known
        forgotten(root, "gone", remove_versions=True)
        assert set(every_review(root)["source"]) == {"kept"}
        with pytest.raises(SourceError, match="none of its"):
            import_reviews(root, [file])
