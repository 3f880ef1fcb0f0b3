"""Composition: of graded answers to a question, a set with exactly one right response, and single labelled responses.

Sampling gives several right answers, or none; a set needs exactly one. What stands beside it is chosen so that nothing
but being right tells it apart: wrong responses near it in length and different from each other, and a right one whose
rank by length is drawn beforehand. Nor is the author a label: the responses of a set have one model wherever one was
both right and wrong.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from schemas.candidate import Candidate, Origin
from schemas.preference import DropReason, LabelSource, PreferenceSet, Response, preference_set
from schemas.question import AnswerForm, Question, Verdict
from schemas.recipe import SynthesisSection
from schemas.record import unit_interval

ALIKE = 0.8
"""Wrong responses that share this part of their three-word runs say the same thing twice."""
MOST_OFTEN_BEST = 1.1
"""How many times as often as another one an author may be best in sets of the same authors."""
LENGTH_TOLERANCE = 0.05
"""How far the share of wrong responses that are shorter than the right one may be from a half, over a source."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A set on its way into the table, with what the balances over its source look at."""

    preference: PreferenceSet
    length_rank: float | None = None
    """Share of the wrong responses that are shorter than the right one, equal ones half; None unless it has both."""


def compose(
    question: Question, candidates: Sequence[Candidate], settings: SynthesisSection, seed: int
) -> list[Composed]:
    """Return the sets that a question's graded answers make: at least one, dropped where nothing can be compared."""
    if question.drop_reason:
        return [Composed(_set(question, (), question.drop_reason))]
    right, wrong = _comparable(_distinct(candidates, Verdict.RIGHT), _distinct(candidates, Verdict.WRONG))
    if right and wrong:
        composed = [_comparison(question, right, wrong, settings.n_responses, seed)]
    else:
        reason = DropReason.NO_RESPONSE
        if right or wrong:
            reason = DropReason.NO_WRONG_RESPONSE if right else DropReason.NO_RIGHT_RESPONSE
        composed = [Composed(_set(question, (right or wrong)[: settings.n_responses], reason))]
    if (right or wrong) and gives_single(question, settings, seed):
        composed.append(Composed(_single(question, right, wrong, seed)))
    return composed


def gives_single(question: Question, settings: SynthesisSection, seed: int) -> bool:
    """Say whether a question also gives a set of one response, as soon as one of its answers can be graded."""
    return unit_interval("single", seed, question.query_id) < settings.single_share


def balanced(composed: Sequence[Composed]) -> list[PreferenceSet]:
    """Return the sets of a source, in order, some of them dropped so that no author, length or label stands out."""
    kept = [one for one in composed if one.preference.drop_reason is None]
    authors = _surplus_authors([one.preference for one in kept if one.preference.best is not None])
    kept = [one for one in kept if one.preference.set_id not in authors]
    reasons = {
        **dict.fromkeys(_surplus_labels([one.preference for one in kept]), DropReason.SINGLE_BALANCE),
        **dict.fromkeys(_surplus_lengths(kept), DropReason.LENGTH_BALANCE),
        **dict.fromkeys(authors, DropReason.AUTHOR_BALANCE),
    }
    sets = [one.preference for one in composed]
    return [one.dropped(reasons[one.set_id]) if one.set_id in reasons else one for one in sets]


def _distinct(candidates: Sequence[Candidate], verdict: Verdict) -> list[Candidate]:
    """Return the candidates of a verdict whose text is not another one's, in their order."""
    first: dict[str, Candidate] = {}
    for candidate in candidates:
        if candidate.verdict is verdict and candidate.text:
            first.setdefault(candidate.text, candidate)
    return list(first.values())


def _comparable(right: list[Candidate], wrong: list[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
    """Return the answers that may stand in one set: those of the one model that has most to compare.

    Where no model is both right and wrong, those of all models that were asked alike; a teacher's answers never stand
    beside other models', since it was only asked where the others were wrong.
    """
    authors = dict.fromkeys(map(_author, (*right, *wrong)))
    of_one: list[list[Candidate]] = max(
        ([[one for one in side if _author(one) == author] for side in (right, wrong)] for author in authors),
        key=lambda sides: len(sides[0]) * len(sides[1]),
        default=[[], []],
    )
    if not all(of_one):
        of_one = [[one for one in side if not _is_taught(one)] for side in (right, wrong)]
    return of_one[0], of_one[1]


def _author(candidate: Candidate) -> tuple[str | None, bool]:
    return candidate.model, _is_taught(candidate)


def _is_taught(candidate: Candidate) -> bool:
    return candidate.origin in (Origin.TEACHER, Origin.REWRITE)


def _comparison(
    question: Question, right: Sequence[Candidate], wrong: Sequence[Candidate], n_responses: int, seed: int
) -> Composed:
    """Return the set of one right and at most n_responses - 1 wrong ones that comes nearest to what is wanted."""
    size = min(n_responses, 1 + len(wrong))
    shorter_wanted = int(unit_interval("length", seed, question.query_id) * size)

    def fault(choice: tuple[Candidate, list[Candidate]]) -> tuple[int, float]:
        one, rivals = choice
        off = abs(_shorter(rivals, one) - shorter_wanted)
        return off, sum(_distance(one, rival) for rival in rivals) / len(rivals)

    best, rivals = min(((one, _rivals(one, wrong, size - 1, shorter_wanted)) for one in right), key=fault)
    as_long = sum(_length(rival) == _length(best) for rival in rivals)
    return Composed(_set(question, (best, *rivals)), (_shorter(rivals, best) + as_long / 2) / len(rivals))


def _rivals(right: Candidate, wrong: Sequence[Candidate], count: int, shorter_wanted: int) -> list[Candidate]:
    """Return `count` wrong responses, so many of them shorter than the right one as there are and are wanted.

    Among equals, those come first whose answer no chosen one gives, then those that do not repeat a chosen one's
    words, then those near the right one in length.
    """
    chosen: list[Candidate] = []

    def fault(one: Candidate) -> tuple[bool, bool, bool, float]:
        wants_shorter = _shorter(chosen, right) < shorter_wanted
        return (
            (_length(one) < _length(right)) != wants_shorter,
            any(one.answer is not None and one.answer == other.answer for other in chosen),
            any(_alike(one, other) for other in chosen),
            _distance(right, one),
        )

    for _ in range(count):
        chosen.append(min((one for one in wrong if one not in chosen), key=fault))
    return chosen


def _single(question: Question, right: Sequence[Candidate], wrong: Sequence[Candidate], seed: int) -> PreferenceSet:
    """Return a set of one response, right or wrong as a coin falls, as far as there is a choice."""
    is_right = not wrong or (bool(right) and unit_interval("label", seed, question.query_id) < 0.5)
    return _set(question, ((right if is_right else wrong)[0],), label=int(is_right))


def _set(
    question: Question,
    candidates: Sequence[Candidate],
    drop_reason: DropReason | None = None,
    label: int | None = None,
) -> PreferenceSet:
    responses = [
        Response(
            text=candidate.text or "",
            reward=float(candidate.verdict is Verdict.RIGHT),
            reasoning=candidate.reasoning,
            model=candidate.model,
            origin=candidate.origin,
            tokens=candidate.tokens,
        )
        for candidate in candidates
    ]
    return preference_set(
        query=question.query,
        responses=responses,
        source=question.source,
        source_id=question.source_id,
        source_revision=question.source_revision,
        license=question.license,
        domain=question.domain,
        label_source=LabelSource.MODEL if question.gold.form is AnswerForm.TEXT else LabelSource.VERIFIER,
        label=label,
        reference=question.reference,
        benchmark=question.benchmark,
        split=question.split,
        drop_reason=drop_reason,
    )


def _length(candidate: Candidate) -> int:
    return len(candidate.text or "")


def _shorter(candidates: Sequence[Candidate], than: Candidate) -> int:
    """Return how many candidates are shorter than one."""
    return sum(_length(candidate) < _length(than) for candidate in candidates)


def _distance(one: Candidate, other: Candidate) -> float:
    return abs(log((1 + _length(one)) / (1 + _length(other))))


def _alike(one: Candidate, other: Candidate) -> bool:
    """Say whether two texts share most of their three-word runs."""
    runs, others = _runs(one), _runs(other)
    return len(runs & others) >= ALIKE * max(1, min(len(runs), len(others)))


def _runs(candidate: Candidate) -> set[tuple[str, ...]]:
    words = (candidate.text or "").split()
    return set(zip(words, words[1:], words[2:], strict=False))


def _by_hash(set_ids: Sequence[str]) -> list[str]:
    return sorted(set_ids, key=lambda set_id: unit_interval("surplus", set_id))


def _surplus_authors(sets: Sequence[PreferenceSet]) -> set[str]:
    """Return the sets without which, among sets of the same authors, each of these is best about equally often.

    Where one model is never right beside others, nothing but the author would have to be known: all such sets go.
    """
    groups: defaultdict[frozenset[str | None], defaultdict[str | None, list[str]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for one in sets:
        authors = frozenset(response.model for response in one.responses)
        if len(authors) > 1 and one.best is not None:
            groups[authors][one.responses[one.best].model].append(one.set_id)
    surplus: set[str] = set()
    for authors, of_best in groups.items():
        most = int(MOST_OFTEN_BEST * min(len(of_best[author]) for author in authors))
        for set_ids in of_best.values():
            surplus.update(_by_hash(set_ids)[most:])
    return surplus


def _surplus_lengths(composed: Sequence[Composed]) -> set[str]:
    """Return the sets without which right responses are longer than wrong ones about half the time.

    Sets at the far end go first, those of one rank in the order of a hash.
    """
    ranks = {one.preference.set_id: one.length_rank for one in composed if one.length_rank is not None}
    ranked = sorted(ranks.items(), key=lambda item: (item[1], unit_interval("surplus", item[0])))
    left, total = len(ranked), sum(rank for _, rank in ranked)
    if ranked and total / left > 0.5:  # the same from the other end
        ranked.reverse()
    surplus: set[str] = set()
    for set_id, rank in ranked:
        if left < 2 or abs(total / left - 0.5) <= LENGTH_TOLERANCE:
            break
        surplus.add(set_id)
        left, total = left - 1, total - rank
    return surplus


def _surplus_labels(sets: Sequence[PreferenceSet]) -> set[str]:
    """Return the single responses beyond as many of each label for every author, in the order of a hash."""
    groups: defaultdict[str | None, dict[int, list[str]]] = defaultdict(lambda: {0: [], 1: []})
    for one in sets:
        if one.label is not None:
            groups[one.responses[0].model][one.label].append(one.set_id)
    surplus: set[str] = set()
    for of_label in groups.values():
        wrong, right = map(_by_hash, of_label.values())
        surplus.update(wrong[len(right) :], right[len(wrong) :])
    return surplus
