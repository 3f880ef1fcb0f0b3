"""Panels: the answers on which a rubric is tried, none of which its generator saw.

A question has a handful of labelled answers at most, and a hit rate needs eight. So a panel holds what is left of the
question's own answers, and then whole sets of the questions nearest to it, of other clusters: a rubric's criteria will
be given for such questions anyway, never for its own. A lone run is tried on the nearest runs of other tasks under the
same instructions, right ones ranked against wrong ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.judging.transcripts import said_by
from pipelines.rubrics.cases import Case, Labelled, question_text
from pipelines.rubrics.embedding import Embedder
from schemas.preference import PreferenceSet
from schemas.query import Messages
from storage.rubric_tables import Vectors

_AT_ONCE = 256
_RUNS = 4
"""Nearest runs looked at, by places of a panel: right and wrong ones are seldom equally many."""


@dataclass(frozen=True, slots=True)
class Panelist:
    """One answer of a panel, in the context of its own question."""

    query_id: str
    query: Messages
    answer: str
    ranking: str | None
    """The answers that are ranked against each other; None for one that only counts towards hit rates."""
    is_best: bool
    met: tuple[bool, ...] = ()
    """Once it is judged: by criterion, in the rubric's order; for a pitfall, whether the answer makes the mistake."""


def panels_of(cases: Sequence[Case], sets: Labelled, embedder: Embedder, size: int) -> list[list[Panelist]]:
    """Return the panel of each case: at least `size` answers, where there are so many."""
    if not cases:
        return []
    queries = [of_query[0] for of_query in sets.ranked.values()]
    groups = [one.domain for one in queries]
    wanted = [case for case in cases if case.other is not None]
    for number, runs in enumerate(sets.runs.values() if wanted else ()):
        queries += runs
        groups += [f"run {number}"] * len(runs)
    row_of = {one.set_id: row for row, one in enumerate(queries)}
    near = nearest(
        [row_of[case.preference.set_id] for case in cases],
        embedder.vectors([question_text(one) for one in queries]),
        [one.cluster or one.query_id for one in queries],
        groups,
        size * _RUNS if wanted else size,
    )
    panels = []
    for case, rows in zip(cases, near, strict=True):
        others = [queries[row] for row in rows]
        own = sets.ranked.get(case.query_id, [])
        panels.append(panel_of(case, own, others, size) if case.other is None else panel_of_runs(case, others, size))
    return panels


def panel_of(case: Case, own: Sequence[PreferenceSet], near: Sequence[PreferenceSet], size: int) -> list[Panelist]:
    """Return at least `size` answers, if there are so many; whole sets, so that each best one has its rivals.

    `own` are all sets of the case's question, `near` those of others, the nearest first.
    """
    seen = {(case.query_id, response.text) for response in (case.better, case.worse)}
    panel: list[Panelist] = []
    for preference in (*own, *near):
        if len(panel) >= size:
            break
        panel += _panelists(preference, seen)
        seen |= {(preference.query_id, response.text) for response in preference.responses}
    return panel


def _panelists(preference: PreferenceSet, seen: set[tuple[str, str]]) -> list[Panelist]:
    """Return the answers of a set that were not seen, ranked against each other if the best is among them."""
    unseen = [one for one in preference.responses if (preference.query_id, one.text) not in seen]
    best = None if preference.best is None else preference.responses[preference.best]
    ranking = preference.set_id if any(one is best for one in unseen) else None
    return [Panelist(preference.query_id, preference.query, said_by(one), ranking, one is best) for one in unseen]


def panel_of_runs(case: Case, near: Sequence[PreferenceSet], size: int) -> list[Panelist]:
    """Return at most `size` runs that the generator did not see, as many right as wrong ones where there are.

    The nearest right one is ranked against the nearest wrong one, and so on; what one side has more joins in turn.
    """
    unseen = [one for one in near if one.set_id not in case.seen]
    right, wrong = ([one for one in unseen if one.label == label] for label in (1, 0))
    right = right[: max(size // 2, size - len(wrong))]
    wrong = wrong[: size - len(right)]
    pairs = min(len(right), len(wrong))
    return [
        Panelist(
            query_id=one.query_id,
            query=one.query,
            answer=said_by(one.responses[0]),
            ranking=f"pair {rank % pairs}" if pairs else None,
            is_best=one.label == 1,
        )
        for side in (right, wrong)
        for rank, one in enumerate(side)
    ]


def nearest(
    cases: Sequence[int], vectors: Vectors, clusters: Sequence[str], groups: Sequence[str], count: int
) -> list[list[int]]:
    """Return, for each case (a row of `vectors`), the rows nearest to it, of its group and of other clusters.

    `vectors` have length 1. Equal similarities stand in the order of the rows.
    """
    _, group_of = np.unique(np.array(groups), return_inverse=True)
    _, cluster_of = np.unique(np.array(clusters), return_inverse=True)
    found: dict[int, list[int]] = {}
    for group in sorted({int(group_of[row]) for row in cases}):
        wanted = [row for row in cases if group_of[row] == group]
        members = np.flatnonzero(group_of == group)
        for start in range(0, len(wanted), _AT_ONCE):
            batch = wanted[start : start + _AT_ONCE]
            order = np.argsort(-(vectors[batch] @ vectors[members].T), axis=1, kind="stable")
            for row, ranked in zip(batch, members[order], strict=True):
                found[row] = ranked[cluster_of[ranked] != cluster_of[row]][:count].tolist()
    return [found[row] for row in cases]
