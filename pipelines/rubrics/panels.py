"""Panels: the answers on which a rubric is tried, none of which its generator saw.

A question has a handful of labelled answers at most, and a hit rate needs eight. So a panel holds what is left of the
question's own answers, and then whole sets of the questions nearest to it, of other clusters: a rubric's criteria will
be given for such questions anyway, never for its own.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.grm.transcripts import said_by
from schemas.preference import PreferenceSet, Response
from schemas.query import Messages
from schemas.record import unit_interval
from storage.rubric_vectors import Vectors

_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Case:
    """A question with ranked answers that a rubric is made for, and the two of them that its generator sees."""

    preference: PreferenceSet
    better: Response
    worse: Response


@dataclass(frozen=True, slots=True)
class Panelist:
    """One answer of a panel, in the context of its own question."""

    query_id: str
    query: Messages
    answer: str
    ranking: str | None
    """The set whose best answer it is ranked against, or is; None where the generator saw that."""
    is_best: bool


def case_of(preference: PreferenceSet) -> Case:
    """Return the case of a set: its best response, and one of the others by hash."""
    assert preference.best is not None
    others = [one for index, one in enumerate(preference.responses) if index != preference.best]
    draw = unit_interval("worse", preference.set_id)
    return Case(preference, preference.responses[preference.best], others[int(draw * len(others))])


def panel_of(case: Case, own: Sequence[PreferenceSet], near: Sequence[PreferenceSet], size: int) -> list[Panelist]:
    """Return at least `size` answers, if there are so many; whole sets, so that each best one has its rivals.

    `own` are all sets of the case's question, `near` those of others, the nearest first.
    """
    seen = {case.better.text, case.worse.text}
    panel: list[Panelist] = []
    for preference in (*own, *near):
        if len(panel) >= size:
            break
        panel += _panelists(preference, seen)
        seen |= {response.text for response in preference.responses}
    return panel


def _panelists(preference: PreferenceSet, seen: set[str]) -> list[Panelist]:
    best = None if preference.best is None else preference.responses[preference.best]
    ranking = preference.set_id if best is not None and best.text not in seen else None
    return [
        Panelist(preference.query_id, preference.query, said_by(response), ranking, response is best)
        for response in preference.responses
        if response.text not in seen
    ]


def nearest(
    cases: Sequence[int], vectors: Vectors, clusters: Sequence[str], domains: Sequence[str], count: int
) -> list[list[int]]:
    """Return, for each case (a row of `vectors`), the rows nearest to it, of its domain and of other clusters.

    `vectors` have length 1. Equal similarities stand in the order of the rows.
    """
    of_domain: defaultdict[str, list[int]] = defaultdict(list)
    for row, domain in enumerate(domains):
        of_domain[domain].append(row)
    found: dict[int, list[int]] = {}
    for domain, rows in of_domain.items():
        wanted = [row for row in cases if domains[row] == domain]
        members = np.array(rows)
        for start in range(0, len(wanted), _AT_ONCE):
            batch = wanted[start : start + _AT_ONCE]
            similarities = vectors[batch] @ vectors[members].T
            order = np.argsort(-similarities, axis=1, kind="stable")
            for row, ranked in zip(batch, order, strict=True):
                found[row] = _of_other_clusters(row, members[ranked], clusters, count)
    return [found[row] for row in cases]


def _of_other_clusters(row: int, ranked: Sequence[int], clusters: Sequence[str], count: int) -> list[int]:
    near: list[int] = []
    for other in ranked:
        if clusters[other] != clusters[row]:
            near.append(int(other))
        if len(near) == count:
            break
    return near
