"""What reviews do to a build: reviewed labels in place of the sources' own, or sets dropped; and what they are worth.

The verdict of people on a set is what more than half of those who could tell found; without such a majority nothing is
changed. Labels are compared as the sources gave them: reviews that have replaced a label still say how good it was.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl
import pyarrow as pa

from pipelines.reviews.agreement import between_people, by_source, with_others
from pipelines.reviews.importing import labels_as_found, reviewer_numbers, with_categories
from pipelines.reviews.noise import label_noise
from schemas.preference import SETS, DropReason, LabelSource
from schemas.recipe import ReviewsSection
from schemas.record import content_id
from schemas.review import Choice
from storage.reviews import every_review, latest_reviews
from storage.root import Root
from storage.stages import Stage, find_stage, finish_stage, stage_key
from storage.table_writer import TableWriter
from storage.tables import read_batches, schema_of

STAGE_VERSION = 1
CHECK, NOISE = "reviews", "label_noise"
_COLUMNS = ["set_id", "source", "best", "label", "n_responses", "drop_reason"]
_COUNTED = ("same", "other", "tie", "cannot_tell")
_CHANGED = ["best", "label", "margin", "label_source", "drop_reason"]


def with_reviews(section: ReviewsSection, root: Root, curated: Stage) -> Stage:
    """Return the curated stage with its labels as people found them, or without the sets whose labels they refuse.

    The stage itself where the recipe uses no reviews, and where none is of its sets.
    """
    if section.use is None:
        return curated
    reviews = latest_reviews(_of_sets(root, curated))
    if not reviews.height:
        return curated
    content = content_id("reviews", reviews.with_columns(pl.col("at").dt.to_string()).rows())
    key = stage_key("reviewed", STAGE_VERSION, section.use, [curated.content, content])
    found = find_stage(root, key)
    if found and found.beside == curated.key:
        return found
    if found:  # other settings made the same sets, and what it stood beside may be removed
        return finish_stage(root, key, found.tables, found.facts, [curated], beside=curated)
    verdicts = majority(reviews)
    replaced = dropped = 0
    with TableWriter(root, key, "sets", SETS) as writer:
        for batch in read_batches(curated.paths("sets"), SETS):
            table, changed = _decided(batch, verdicts, section.use)
            writer.write(table)
            replaced, dropped = replaced + changed[0], dropped + changed[1]
    check = review_check(root, curated) | {"use": section.use, "replaced": replaced, "dropped": dropped}
    return finish_stage(root, key, {"sets": writer.files}, {**curated.facts, CHECK: check}, [curated], beside=curated)


def majority(reviews: pl.DataFrame) -> pl.DataFrame:
    """Return set_id, choice and chosen of what more than half of those who could tell found; ties have no `chosen`."""
    told = reviews.filter(pl.col("choice") != Choice.CANNOT_TELL.value)
    counts = told.group_by("set_id", "choice", "chosen").agg(people=pl.len())
    most = counts.filter(2 * pl.col("people") > pl.col("people").sum().over("set_id"))
    return most.select("set_id", "choice", "chosen").sort("set_id")


def review_check(root: Root, curated: Stage) -> dict[str, Any]:
    """Return the check `reviews` of the sets of a build: how far people agree with labels, and with each other.

    That of the stage itself where reviews changed its labels; empty where none of the kept sets was reviewed. No person
    is named.
    """
    if made := curated.facts.get(CHECK):
        return dict(made)
    every = _of_sets(root, curated)
    reviews = latest_reviews(every)
    if not reviews.height:
        return {}
    found = with_categories(reviews).with_columns(reviewer=pl.col("reviewer").replace_strict(reviewer_numbers(reviews)))
    sets = _kept_sets(curated, every["set_id"])
    labels = labels_as_found(found, sets)
    told = found.drop_nulls("category")
    compared = found.join(labels, on="set_id", how="left", maintain_order="left")
    return {
        "sets": found["set_id"].n_unique(),
        "reviews": found.height,
        "reviewers": found["reviewer"].n_unique(),
        "after_label": int(found["after_label"].sum()),
        **_counts(compared),
        "labels": with_others(told, labels),
        "people": between_people(told),
        "by_source": by_source(compared, lambda rows: _of_source(rows, labels)),
        "noise": _noise(every, majority(reviews), sets),
    }


def review_checks(root: Root, curated: Stage, assembled: Stage) -> dict[str, Any]:
    """Return the checks of a build that reviews make: `reviews`, and `label_noise` with what people found.

    None of them where none of the kept sets was reviewed; then the assembled stage says what judges alone bound.
    """
    if not (check := review_check(root, curated)):
        return {}
    noise = check.pop("noise")
    return {CHECK: check, NOISE: _with_bound(noise, assembled.facts["checks"].get(NOISE) or {})}


def _with_bound(noise: list[dict[str, Any]], bound: Mapping[str, Any]) -> dict[str, Any]:
    """Return what people found of a source in the place of what judges alone bound."""
    found = {row["source"]: row for row in noise if row["reviewed"]}
    together = found.pop(None, None)
    bounds = {row["source"]: row for row in bound.get("sources", ())}
    rows = [bounds.get(source, {}) | found.get(source, {}) for source in sorted(bounds.keys() | found.keys())]
    return {**bound, "sources": rows} | ({"all": together} if together else {})


def _noise(every: pl.DataFrame, verdicts: pl.DataFrame, sets: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the share of wrong labels of each source, all of them last; drawn sets without an answer are open."""
    labels = sets.select("set_id", own=pl.coalesce("best", "label"))
    drawn = every.unique(["draw_id", "set_id"], keep="last", maintain_order=True)
    known = (
        drawn.join(verdicts.select("set_id", found="chosen"), on="set_id", how="left", maintain_order="left")
        .join(labels, on="set_id", how="left", maintain_order="left")
        .select("source", "draw_id", "stratum", "stratum_size", is_wrong=pl.col("found") != pl.col("own"))
    )
    return [{name: _rounded(value) for name, value in row.items()} for row in label_noise(known).to_dicts()]


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def _of_source(compared: pl.DataFrame, labels: pl.DataFrame) -> dict[str, Any]:
    rows = compared.drop("other_category")
    agreed = with_others(rows.drop_nulls("category"), labels)
    return {"sets": rows["set_id"].n_unique(), "reviews": rows.height, **_counts(compared), "labels": agreed}


def _counts(compared: pl.DataFrame) -> Mapping[str, int]:
    """Return how many reviews find the label's response best, another one, none, or cannot tell."""
    is_same = pl.col("category") == pl.col("other_category")
    kind = (
        pl.when(pl.col("choice") == Choice.CANNOT_TELL.value)
        .then(pl.lit("cannot_tell"))
        .when(is_same)
        .then(pl.lit("same"))
        .when(pl.col("choice") == Choice.TIE.value)
        .then(pl.lit("tie"))
        .otherwise(pl.lit("other"))
    )
    counts = dict(compared.select(kind=kind)["kind"].value_counts().iter_rows())
    return {name: counts.get(name, 0) for name in _COUNTED}


def _of_sets(root: Root, curated: Stage) -> pl.DataFrame:
    """Return every row of reviews of the kept sets of a stage, as they were imported."""
    reviews = every_review(root)
    if not reviews.height:
        return reviews
    return reviews.join(_kept_sets(curated, reviews["set_id"]), on=["set_id", "n_responses"], how="semi")


def _kept_sets(curated: Stage, set_ids: pl.Series) -> pl.DataFrame:
    """Return what is compared of those of these sets that were kept; dropped duplicates have the same set_id."""
    kept = pl.col("drop_reason").is_null() & pl.col("set_id").is_in(set_ids.unique().implode())
    batches = read_batches(curated.paths("sets"), SETS, _COLUMNS)
    return pl.concat([pl.DataFrame(rows).filter(kept) for rows in (schema_of(SETS, _COLUMNS).empty_table(), *batches)])


def _decided(batch: pa.Table, verdicts: pl.DataFrame, use: str) -> tuple[pa.Table, tuple[int, int]]:
    """Return a batch with what people found, and how many labels were replaced and sets dropped."""
    frame = pl.DataFrame(batch.select(["set_id", "n_responses", *_CHANGED])).join(
        verdicts, on="set_id", how="left", maintain_order="left"
    )
    is_kept, is_single = pl.col("drop_reason").is_null(), pl.col("n_responses") == 1
    own = pl.when(is_single).then("label").otherwise("best")
    chosen = is_kept & pl.col("chosen").is_not_null()
    differs = is_kept & pl.col("choice").is_not_null() & own.ne_missing(pl.col("chosen"))
    if use == "labels":
        replaced = chosen & differs
        changes = [
            pl.when(chosen & ~is_single).then("chosen").otherwise("best").alias("best"),
            pl.when(chosen & is_single).then("chosen").otherwise("label").alias("label"),
            pl.when(~replaced).then("margin").alias("margin"),  # the distance that the source gave is of another pair
            pl.when(chosen).then(pl.lit(LabelSource.HUMAN.value)).otherwise("label_source").alias("label_source"),
        ]
        counts = frame.select(replaced.sum(), pl.lit(0))
    else:
        reason = pl.when(differs).then(pl.lit(DropReason.REVIEW_DISAGREEMENT.value)).otherwise("drop_reason")
        changes = [reason.alias("drop_reason")]
        counts = frame.select(pl.lit(0), differs.sum().alias("dropped"))
    changed = frame.with_columns(changes).select(_CHANGED).to_arrow()
    for name in _CHANGED:
        position = batch.schema.get_field_index(name)
        field = batch.schema.field(position)
        batch = batch.set_column(position, field, changed.column(name).cast(field.type))
    return batch, counts.row(0)
