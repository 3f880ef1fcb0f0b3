"""Two evaluations compared, as a terminal shows it."""

from collections.abc import Iterator

from pipelines.evaluation.accuracy import GREEDY
from pipelines.evaluation.claims import LEVEL
from pipelines.evaluation.comparing import BenchmarkComparison, Difference, EvaluationComparison
from pipelines.evaluation.figures import difference_interval, named, percent, points
from pipelines.evaluation.wording import counted, p_words, power_words
from pipelines.reporting.visible import aligned, one_line

_CELL = 44
"""Columns that a name may take in a terminal."""
_HEAD = ("benchmark", "figure", "of", "before", "after", "points", "95% interval", "p", "p by Holm", "items")


def lines_of(comparison: EvaluationComparison) -> list[str]:
    """Return it for a terminal."""
    lines = [f"{one_line(comparison.old, 2 * _CELL)} -> {one_line(comparison.new, 2 * _CELL)}"]
    lines.append(f"judge: {one_line(comparison.old_judge, _CELL)} -> {one_line(comparison.new_judge, _CELL)}")
    rows = [_row(found, one) for found in comparison.benchmarks for one in found.differences]
    if rows:
        lines += ["", *aligned([_HEAD, *rows], 3), ""]
    for found in comparison.benchmarks:
        lines += [one_line(words, 4 * _CELL) for words in (*_shown(found), *_items(found))]
    return [*lines, *(one_line(words, 4 * _CELL) for words in comparison.not_compared)]


def _row(found: BenchmarkComparison, one: Difference) -> tuple[str, ...]:
    return (
        one_line(found.benchmark, _CELL),
        named(found.figure),
        _of(one),
        percent(one.before),
        percent(one.after),
        points(one.difference),
        difference_interval(one.low, one.high),
        p_words(one.p),
        p_words(one.p_holm),
        f"{found.shared:,}",
    )


def _of(one: Difference) -> str:
    if one.selector == GREEDY:
        return "greedy"
    return "1 sample" if one.k == 1 else f"vote of {one.k}"


def _shown(found: BenchmarkComparison) -> Iterator[str]:
    """Yield in words which differences are shown, and what could have been shown where none is."""
    shown = [one for one in found.differences if one.p_holm <= LEVEL]
    for one in shown:
        yield f"{found.benchmark}, {_of(one)}: the new one is {'better' if one.difference > 0 else 'worse'}"
    if not shown and found.differences:
        could = power_words(min(one.smallest for one in found.differences))
        yield f"{found.benchmark}: no difference is shown over {counted(found.clusters, 'question')}. {could}"


def _items(found: BenchmarkComparison) -> Iterator[str]:
    counts = (
        (found.only_old, "only in the old evaluation"),
        (found.only_new, "only in the new one"),
        (found.changed, "with another question, subset or label under the same id"),
    )
    words = [f"{count:,} {where}" for count, where in counts if count]
    if words:
        yield f"{found.benchmark}: not compared: items {', '.join(words)}"
