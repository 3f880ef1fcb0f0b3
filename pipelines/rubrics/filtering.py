"""Filtering: those criteria of a rubric are kept that tell good answers from bad ones; each dropped one has a reason.

A criterion that nearly every answer meets tells nothing apart, nor does one that nearly none meets (ORBIT); one that
worse answers meet more often than the best ones is wrong. A rubric is kept only if its weighted sum ranks the known
best answers first (OpenRubrics' label consistency), on answers that its generator did not see (METHOD section 7).
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from schemas.recipe import RubricsSection
from schemas.rubric import Criterion, CriterionDrop, CriterionKind, Rubric, RubricDrop


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer of a panel, with what was found of each criterion."""

    ranking: str | None
    """The answers that are ranked against each other; None for one that only counts towards hit rates."""
    is_best: bool
    met: tuple[bool, ...]
    """By criterion, in the rubric's order; for a pitfall, whether the answer makes the mistake."""


def filtered(rubric: Rubric, panel: Sequence[Judged], settings: RubricsSection) -> Rubric:
    """Return the rubric with what the panel found: hit rates, label consistencies, and reasons for being dropped.

    A criterion that was dropped before keeps its reason, and counts in no sum.
    """
    comparisons = list(_comparisons(panel))
    criteria = tuple(_with_findings(one, at, panel, comparisons, settings) for at, one in enumerate(rubric.criteria))
    found = replace(rubric, criteria=criteria, panel=len(panel), label_consistency=None, drop_reason=None)
    if len(panel) < settings.min_panel or not comparisons:
        return replace(found, drop_reason=RubricDrop.PANEL_TOO_SMALL)
    if not found.kept:
        return replace(found, drop_reason=RubricDrop.NO_CRITERIA)
    consistency = _consistency(found, panel)
    is_consistent = consistency >= settings.min_consistency
    return replace(found, label_consistency=consistency, drop_reason=None if is_consistent else RubricDrop.INCONSISTENT)


def _with_findings(
    criterion: Criterion,
    at: int,
    panel: Sequence[Judged],
    comparisons: Sequence[tuple[Judged, Judged]],
    settings: RubricsSection,
) -> Criterion:
    """Return the criterion with its hit rate, its consistency, and the first reason for dropping it."""
    hit_rate = sum(one.met[at] for one in panel) / len(panel) if panel else None
    outcomes = Counter(_preference(criterion, at, best, worse) for best, worse in comparisons)
    compared = outcomes.total()
    return replace(
        criterion,
        hit_rate=hit_rate,
        label_consistency=1 - outcomes[-1] / compared if compared else None,
        drop_reason=criterion.drop_reason or _reason(hit_rate, outcomes, len(panel), settings),
    )


def _reason(
    hit_rate: float | None, outcomes: Counter[int], panel: int, settings: RubricsSection
) -> CriterionDrop | None:
    if hit_rate is None or panel < settings.min_panel:
        return CriterionDrop.PANEL_TOO_SMALL
    if hit_rate > settings.max_hit_rate:
        return CriterionDrop.MET_BY_ALL
    if hit_rate < settings.min_hit_rate:
        return CriterionDrop.MET_BY_NONE
    return CriterionDrop.PREFERS_WORSE if outcomes[-1] > outcomes[1] else None


def _preference(criterion: Criterion, at: int, best: Judged, worse: Judged) -> int:
    """Return 1 where the criterion speaks for the best answer, -1 for the worse one, 0 for neither."""
    difference = int(best.met[at]) - int(worse.met[at])
    return -difference if criterion.kind is CriterionKind.PITFALL else difference


def _comparisons(panel: Sequence[Judged]) -> Iterator[tuple[Judged, Judged]]:
    """Yield each best answer with every other one of its ranking."""
    for answers in _rankings(panel).values():
        for best in (one for one in answers if one.is_best):
            yield from ((best, other) for other in answers if not other.is_best)


def _rankings(panel: Sequence[Judged]) -> dict[str, list[Judged]]:
    rankings: defaultdict[str, list[Judged]] = defaultdict(list)
    for one in panel:
        if one.ranking is not None:
            rankings[one.ranking].append(one)
    return rankings


def _consistency(rubric: Rubric, panel: Sequence[Judged]) -> float:
    """Return the share of rankings in which a best answer has a strictly higher sum than every other one."""
    in_use = [(at, one.points) for at, one in enumerate(rubric.criteria) if one.drop_reason is None]
    first = 0
    rankings = [answers for answers in _rankings(panel).values() if len({one.is_best for one in answers}) == 2]
    for answers in rankings:
        sums = {is_best: [_sum(one, in_use) for one in answers if one.is_best == is_best] for is_best in (True, False)}
        first += max(sums[True]) > max(sums[False])
    return first / len(rankings)


def _sum(judged: Judged, in_use: Sequence[tuple[int, int]]) -> int:
    return sum(points for at, points in in_use if judged.met[at])
