"""What a build does with reviews: labels that give way, sets that leave, and what card, report and manifest say."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.reporting.publication import Published
from pipelines.reviews.labels import majority, review_check, with_reviews
from pipelines.steps import build
from schemas.preference import SETS_TABLE, DropReason, LabelSource, PreferenceSet
from schemas.recipe import Recipe, ReviewsSection
from schemas.review import REVIEWS, Choice
from storage.reviews import add_reviews
from storage.root import Root
from storage.snapshots import Snapshot, versions
from storage.stages import Stage
from storage.tables import read_table
from tests.examples import a_recipe, a_run, a_set, curate, jsonl_rows, question, source_stage, write_rows

EMPTY = pl.DataFrame(REVIEWS.empty_table())
START = datetime(2026, 1, 1, tzinfo=UTC)


def a_review(
    one: dict[str, Any], chosen: int | None, person: str = "p1", choice: Choice = Choice.RESPONSE
) -> dict[str, Any]:
    """Return what a person found of a row of sets; a later review is of a later day."""
    return {
        "set_id": one["set_id"], "query_id": one["query_id"], "source": one["source"], "draw_id": "d", "stratum": 1,
        "snapshot": "small@1", "stratum_size": 100, "n_responses": one["n_responses"],
        "order": list(range(one["n_responses"])), "reviewer": person, "choice": choice.value, "chosen": chosen,
        "after_label": False, "at": START,
    }  # fmt: skip


def keep(root: Root, *reviews: dict[str, Any]) -> None:
    add_reviews(root, pl.DataFrame(list(reviews), schema=EMPTY.schema))


def sets_in(snapshot: Snapshot) -> pl.DataFrame:
    tables = [read_table(snapshot.files(f"sets/{part}"), SETS_TABLE.schema) for part in ("kept", "dropped")]
    return pl.concat([pl.DataFrame(table) for table in tables])


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Root]:
    singles = [
        {"id": f"single {number}", "query": question(9_000 + number), "responses": ["yes"], "label": number % 2}
        for number in range(6)
    ]
    write_rows(tmp_path / "own.jsonl", [*jsonl_rows(24), *singles])
    return tmp_path, Root.open(str(tmp_path / "data"))


def recipe(folder: Path, use: str | None = None, **sections: Any) -> Recipe:
    reviews = {"reviews": {"use": use}} if use else {}
    return a_recipe(folder, build={"name": "small", "seed": 7, "sets": ["rft", "pairs"]}, **reviews, **sections)


def built(of: Recipe, root: Root) -> tuple[Published, int]:
    """Return what a build published, and how many answers it bought."""
    run, watcher = a_run(of)
    return build(of, root, run), watcher.bought


def test_the_majority_decides_and_a_tie_between_people_does_not() -> None:
    one = {"set_id": "s", "query_id": "q", "source": "own", "n_responses": 3}
    tie, unsure = Choice.TIE, Choice.CANNOT_TELL

    def found(*people: tuple[int | None, Choice]) -> list[tuple[Any, ...]]:
        rows = [a_review(one, chosen, f"p{number}", choice) for number, (chosen, choice) in enumerate(people)]
        return majority(pl.DataFrame(rows, schema=EMPTY.schema)).rows()

    response = Choice.RESPONSE
    assert found((2, response)) == [("s", "response", 2)]
    assert found((2, response), (2, response), (0, response)) == [("s", "response", 2)]
    assert found((2, response), (None, unsure)) == [("s", "response", 2)], "who cannot tell has no vote"
    assert found((None, tie), (None, tie), (0, response)) == [("s", "tie", None)]
    assert found((1, response), (2, response)) == []
    assert found((1, response), (None, tie)) == []
    assert found((0, response), (1, response), (1, response), (2, response)) == [], "two of four are not most"
    assert found((None, unsure)) == []


def test_reviewed_labels_take_the_place_of_the_sources_own(place: tuple[Path, Root]) -> None:
    folder, root = place
    first, bought = built(recipe(folder), root)
    before = sets_in(first.snapshot).sort("set_id")
    several, singles = before.filter(pl.col("n_responses") == 3), before.filter(pl.col("n_responses") == 1)
    other, same, refused = several.row(0, named=True), several.row(1, named=True), several.row(2, named=True)
    single, tied = singles.row(0, named=True), several.row(3, named=True)
    keep(
        root,
        a_review(other, (other["best"] + 1) % 3),
        a_review(same, same["best"]),
        a_review(refused, (refused["best"] + 1) % 3),
        a_review(refused, refused["best"], "p2"),
        a_review(single, 1 - single["label"]),
        a_review(tied, None, choice=Choice.TIE),
    )
    second, again = built(recipe(folder, "labels"), root)
    after = sets_in(second.snapshot).sort("set_id")
    assert bought == 120 and again == 2, "only the hints of two sets say something else now"
    rows = {row["set_id"]: row for row in after.to_dicts()}
    assert rows[other["set_id"]]["best"] == (other["best"] + 1) % 3 and rows[other["set_id"]]["margin"] is None
    assert rows[same["set_id"]]["best"] == same["best"] and rows[same["set_id"]]["margin"] == same["margin"]
    assert rows[single["set_id"]]["label"] == 1 - single["label"] and rows[single["set_id"]]["best"] is None
    assert {rows[one["set_id"]]["label_source"] for one in (other, same, single)} == {"human"}
    changed = [other["set_id"], same["set_id"], single["set_id"]]
    learnt = ["label_suspicion", "suspicion_reasons"]  # from all labels
    untouched = [frame.filter(~pl.col("set_id").is_in(changed)).drop(learnt) for frame in (before, after)]
    assert untouched[0].equals(untouched[1])
    assert rows[refused["set_id"]]["best"] == refused["best"] and rows[tied["set_id"]]["best"] == tied["best"]
    pairs = pl.read_parquet(second.snapshot.files("pairs/train") + second.snapshot.files("pairs/validation"))
    chosen = {row["set_id"]: row["chosen"][0]["content"] for row in pairs.to_dicts()}
    assert chosen[other["set_id"]] == other["responses"][(other["best"] + 1) % 3]["text"]
    check = second.snapshot.manifest.checks["reviews"]
    assert (check["use"], check["replaced"], check["dropped"]) == ("labels", 2, 0)
    assert (check["same"], check["other"], check["tie"], check["cannot_tell"]) == (2, 3, 1, 0), "by the source's labels"


def test_sets_whose_label_people_refuse_leave_by_name(place: tuple[Path, Root]) -> None:
    folder, root = place
    first, _ = built(recipe(folder), root)
    several = sets_in(first.snapshot).filter(pl.col("n_responses") == 3).sort("set_id")
    other, same, tied = (several.row(number, named=True) for number in range(3))
    keep(
        root, a_review(other, (other["best"] + 1) % 3), a_review(same, same["best"]),
        a_review(tied, None, choice=Choice.TIE),
    )  # fmt: skip
    second, again = built(recipe(folder, "drop_disagreement"), root)
    after = sets_in(second.snapshot)
    dropped = after.filter(drop_reason=DropReason.REVIEW_DISAGREEMENT.value)
    assert set(dropped["set_id"]) == {other["set_id"], tied["set_id"]} and again == 0
    assert dict(zip(dropped["set_id"], dropped["best"], strict=True))[other["set_id"]] == other["best"]
    manifest = second.snapshot.manifest
    (counted,) = (row.rows for row in manifest.funnel if row.outcome == "review_disagreement")
    assert counted == 2 and manifest.inputs[0].dropped == 2
    assert manifest.inputs[0].rows == manifest.inputs[0].kept + 2
    assert manifest.checks["reviews"]["dropped"] == 2


def test_a_version_says_what_its_labels_are_worth(place: tuple[Path, Root]) -> None:
    """Reviews that come after a version make a new one of the same rows: versions never change."""
    folder, root = place
    first, _ = built(recipe(folder), root)
    assert "reviews" not in first.snapshot.manifest.checks and not built(recipe(folder), root)[0].new
    sets = sets_in(first.snapshot).filter(pl.col("n_responses") == 3).sort("set_id")
    keep(
        root, *(a_review(row, (row["best"] + (number == 0)) % 3) for number, row in enumerate(sets.head(8).to_dicts()))
    )
    second, bought = built(recipe(folder), root)
    assert second.new and bought == 0 and len(versions(root, "small")) == 2
    manifest = second.snapshot.manifest
    assert manifest.content_hash == first.snapshot.manifest.content_hash
    check = manifest.checks["reviews"]
    assert check["labels"]["raw"]["same"] == 0.875 and check["by_source"]["own"]["other"] == 1
    assert "noise" not in check
    noise = manifest.checks["label_noise"]
    (own,) = noise["sources"]
    assert (own["source"], own["reviewed"], own["wrong"], own["noise"]) == ("own", 8, 1, 0.125)
    assert own["low"] < 0.05 and own["high"] > 0.4 and noise["all"]["reviewed"] == 8
    card = (second.snapshot.path / "README.md").read_text("utf-8")
    page = (second.snapshot.path / "report.html").read_text("utf-8")
    for text in (card, page):
        assert "What people found" in text and "87.5%" in text and "1 person reviewed 8 sets" in text
    assert not built(recipe(folder), root)[0].new, "until there are other reviews"
    keep(root, a_review(sets.row(9, named=True), None, "p2", Choice.CANNOT_TELL))
    third, _ = built(recipe(folder), root)
    assert third.snapshot.manifest.checks["label_noise"] == noise, "who cannot tell says nothing of noise"
    assert third.new and third.snapshot.manifest.checks["reviews"]["cannot_tell"] == 1


def a_stage(root: Root, *sets: PreferenceSet) -> Stage:
    return curate(a_recipe(), root, [source_stage(root, sets)], None)


def test_the_stage_follows_the_reviews_and_nothing_else(tmp_path: Path) -> None:
    root = Root.open(str(tmp_path))
    curated = a_stage(root, *(a_set(number) for number in range(6)))
    rows = read_table(curated.paths("sets"), SETS_TABLE.schema).to_pylist()
    labels, drops = ReviewsSection(use="labels"), ReviewsSection(use="drop_disagreement")
    assert with_reviews(labels, root, curated) is curated, "nothing was reviewed"
    keep(root, a_review(rows[0] | {"set_id": "0" * 32}, 1), a_review(rows[1] | {"n_responses": 2}, 1))
    assert with_reviews(labels, root, curated) is curated, "these are of no set of the build"
    keep(root, a_review(rows[0], (rows[0]["best"] + 1) % 3))
    assert with_reviews(ReviewsSection(), root, curated) is curated, "the recipe does not want them"
    first = with_reviews(labels, root, curated)
    assert first.key != curated.key and first.content != curated.content and first.paths("general") == []
    assert with_reviews(labels, root, curated).key == first.key
    assert with_reviews(drops, root, curated).key != first.key
    later = a_review(rows[0], rows[0]["best"]) | {"at": START + timedelta(days=1)}
    keep(root, later)
    second = with_reviews(labels, root, curated)
    assert second.key != first.key, "the latest review of a person counts"
    found = {row["set_id"]: row for row in read_table(second.paths("sets"), SETS_TABLE.schema).to_pylist()}
    assert found[rows[0]["set_id"]]["best"] == rows[0]["best"]
    assert found[rows[0]["set_id"]]["label_source"] == LabelSource.HUMAN


def test_a_dropped_set_stays_as_it_is(tmp_path: Path) -> None:
    root = Root.open(str(tmp_path))
    curated = a_stage(root, a_set(1), a_set(2).dropped(DropReason.TIE))
    rows = read_table(curated.paths("sets"), SETS_TABLE.schema).to_pylist()
    keep(root, *(a_review(row, 2) for row in rows))
    reviewed = with_reviews(ReviewsSection(use="labels"), root, curated)
    (dropped,) = (
        row for row in read_table(reviewed.paths("sets"), SETS_TABLE.schema).to_pylist() if row["drop_reason"]
    )
    assert dropped in rows
    assert reviewed.facts["reviews"]["sets"] == 1


def test_noise_counts_what_strata_and_draws_stand_for(tmp_path: Path) -> None:
    """Nobody reviewed one of three sets of stratum 2. It may be wrong, so the bound is open by what it stands for."""
    root = Root.open(str(tmp_path))
    curated = a_stage(root, *(a_set(number) for number in range(8)))
    rows = read_table(curated.paths("sets"), SETS_TABLE.schema).to_pylist()
    seen = [a_review(row, (row["best"] + (number == 0)) % 3) for number, row in enumerate(rows[:4])]
    keep(root, *(row | {"stratum_size": 90} for row in seen))
    open_stratum = {"stratum": 2, "stratum_size": 10, "choice": None, "chosen": None, "reviewer": None}
    keep(root, a_review(rows[5], None) | open_stratum)
    *_, together = review_check(root, curated)["noise"]
    assert (together["reviewed"], together["noise"], together["open_share"]) == (4, 0.25, 0.1)
    keep(root, a_review(rows[5], rows[5]["best"]) | {"stratum": 2, "stratum_size": 10})
    *_, together = review_check(root, curated)["noise"]
    assert together["noise"] == pytest.approx(0.9 * 0.25) and together["open_share"] == 0.0


def test_a_duplicate_that_was_dropped_counts_no_review_twice(tmp_path: Path) -> None:
    root = Root.open(str(tmp_path))
    stages = [source_stage(root, [a_set(1, source=name), a_set(2, source=name)], name) for name in ("own", "again")]
    curated = curate(a_recipe(), root, stages, None)
    rows = read_table(curated.paths("sets"), SETS_TABLE.schema).to_pylist()
    assert len(rows) == 4
    keep(root, *(a_review(row, row["best"]) for row in rows if row["source"] == "own"))
    check = review_check(root, curated)
    assert (check["sets"], check["reviews"], check["same"]) == (2, 2, 2)
    assert [row["reviewed"] for row in check["noise"]] == [2, 2]
