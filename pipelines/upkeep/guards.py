"""Guards: which changes in a comparison hold LATEST back, each with both of its figures.

Acceptance and leak probe of a small source swing by chance, so these two must move by more than their limit and twice
the standard error of the move. A source counts as many answers as it has sets, since those of one set go together.
Where all sets of a source were replaced by others like them, sources of 10 sets tripped on 0.04 % of simulated nights,
larger ones on fewer; the bare limit of 5 points trips on 69 % of them at 10 sets, and on 4 % at 300.
"""

from collections.abc import Iterator
from math import sqrt

from pipelines.reporting.comparison import percent
from schemas.comparison import AcceptanceChange, Comparison, InputChange, Judged, LeakChange
from schemas.recipe import LeaksSection, RefreshSection

_BY_CHANCE = 2
"""How many standard errors are put down to chance."""
_EPSILON = 1e-9
"""Shares are floats: a move of exactly the limit must not trip a guard."""


def tripped(comparison: Comparison, limits: RefreshSection, leaks: LeaksSection) -> tuple[str, ...]:
    """Return a sentence for each guard that tripped; none where the newer version may become LATEST."""
    moves = [(change.source, change) for change in comparison.acceptance]
    moves += [("all sources", comparison.overall)] if len(moves) > 1 else []
    return (
        *(words for source in comparison.inputs for words in _shrunk(source, limits.max_source_shrink)),
        *(words for move in moves for words in _moved(*move, limits.max_acceptance_change / 100)),
        *(words for leak in comparison.leaks for words in _leakier(leak, limits.max_leak_rise, leaks.threshold)),
    )


def _shrunk(change: InputChange, limit: float) -> Iterator[str]:
    before = change.before.kept if change.before else 0
    after = change.after.kept if change.after else 0
    if before and (not after or after < before * (1 - limit) - _EPSILON):
        yield (
            f"{change.source} shrank from {before:,} kept sets to {after:,}: {1 - after / before:.1%} less, more than "
            f"max_source_shrink = {limit:g}"
        )


def _moved(what: str, change: AcceptanceChange, limit: float) -> Iterator[str]:
    """Yield what is wrong with the acceptance of a source: of all its answers, and of those that are new.

    A night's new answers are few beside those that were there: a judge that broke yesterday hardly moves the whole.
    """
    if limit >= 1 or not change.before.answers:
        return
    if not change.after.answers:
        yield f"none of {what} was judged, where {change.before.answers:,} answers were before"
        return
    common = change.after.answers - change.new.answers
    compared = [("", change.after, common)]
    compared += [("the new answers of ", change.new, 0)] if common and change.new.answers else []
    for words, after, shared in compared:
        chance = _BY_CHANCE * _standard_error(change.before, after, shared)
        moved = abs((after.share or 0.0) - (change.before.share or 0.0))
        if moved > limit + chance + _EPSILON:
            yield (
                f"acceptance of {words}{what} moved from {percent(change.before.share)} (of {change.before.answers:,} "
                f"answers) to {percent(after.share)} (of {after.answers:,}): {100 * moved:.1f} points, where "
                f"max_acceptance_change is {100 * limit:g} and chance may add {100 * chance:.1f}"
            )


def _standard_error(before: Judged, after: Judged, common: int) -> float:
    """Return the standard error of the difference of two accepted shares, of which `common` answers are the same."""
    together = (before.accepted + after.accepted) / (before.answers + after.answers)
    shared = min(common * after.sets / after.answers, before.sets, after.sets)
    terms = 1 / before.sets + 1 / after.sets - 2 * shared / (before.sets * after.sets)
    return sqrt(together * (1 - together) * max(0.0, terms))


def _leakier(leak: LeakChange, limit: float, threshold: float) -> Iterator[str]:
    """Yield what is wrong with a leak probe: it rose or, where it is measured for the first time, it is a leak."""
    if leak.after is None or limit >= 1:
        return
    error_before = 0.0 if leak.before is None else leak.se_before or 0.0
    chance = _BY_CHANCE * sqrt(error_before**2 + (leak.se_after or 0.0) ** 2)
    if leak.before is None:
        if leak.after > threshold + chance + _EPSILON:
            yield (
                f"the leak probe of {leak.source} ({leak.task}) is at AUC {leak.after:.3f}, and was not measured "
                f"before: the threshold of [leaks] is {threshold:g} and chance may add {chance:.3f}"
            )
    elif (rose := leak.after - leak.before) > limit + chance + _EPSILON:
        yield (
            f"the leak probe of {leak.source} ({leak.task}) rose from AUC {leak.before:.3f} to {leak.after:.3f}: by "
            f"{rose:.3f}, where max_leak_rise is {limit:g} and chance may add {chance:.3f}"
        )
