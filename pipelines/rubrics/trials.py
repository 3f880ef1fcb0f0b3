"""Trials: every criterion of a rubric is judged on every answer of its panel, and those are kept that tell them apart.

A criterion that nearly every answer meets tells nothing apart, nor does one that nearly none meets (ORBIT); one that
worse answers meet more often than the best ones is wrong. A rubric is kept only if its weighted sum ranks the known
best answers first (OpenRubrics' label consistency), on answers that its generator did not see (METHOD section 7).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from pipelines.engines.asking import CUT_SHORT, Asker
from pipelines.rubrics.panels import Panelist
from pipelines.rubrics.requests import MalformedAnswer, judgement_request, read_judgement
from schemas.generation import Request
from schemas.recipe import RubricsSection
from schemas.rubric import Criterion, CriterionDrop, CriterionKind, InvalidRubric, Rubric, RubricDrop

ATTEMPTS = 2
"""What is malformed is asked for once more, and then counted."""
_T = TypeVar("_T")


def read_all(
    asker: Asker,
    malformed: Counter[str],
    what: str,
    requests: Sequence[Callable[[int], Request]],
    read: Callable[[int, str], _T],
) -> list[_T | None]:
    """Ask for everything, and once more for what cannot be read; None where that cannot be read either.

    `requests[i]` makes the i-th request of an attempt, `read(i, text)` reads its answer. A request that failed is not
    sent again: its next attempt would fail likewise, and the next run sends it anyway. What could not be read is
    counted in `malformed`, first attempts among it.
    """
    results: list[_T | None] = [None] * len(requests)
    missing: Sequence[int] = range(len(requests))
    for attempt in range(ATTEMPTS):
        sent = {place: requests[place](attempt) for place in missing}
        places = {request.request_id: place for place, request in sent.items()}

        def readable(request: Request, text: str, places: Mapping[str, int] = places) -> bool:
            try:
                read(places[request.request_id], text)
            except (MalformedAnswer, InvalidRubric):
                return False
            return True

        answers = asker.fetch(what, sent.values(), readable)
        missing = []
        for place, request in sent.items():
            if (completion := answers.get(request.request_id)) is None or completion.text is None:
                malformed[f"{what}: failed"] += 1
                continue
            try:
                results[place] = read(place, completion.text)
            except (MalformedAnswer, InvalidRubric) as fault:
                is_cut = completion.finish_reason in CUT_SHORT  # the reason why it is no whole JSON
                malformed[f"{what}: {'truncated' if is_cut else fault.reason}"] += 1
                missing.append(place)
    return results


def tried(
    asker: Asker,
    malformed: Counter[str],
    rubrics: Sequence[Rubric],
    panels: Sequence[Sequence[Panelist]],
    settings: RubricsSection,
) -> list[Rubric]:
    """Return the rubrics with what their panels found, in order; answers without a readable judgement do not count."""
    places = [(number, panelist) for number, panel in enumerate(panels) for panelist in panel]
    judgements = read_all(
        asker,
        malformed,
        "judging criteria",
        [partial(judgement_request, asker.job, rubrics[number], panelist) for number, panelist in places],
        lambda place, text: read_judgement(text, len(rubrics[places[place][0]].criteria)),
    )
    judged: list[list[Panelist]] = [[] for _ in rubrics]
    for (number, panelist), met in zip(places, judgements, strict=True):
        if met is not None:
            judged[number].append(replace(panelist, met=met))
    return [filtered(rubric, panel, settings) for rubric, panel in zip(rubrics, judged, strict=True)]


def filtered(rubric: Rubric, panel: Sequence[Panelist], settings: RubricsSection) -> Rubric:
    """Return the rubric with what the panel found: hit rates, label consistencies, and reasons for being dropped.

    A criterion that was dropped before keeps its reason, and counts in no sum.
    """
    rankings: defaultdict[str, tuple[list[Panelist], list[Panelist]]] = defaultdict(lambda: ([], []))
    for answer in panel:
        if answer.ranking is not None:
            rankings[answer.ranking][not answer.is_best].append(answer)
    both = [(best, others) for best, others in rankings.values() if best and others]
    comparisons = [(best, other) for of_best, others in both for best in of_best for other in others]
    criteria = tuple(
        _with_findings(criterion, number, panel, comparisons, settings)
        for number, criterion in enumerate(rubric.criteria)
    )
    found = replace(rubric, criteria=criteria, panel=len(panel), label_consistency=None, drop_reason=None)
    if len(panel) < settings.min_panel or not comparisons:
        return replace(found, drop_reason=RubricDrop.PANEL_TOO_SMALL)
    if not found.kept:
        return replace(found, drop_reason=RubricDrop.NO_CRITERIA)
    in_use = [(number, one.points) for number, one in enumerate(criteria) if one.drop_reason is None]

    def highest(answers: Sequence[Panelist]) -> int:
        return max(sum(points for number, points in in_use if answer.met[number]) for answer in answers)

    consistency = sum(highest(best) > highest(others) for best, others in both) / len(both)
    is_consistent = consistency >= settings.min_consistency
    return replace(found, label_consistency=consistency, drop_reason=None if is_consistent else RubricDrop.INCONSISTENT)


def _with_findings(
    criterion: Criterion,
    number: int,
    panel: Sequence[Panelist],
    comparisons: Sequence[tuple[Panelist, Panelist]],
    settings: RubricsSection,
) -> Criterion:
    """Return the criterion with its hit rate, its consistency, and the first reason for dropping it."""
    hit_rate = sum(answer.met[number] for answer in panel) / len(panel) if panel else None
    # 1 where the criterion speaks for the best answer, -1 for the worse one, 0 for neither.
    sign = -1 if criterion.kind is CriterionKind.PITFALL else 1
    votes = Counter(sign * (best.met[number] - worse.met[number]) for best, worse in comparisons)
    rate = hit_rate or 0.0
    reasons = (
        (hit_rate is None or len(panel) < settings.min_panel, CriterionDrop.PANEL_TOO_SMALL),
        (rate > settings.max_hit_rate, CriterionDrop.MET_BY_ALL),
        (rate < settings.min_hit_rate, CriterionDrop.MET_BY_NONE),
        (votes[-1] > votes[1], CriterionDrop.PREFERS_WORSE),
    )
    reason = criterion.drop_reason or next((reason for is_so, reason in reasons if is_so), None)
    consistency = 1 - votes[-1] / len(comparisons) if comparisons else None
    return replace(criterion, hit_rate=hit_rate, label_consistency=consistency, drop_reason=reason)
