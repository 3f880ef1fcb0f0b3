"""A comparison of two versions as people read it: in a terminal, and as Markdown."""

from collections.abc import Iterator

from pipelines.reporting.visible import aligned, markdown_line, one_line
from schemas.comparison import (
    Comparison,
    InputChange,
    OutcomeChange,
    RubricCounts,
    Use,
    UseChange,
)

_CELL = 44
"""Columns that a name or a revision may take in a terminal."""
_REVISION = 15
"""Characters of a revision that are shown: of a hash, `sha256:` and 8 digits."""
_SMALLEST_SHARE = 0.0005
"""Smaller changes of an outcome's share are not shown."""
_Row = tuple[str, ...]
_Part = tuple[_Row, tuple[_Row, ...]]
"""A table of a comparison, as people see it: its head, and rows whose cells are texts of data."""


def lines_of(comparison: Comparison) -> list[str]:
    """Return it for a terminal."""
    lines = [f"{one_line(comparison.old, 2 * _CELL)} -> {one_line(comparison.new, 2 * _CELL)}"]
    for head, cells in parts(comparison):
        rows = [head, *(tuple(one_line(cell, _CELL) for cell in row) for row in cells)]
        # What stands before the first count are names.
        names = next((n for n, name in enumerate(head) if name in ("before", "requests", "rows")), len(head))
        lines += ["", *aligned(rows, names)]
    return [*lines, *(line for words in _remarks(comparison) for line in ("", words))]


def markdown_of(comparison: Comparison) -> str:
    """Return it as Markdown, for a page."""
    head = f"{markdown_line(comparison.old)} → {markdown_line(comparison.new)}"
    return "\n\n".join([head, *[_markdown_table(*part) for part in parts(comparison)], *_remarks(comparison)]) + "\n"


def _markdown_table(head: _Row, rows: tuple[_Row, ...]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(map(markdown_line, row)) + " |" for row in rows)])


def parts(comparison: Comparison) -> Iterator[_Part]:
    """Yield its tables; those without a row are left out."""
    overall = [comparison.overall] if len(comparison.acceptance) > 1 else []
    for head, rows in (
        (
            ("table", "before", "after", "added", "gone"),
            (
                (change.table, f"{change.before:,}", f"{change.after:,}", f"+{change.added:,}", f"-{change.gone:,}")
                for change in comparison.tables
            ),
        ),
        (("source", "revision", "rows", "kept", "dropped", "unreadable"), map(_input_row, comparison.inputs)),
        (
            ("accepted", "before", "after", "new answers"),
            (
                (change.source, *(f"{percent(judged.share)} of {judged.answers:,}" for judged in counts))
                for change in (*comparison.acceptance, *overall)
                for counts in [(change.before, change.after, change.new)]
            ),
        ),
        (("outcome", "source", "mode", "before", "after"), filter(None, map(_outcome_row, comparison.outcomes))),
        (
            ("given criteria", "before", "after"),
            (
                (change.source, _of_sets(change.before, change.of_before), _of_sets(change.after, change.of_after))
                for change in comparison.given
            ),
        ),
        (
            ("rubrics", "before", "after"),
            ((change.source, _made(change.before), _made(change.after)) for change in comparison.rubrics),
        ),
        (
            ("leak probe", "of", "before", "after"),
            (
                (change.source, change.task, _auc(change.before), _auc(change.after))
                for change in comparison.leaks
                if change.before is not None or change.after is not None
            ),
        ),
        (("role", "model", "requests", "asked now", "failed", "cost in all"), map(_use_row, comparison.models)),
    ):
        if cells := tuple(rows):
            yield head, cells


def _remarks(comparison: Comparison) -> Iterator[str]:
    """Yield what the tables do not show."""
    if comparison.readers[0] != comparison.readers[1]:
        before, after = (
            f"version {reader}" if reader else "one that does not say its version" for reader in comparison.readers
        )
        yield (
            f"the reader of judgements has changed, from {before} to {after}: what was accepted before is counted of "
            "the old answers as the reader of today reads them"
        )
    if comparison.relabelled:
        yield f"{comparison.relabelled:,} kept sets have another best response, or another label, than before"


def _input_row(change: InputChange) -> tuple[str, ...]:
    before, after = change.before or change.after, change.after or change.before
    assert before is not None and after is not None
    revision = _changed(before.revision[:_REVISION], after.revision[:_REVISION])
    words = "new: " if change.before is None else "gone: " if change.after is None else ""
    counts = (
        _counts(getattr(before, name), getattr(after, name)) for name in ("rows", "kept", "dropped", "unreadable")
    )
    return change.source, f"{words}{revision}", *counts


def _outcome_row(change: OutcomeChange) -> tuple[str, ...]:
    """Return nothing for a share that hardly moved."""
    before, after = _ratio(change.before, change.of_before), _ratio(change.after, change.of_after)
    if abs((after or 0.0) - (before or 0.0)) < _SMALLEST_SHARE:
        return ()
    return change.outcome, change.source, change.mode, percent(before), percent(after)


def _of_sets(given: int, sets: int) -> str:
    return f"{percent(_ratio(given, sets))} of {sets:,} sets"


def _made(counts: RubricCounts) -> str:
    met = "" if counts.hit_rate is None else f", criteria met by {counts.hit_rate:.1%}"
    return f"{counts.kept:,} kept of {counts.made:,}{met}"


def _use_row(change: UseChange) -> tuple[str, ...]:
    none = Use(0, 0, 0, 0, 0, 0.0)
    before, after = change.before or none, change.after or none
    return (
        change.role,
        change.model,
        _counts(before.requests, after.requests),
        f"{after.asked:,}",
        _counts(before.failed, after.failed),
        _changed(f"${before.cost_usd:,.4f}", f"${after.cost_usd:,.4f}"),
    )


def _changed(before: str, after: str) -> str:
    return after if before == after else f"{before} -> {after}"


def _counts(before: int, after: int) -> str:
    return _changed(f"{before:,}", f"{after:,}")


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def percent(share: float | None) -> str:
    """Return a share in words."""
    return "none" if share is None else f"{share:.1%}"


def _auc(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3f}"
