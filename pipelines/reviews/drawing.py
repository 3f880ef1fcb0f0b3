"""A draw: which sets of a snapshot people are to look at, on which page each stands, and in which order it is shown.

What a set is shown as says nothing of its label, its source, its models or its stratum: strata are numbers here, and
orders are seeded by the set's id, so that two people see the same.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.judging.shown_text import conversation_text, response_text
from pipelines.judging.transcripts import ROLES as TITLES
from pipelines.reviews.sampling import draw, with_suspicion
from pipelines.reviews.verdicts import verdicts_of
from schemas.errors import RecipeError, StorageError
from schemas.preference import SETS_TABLE, LabelSource, PreferenceSet, sets_of
from schemas.query import Messages
from schemas.record import content_id
from storage.snapshots import Snapshot
from storage.tables import read_batches, read_frame

Field = Literal["source", "reason", "suspicion"]
FIELDS: tuple[Field, ...] = ("source", "reason", "suspicion")
USUAL_OVERLAP = 50
"""With fewer sets that two people share, their kappa says little."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be drawn."""

    n: int
    by: Sequence[str] = ("source", "suspicion")
    seed: int = 0
    reviewers: int = 1
    overlap: int | None = None
    """Sets that stand on every page."""

    @property
    def shared(self) -> int:
        """Sets that stand on every page, if so many are drawn."""
        return 0 if self.reviewers == 1 else USUAL_OVERLAP if self.overlap is None else self.overlap


@dataclass(frozen=True, slots=True)
class Item:
    """One set as people see it."""

    preference: PreferenceSet
    order: tuple[int, ...]
    """order[p] = index in the set of the response at position p."""
    stratum: int
    stratum_size: int
    weight: float
    question: tuple[tuple[str, str], ...]
    """Turns as (who, text)."""
    responses: tuple[str, ...]
    """As shown."""
    facts: tuple[tuple[str, str], ...]
    """(name, text) of what is shown after the choice alone."""

    @property
    def label_position(self) -> int | None:
        """The position of the best response, from 1; None for one response."""
        best = self.preference.best
        return None if best is None else self.order.index(best) + 1


@dataclass(frozen=True, slots=True)
class Draw:
    """What is drawn of a snapshot."""

    draw_id: str
    snapshot: Snapshot
    pages: tuple[tuple[Item, ...], ...]
    """One for each person: first what all share."""
    shared: int
    sets: int
    """How many sets are drawn."""
    kept: int
    """Of so many."""


def drawn(snapshot: Snapshot, wanted: Wanted) -> Draw:
    """Return the sets that people are to look at. Raises RecipeError, and StorageError for a snapshot without sets."""
    if unknown := [field for field in wanted.by if field not in FIELDS]:
        raise RecipeError(f"--by {unknown[0]}: sets are drawn by {', '.join(FIELDS)}")
    if wanted.overlap is not None and (wanted.reviewers == 1 or wanted.overlap > wanted.n):
        fault = "is for --reviewers 2 and more" if wanted.reviewers == 1 else "is more than the sets that are drawn"
        raise RecipeError(f"--overlap {wanted.overlap} {fault}")
    sets = _candidates(snapshot)
    if not sets.height:
        raise StorageError(f"{snapshot.location}: holds no set that was kept; there is nothing to review")
    chosen = draw(sets, wanted.n, wanted.seed, wanted.by).sort("set_id")
    version = f"{snapshot.manifest.name}@{snapshot.manifest.version}"
    ids = chosen["set_id"].to_list()
    draw_id = content_id(
        "draw", version, [wanted.n, sorted(wanted.by), wanted.seed, wanted.reviewers, wanted.shared], ids
    )
    items = list(_items(snapshot, chosen))
    items.sort(key=lambda item: content_id("page", wanted.seed, item.preference.set_id))
    shared = min(wanted.shared, len(items))
    pages = tuple((*items[:shared], *items[shared + page :: wanted.reviewers]) for page in range(wanted.reviewers))
    return Draw(draw_id, snapshot, pages, shared, len(items), sets.height)


def _candidates(snapshot: Snapshot) -> pl.DataFrame:
    """Return set_id, source, reason, suspicion and label_suspicion of every kept set, each once."""
    columns = ["set_id", "source", "label_suspicion", "suspicion_reasons"]
    sets = read_frame(snapshot.files("sets/kept"), SETS_TABLE.schema, columns).unique("set_id", keep="first")
    reason = pl.col("suspicion_reasons").list.sort().list.join(" and ")
    return with_suspicion(sets.sort("set_id").with_columns(reason=pl.when(reason != "").then(reason)))


def read_sets(snapshot: Snapshot, ids: Collection[str]) -> dict[str, PreferenceSet]:
    """Return those of these sets that a snapshot kept, by id."""
    wanted = pa.array(sorted(ids), pa.string())
    batches = read_batches(snapshot.files("sets/kept"), SETS_TABLE.schema)
    found = (sets_of(batch.filter(pc.is_in(batch.column("set_id"), wanted))) for batch in batches)
    return {one.set_id: one for batch in found for one in batch}


def shown_order(preference: PreferenceSet) -> tuple[int, ...]:
    """Return the order in which people see the responses: the same for everyone, whatever the draw."""
    places = range(preference.n_responses)
    return tuple(sorted(places, key=lambda index: content_id("reviewed", preference.set_id, index)))


def _items(snapshot: Snapshot, chosen: pl.DataFrame) -> list[Item]:
    sets = read_sets(snapshot, chosen["set_id"])
    judged = verdicts_of(snapshot, sets.keys()).partition_by("set_id", as_dict=True)
    numbers = {name: number for number, name in enumerate(sorted(chosen["stratum"].unique()), 1)}
    shown = (snapshot.manifest.recipe.get("grm") or {}).get("shown", "answer")
    items = []
    for row in chosen.iter_rows(named=True):
        one = sets[row["set_id"]]
        order = shown_order(one)
        texts = tuple(response_text(one.responses[index], shown) for index in order)
        judges = judged[(one.set_id,)].to_dicts() if (one.set_id,) in judged else []
        facts = tuple(_facts(one, order, judges, row["label_suspicion"], row["reason"]))
        place = numbers[row["stratum"]], row["stratum_size"], row["weight"]
        items.append(Item(one, order, *place, turns_of(one.query), texts, facts))
    return items


def turns_of(query: Messages) -> tuple[tuple[str, str], ...]:
    """Return the turns of a question as (who, text); a lone question without a name."""
    if len(query) == 1:
        return (("", query[0].content),)
    return tuple((TITLES.get(message.role, message.role), message.content) for message in query)


def _facts(
    one: PreferenceSet,
    order: Sequence[int],
    judges: Sequence[Mapping[str, Any]],
    suspicion: float | None,
    reason: str | None,
) -> list[tuple[str, str]]:
    """Return what is shown after the choice alone, as (name, text)."""

    def words(index: int | None) -> str:
        if index is None:
            return "undecided"
        return ("wrong", "right")[index] if one.n_responses == 1 else f"response {order.index(index) + 1}"

    by = one.label_source if one.label_source is LabelSource.ANNOTATORS else f"a {one.label_source}"
    facts = [("label", f"{words(one.label if one.n_responses == 1 else one.best)} (said by {by})")]
    facts += [
        (f"judge {row['role']}, {row['model']}", f"{words(row['pick'])}; readable judgements: {row['samples']}")
        for row in judges
    ]
    facts.append(("source", one.source))
    if suspicion is not None:
        facts.append(("suspicion", f"{suspicion:.2f}" + (f": {reason.replace('_', ' ')}" if reason else "")))
    written = [one.responses[index].model for index in order]
    facts += [(f"wrote response {at}", model) for at, model in enumerate(written, 1) if model]
    return [*facts, ("reference", one.reference)] if one.reference else facts


def text_of(item: Item) -> str:
    """Return an item's question as one text."""
    return conversation_text(item.preference.query) if len(item.question) > 1 else item.question[0][1]
