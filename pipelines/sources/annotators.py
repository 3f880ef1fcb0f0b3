"""Rankings of the same responses by several annotators: one set, with the share of them that agrees."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from operator import attrgetter
from typing import Any

from schemas.preference import SETS, DropReason, LabelSource, PreferenceSet, preference_set, sets_of, sets_table
from storage.root import Root
from storage.spill import Spill

_NO_BEST = (DropReason.TIE, DropReason.UNCERTAIN, DropReason.NO_PREFERENCE)
_BATCH = 1_024


def shares(votes: Sequence[int | None], n_responses: int) -> list[float]:
    """Return the share of annotators that find each response best. None votes for no response, and counts."""
    return [votes.count(index) / len(votes) for index in range(n_responses)]


def agreed_rows(
    rows: Iterable[Any], min_margin: float, root: Root, merged: Callable[[int], None] = lambda _: None
) -> Iterator[Any]:
    """Yield one set in place of all that have its responses, as `agreed` makes it, and everything else as it is.

    Sets come last; until then they lie in a temporary file under the root. `merged` is called with how many sets became
    part of others.
    """
    rows = iter(rows)
    with Spill(root, SETS) as spill:
        while batch := list(islice(rows, _BATCH)):
            ranked = [row for row in batch if isinstance(row, PreferenceSet) and row.n_responses > 1]
            spill.write(sets_table(ranked))
            yield from (row for row in batch if not (isinstance(row, PreferenceSet) and row.n_responses > 1))
        for table in spill.ranges():
            rankings: defaultdict[str, list[PreferenceSet]] = defaultdict(list)
            for one in sets_of(table):
                rankings[one.set_id].append(one)
            merged(table.num_rows - len(rankings))
            yield from (agreed(ranked, min_margin) for ranked in rankings.values())


def agreed(ranked: Sequence[PreferenceSet], min_margin: float) -> PreferenceSet:
    """Return the set of rankings of the same responses.

    A reward is the share of annotators that find the response best, so the margin is the distance of two shares. A
    ranking without a best response counts, for none of them. All else is that of the row with the first source_id,
    but for the split, which is the first that a row names.
    """
    ordered = sorted(ranked, key=attrgetter("source_id"))
    votes = [one.best for one in ordered if one.best is not None or one.drop_reason in _NO_BEST]
    first = ordered[0]
    if not votes:
        return first
    rewards = shares(votes, first.n_responses)
    return preference_set(
        query=first.query,
        responses=[replace(one, reward=reward) for one, reward in zip(first.responses, rewards, strict=True)],
        label_source=LabelSource.ANNOTATORS if len(votes) > 1 else first.label_source,
        min_margin=min_margin,
        source=first.source,
        source_id=first.source_id,
        source_revision=first.source_revision,
        license=first.license,
        domain=first.domain,
        reference=first.reference,
        benchmark=first.benchmark,
        split=next((one.split for one in ordered if one.split is not None), None),
    )
