"""Composition: of graded answers to a question, a set with exactly one right response, and single labelled responses.

Sampling gives several right answers, or none; a set needs exactly one. What stands beside it is chosen so that nothing
but being right tells it apart: wrong responses near it in length and different from each other, and a right one whose
rank by length is drawn beforehand. Nor is the author a label: the responses of a set have one model wherever one was
both right and wrong.
"""

from collections.abc import Iterable, Sequence
from math import log
from typing import Any

import polars as pl

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
WEIGHED = {
    "set_id": pl.String,
    "authors": pl.String,  # of the responses; null where they have one
    "n_authors": pl.Int32,
    "author": pl.String,  # of the best response, or of a single one
    "is_taught": pl.Boolean,
    "label": pl.Int32,
    "length_rank": pl.Float64,  # share of wrong responses shorter than the right one, equal ones half; null for one
    "draw": pl.Float64,
}


def compose(
    question: Question, candidates: Sequence[Candidate], settings: SynthesisSection, seed: int
) -> list[PreferenceSet]:
    """Return the sets that a question's graded answers make: at least one, dropped where nothing can be compared."""
    if question.drop_reason:
        return [_set(question, (), question.drop_reason)]
    right, wrong = _comparable(_distinct(candidates, Verdict.RIGHT), _distinct(candidates, Verdict.WRONG))
    if right and wrong:
        composed = [_comparison(question, right, wrong, settings.n_responses, seed)]
    else:
        reason = DropReason.NO_RESPONSE
        if right or wrong:
            reason = DropReason.NO_WRONG_RESPONSE if right else DropReason.NO_RIGHT_RESPONSE
        composed = [_set(question, (right or wrong)[: settings.n_responses], reason)]
    if (right or wrong) and gives_single(question, settings, seed):
        composed.append(_single(question, right, wrong, seed))
    return composed


def gives_single(question: Question, settings: SynthesisSection, seed: int) -> bool:
    """Say whether a question also gives a set of one response, as soon as one of its answers can be graded."""
    return unit_interval("single", seed, question.query_id) < settings.single_share


def weighed(sets: Iterable[PreferenceSet]) -> pl.DataFrame:
    """Return what the balances over a source look at, a row of WEIGHED for each set that is kept."""
    return pl.DataFrame([_weighed(one) for one in sets if one.drop_reason is None], WEIGHED, orient="row")


def _weighed(one: PreferenceSet) -> tuple[Any, ...]:
    authors = {response.model for response in one.responses}
    known = one.responses[one.best or 0]
    length_rank = None
    if one.best is not None:
        ahead = [len(known.text) - len(response.text) for response in one.responses if response is not known]
        length_rank = (sum(by > 0 for by in ahead) + sum(by == 0 for by in ahead) / 2) / len(ahead)
    return (
        one.set_id,
        str(sorted(authors, key=repr)) if len(authors) > 1 else None,
        len(authors),
        known.model,
        any(response.origin == Origin.TEACHER for response in one.responses),
        one.label,
        length_rank,
        unit_interval("surplus", one.set_id),
    )


def surplus(kept: pl.DataFrame) -> dict[str, DropReason]:
    """Return the sets, of WEIGHED, that are dropped so that no author, length or label stands out, and why."""
    authors = _surplus_authors(kept)
    others = kept.filter(pl.col("set_id").is_in(authors.implode()).not_())
    return {
        **dict.fromkeys(authors, DropReason.AUTHOR_BALANCE),
        **dict.fromkeys(_surplus_labels(others), DropReason.SINGLE_BALANCE),
        **dict.fromkeys(_surplus_lengths(others), DropReason.LENGTH_BALANCE),
    }


def composition_of(kept: pl.DataFrame) -> dict[str, int]:
    """Return how sets of WEIGHED are made up; at least half of those to compare should have one author."""
    compared = kept.filter(pl.col("length_rank").is_not_null())
    return {
        "sets": compared.height,
        "of_one_model": compared["authors"].null_count(),
        "taught": int(compared["is_taught"].sum()),
        "single_right": kept.filter(label=1).height,
        "single_wrong": kept.filter(label=0).height,
    }


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
) -> PreferenceSet:
    """Return the set of one right and at most n_responses - 1 wrong ones that comes nearest to what is wanted."""
    size = min(n_responses, 1 + len(wrong))
    shorter_wanted = int(unit_interval("length", seed, question.query_id) * size)

    def fault(choice: tuple[Candidate, list[Candidate]]) -> tuple[int, float]:
        one, rivals = choice
        off = abs(_shorter(rivals, one) - shorter_wanted)
        return off, sum(_distance(one, rival) for rival in rivals) / len(rivals)

    best, rivals = min(((one, _rivals(one, wrong, size - 1, shorter_wanted)) for one in right), key=fault)
    return _set(question, (best, *rivals))


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


def _surplus_authors(kept: pl.DataFrame) -> pl.Series:
    """Return the sets without which, among sets of the same authors, each of these is best about equally often.

    Where one model is never right beside others, nothing but the author would have to be known: all such sets go.
    """
    several = kept.filter(pl.col("authors").is_not_null())
    of_best = several.group_by("authors", "author").agg(pl.len().alias("sets"), pl.col("n_authors").first())
    least = pl.when(pl.len() == pl.col("n_authors").first()).then(pl.col("sets").min()).otherwise(0)
    most = of_best.group_by("authors").agg(most=(MOST_OFTEN_BEST * least).cast(pl.Int64))
    rank = pl.col("draw").rank("ordinal").over("authors", "author")
    return several.join(most, "authors").filter(rank > pl.col("most"))["set_id"]


def _surplus_labels(kept: pl.DataFrame) -> pl.Series:
    """Return the single responses beyond as many of each label for every author, in the order of a hash."""
    rank = pl.col("draw").rank("ordinal").over("author", "label")
    of_other_label = pl.len().over("author") - pl.len().over("author", "label")
    return kept.filter(pl.col("label").is_not_null()).filter(rank > of_other_label)["set_id"]


def _surplus_lengths(kept: pl.DataFrame) -> pl.Series:
    """Return the sets without which right responses are longer than wrong ones about half the time.

    Sets at the far end go first, those of one rank in the order of a hash.
    """
    ranked = kept.filter(pl.col("length_rank").is_not_null()).sort("length_rank", "draw")
    left, total = ranked.height, sum(ranked["length_rank"])
    if left and total / left > 0.5:  # the same from the other end
        ranked = ranked.reverse()
    for rank in ranked["length_rank"]:
        if left < 2 or abs(total / left - 0.5) <= LENGTH_TOLERANCE:
            break
        left, total = left - 1, total - rank
    return ranked["set_id"].head(ranked.height - left)
