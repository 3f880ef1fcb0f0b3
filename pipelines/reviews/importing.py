"""Reviews come in: files become rows of `reviews/`, and what they say of people, labels and judges.

A review names its set by id. The version that the draw was made of says what the set is; where that version is gone,
any other that holds the set does. A set that none holds, or that was forgotten, is gone: its reviews are left out.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.reviews.agreement import between_people, by_source, with_others
from pipelines.reviews.answers import Row, answers_in
from pipelines.reviews.verdicts import VERDICTS, verdicts_of
from schemas.errors import SourceError
from schemas.preference import SETS_TABLE
from schemas.review import REVIEWS, Choice
from storage.reviews import add_reviews, every_review, latest_reviews
from storage.root import Root
from storage.snapshots import FOLDER, Snapshot, every_snapshot, snapshot_at
from storage.tables import read_frame
from storage.tombstones import forgotten

_VERSION = re.compile(r"([a-z0-9][a-z0-9_-]{0,63})@([0-9A-Za-z-]{1,40})")
_KNOWN_BY = ["reviewer", "set_id", "draw_id", "choice", "chosen"]
_SET = ["set_id", "query_id", "source", "n_responses", "best", "label"]
_LISTED = 5


@dataclass(frozen=True)
class Imported:
    """What came of an import."""

    files: int
    reviews: int
    """New ones that are kept."""
    known: int
    """Reviews that an earlier import brought in already."""
    unanswered: int
    """Drawn sets without an answer."""
    replaced: int
    """Reviews of a person of a set that the same person reviewed again later: the latest counts."""
    gone: tuple[str, ...]
    """Sets that no version under the root holds any more."""
    unreadable: dict[str, int]
    first_unreadable: str | None
    agreement: dict[str, Any] = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


def import_reviews(root: Root, files: Sequence[Path]) -> Imported:
    """Keep the reviews of these files. Importing a file again, or one that has grown, brings in what is new.

    Raises SourceError for a file that cannot be used, before anything is kept.
    """
    read = [answers_in(file) for file in files]
    rows = [row for answers in read for row in answers.rows]
    unreadable: Counter[str] = sum((answers.unreadable for answers in read), Counter())
    first = next((answers.first_unreadable for answers in read if answers.first_unreadable), None)
    sets = _sets(root, rows)
    gone = tuple(sorted({row["set_id"] for row in rows} - sets.keys()))
    here = [row for row in rows if row["set_id"] in sets]
    if not here:
        raise SourceError(
            f"{files[0]}: none of its {len(gone):,} sets is under {root.where()}; they are of {rows[0]['snapshot']}: "
            "name the root of that snapshot with --root"
        )
    usable = [row for row in here if len(row["order"]) == sets[row["set_id"]]["n_responses"]]
    if not usable:
        raise SourceError(f"{files[0]}: no usable row; no set has as many responses as its order says")
    unreadable["order is not one of all its responses"] += len(here) - len(usable)
    given = _reviews(usable, sets).unique([*_KNOWN_BY, "at"], keep="last", maintain_order=True)  # a file given twice
    stored = every_review(root)
    new = _new(stored, given)
    if new.height:
        add_reviews(root, new)
    everything = pl.concat([stored, new])
    of_draws = everything.filter(pl.col("draw_id").is_in(given["draw_id"].unique().implode()))
    answered = of_draws["choice"].count()
    latest = latest_reviews(of_draws)
    return Imported(
        len(files),
        new["choice"].count(),
        given["choice"].count() - new["choice"].count(),
        given["choice"].null_count(),
        answered - latest.height,
        gone,
        dict(sorted((+unreadable).items())),
        first,
        agreement_of(root, latest),
    )


def agreement_of(root: Root, reviews: pl.DataFrame) -> dict[str, Any]:
    """Return how far people agree with each other, with labels, and with each judge, whole and by source.

    `reviews` holds one row of REVIEWS a person and set. Labels and verdicts are those of the versions that were drawn
    from. Who could not tell takes no part.
    """
    numbers = reviewer_numbers(reviews)
    sets = pl.DataFrame(list(_sets(root, reviews.to_dicts()).values()), schema=_schema())
    found = with_categories(reviews).with_columns(reviewer=pl.col("reviewer").replace_strict(numbers))
    labels = labels_as_found(found, sets)
    judges = _judges(root, found, sets)
    counts = found["choice"].value_counts().sort("choice")
    told = found.filter(pl.col("category").is_not_null())
    compared: dict[str, Any] = {"labels": labels, **judges}
    return {
        "sets": found["set_id"].n_unique(),
        "reviewers": len(numbers),
        "choices": dict(counts.iter_rows()),
        "after_label": int(found["after_label"].sum()),
        "people": _whole_and_by_source(told, between_people),
        **{name: _whole_and_by_source(told, _compared_with(other)) for name, other in compared.items()},
    }


def _compared_with(other: pl.DataFrame) -> Any:
    return lambda found: with_others(found, other)


def _whole_and_by_source(told: pl.DataFrame, figure: Any) -> dict[str, Any]:
    return {**figure(told), "by_source": by_source(told, figure)}


def reviewer_numbers(reviews: pl.DataFrame) -> dict[str, int]:
    """Return the number of each person, in the order in which they were imported first: no output names anyone."""
    return {reviewer: number for number, reviewer in enumerate(reviews["reviewer"].unique(maintain_order=True), 1)}


def with_categories(reviews: pl.DataFrame) -> pl.DataFrame:
    """Return reviews with `category`: position as shown from 1, `tie`, `right` or `wrong`; null for cannot_tell.

    A page shows a set to everyone in one order. In files that say otherwise, the first order holds for all.
    """
    shown = reviews.with_columns(order=pl.col("order").first().over("set_id"))
    return shown.with_columns(category=_category(pl.col("chosen"), pl.col("choice") == Choice.TIE.value))


def labels_as_found(found: pl.DataFrame, sets: pl.DataFrame) -> pl.DataFrame:
    """Return set_id and other_category: the labels of sets in the terms of those who reviewed them."""
    return _in_terms_of(found, sets.select("set_id", pick=pl.coalesce("best", "label")))


def _in_terms_of(found: pl.DataFrame, picks: pl.DataFrame) -> pl.DataFrame:
    shown = found.unique("set_id", keep="last").select("set_id", "order", "n_responses")
    both = shown.join(picks, on="set_id")
    return both.select("set_id", other_category=_category(pl.col("pick"), pl.col("pick").is_null()))


def _category(chosen: pl.Expr, is_tie: pl.Expr) -> pl.Expr:
    """Return the category of an index in the set, or of a label; all see the responses of a set in the same order."""
    position = pl.col("order").list.eval(pl.element().arg_sort()).list.get(chosen, null_on_oob=True) + 1
    label = pl.when(chosen == 1).then(pl.lit("right")).when(chosen == 0).then(pl.lit("wrong"))
    is_single = pl.col("n_responses") == 1
    return pl.when(is_tie).then(pl.lit("tie")).when(is_single).then(label).otherwise(position.cast(pl.String))


def _judges(root: Root, found: pl.DataFrame, sets: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return what each judge finds, by "judge <role>"."""
    parts = [pl.DataFrame(schema=VERDICTS)]
    for (version,), rows in found.partition_by("snapshot", as_dict=True).items():
        if (snapshot := _version(root, str(version))) is not None:
            parts.append(verdicts_of(snapshot, rows["set_id"].unique()))
    verdicts = pl.concat(parts).unique(["set_id", "role"], keep="first", maintain_order=True)
    judges = verdicts.partition_by("role", as_dict=True)
    return {f"judge {role}": _in_terms_of(found, picks) for (role,), picks in sorted(judges.items())}


def _reviews(rows: Sequence[Row], sets: dict[str, Row]) -> pl.DataFrame:
    """Return rows as they are kept. An answer whose time is not known counts as given now."""
    now = datetime.now(UTC)

    def kept(row: Row) -> Row:
        of_set, position = sets[row["set_id"]], row["position"]
        is_single = of_set["n_responses"] == 1
        chosen = position if position is None or is_single else row["order"][position]
        return {**row, **of_set, "chosen": chosen, "is_timed": row["at"] is not None, "at": row["at"] or now}

    schema = dict(pl.DataFrame(REVIEWS.empty_table()).schema) | {"is_timed": pl.Boolean}
    return pl.DataFrame([{name: row[name] for name in schema} for row in map(kept, rows)], schema=schema, orient="row")


def _new(stored: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
    """Return those of the given rows that are not stored yet.

    A row that says when it was given is known by that. Rows of a person and set that do not are known if the last of
    them is what the person found last in this draw.
    """
    person = ["reviewer", "set_id", "draw_id"]
    timed = given.filter("is_timed").join(stored, on=[*_KNOWN_BY, "at"], how="anti", nulls_equal=True)
    others = given.filter(~pl.col("is_timed"))
    last = pl.concat([latest_reviews(stored, person), stored.filter(pl.col("choice").is_null())])
    final = others.unique(person, keep="last", maintain_order=True)
    changed = final.join(last, on=_KNOWN_BY, how="anti", nulls_equal=True)
    others = others.join(changed, on=person, how="semi", nulls_equal=True)
    return pl.concat([timed, others]).select(stored.columns)


def _sets(root: Root, rows: Sequence[Row]) -> dict[str, Row]:
    """Return what is known of the sets that these rows are about, by set_id; those that are gone are missing."""
    lost = forgotten(root)
    wanted = {row["set_id"] for row in rows if lost.row(row["set_id"]) is None}
    found: dict[str, Row] = {}
    for snapshot in _versions(root, rows):
        if not wanted - found.keys():
            break
        frame = read_frame(snapshot.files("sets/kept"), SETS_TABLE.schema, _SET)
        missing = pl.Series(sorted(wanted - found.keys()), dtype=pl.String)
        known = frame.filter(pl.col("set_id").is_in(missing.implode())).iter_rows(named=True)
        may_stay = (row for row in known if not lost.row(row["query_id"]) and not lost.source(row["source"]))
        found |= {row["set_id"]: row for row in may_stay}
    return found


def _versions(root: Root, rows: Sequence[Row]) -> Iterator[Snapshot]:
    """Yield the versions that were drawn from, as far as they are here, then all others, the newest first."""
    yield from filter(None, (_version(root, version) for version in dict.fromkeys(row["snapshot"] for row in rows)))
    yield from reversed(list(every_snapshot(root)))


def _version(root: Root, version: str) -> Snapshot | None:
    if (parts := _VERSION.fullmatch(version)) is None:
        return None
    key = f"{FOLDER}/{parts[1]}/{parts[2]}"
    return snapshot_at(root, key) if root.exists(f"{key}/manifest.json") else None


def _schema() -> dict[str, Any]:
    return dict(pl.DataFrame(SETS_TABLE.schema.empty_table().select(_SET)).schema)
