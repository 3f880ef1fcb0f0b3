"""A comparison of two versions as people read it: in a terminal, and as Markdown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.reporting.visible import columns, markdown_line, one_line, padded
from schemas.comparison import Comparison, Judged, RubricCounts, Use

_GAP = "  "
_CELL = 44
"""Columns that a name or a revision may take in a terminal."""
_REVISION = 15
"""Characters of a revision that are shown: of a hash, `sha256:` and 8 digits."""
_SMALLEST_SHARE = 0.0005
"""Changes of an outcome's share that people are shown."""


@dataclass(frozen=True, slots=True)
class Part:
    """A table of a comparison, as people are shown it; its cells are texts of data."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def lines_of(comparison: Comparison) -> list[str]:
    """Return it for a terminal."""
    lines = [f"{one_line(comparison.old, 2 * _CELL)} -> {one_line(comparison.new, 2 * _CELL)}"]
    for part in parts(comparison):
        rows = [part.head, *(tuple(one_line(cell, _CELL) for cell in row) for row in part.rows)]
        widths = [max(columns(row[at]) for row in rows) for at in range(len(part.head))]
        named = _names_of(part)
        cells = (
            [padded(cell, width) if at < named else cell.rjust(width) for at, (cell, width) in _both(row, widths)]
            for row in rows
        )
        lines += ["", *(_GAP.join(row).rstrip() for row in cells)]
    return [*lines, *(line for words in _remarks(comparison) for line in ("", words))]


def markdown_of(comparison: Comparison) -> str:
    """Return it as Markdown, for a page."""
    head = f"{markdown_line(comparison.old)} → {markdown_line(comparison.new)}"
    tables = [_markdown_table(part) for part in parts(comparison)]
    return "\n\n".join([head, *tables, *_remarks(comparison)]) + "\n"


def _markdown_table(part: Part) -> str:
    lines = ["| " + " | ".join(part.head) + " |", "|" + " --- |" * len(part.head)]
    return "\n".join([*lines, *("| " + " | ".join(map(markdown_line, row)) + " |" for row in part.rows)])


def parts(comparison: Comparison) -> Iterator[Part]:
    """Yield its tables; those without a row are left out."""
    for head, rows in (
        (("table", "before", "after", "added", "gone"), _table_rows(comparison)),
        (("source", "revision", "rows", "kept", "dropped", "unreadable"), _input_rows(comparison)),
        (("accepted", "before", "after", "new answers"), _acceptance_rows(comparison)),
        (("outcome", "source", "mode", "before", "after"), _outcome_rows(comparison)),
        (("given criteria", "before", "after"), _given_rows(comparison)),
        (("rubrics", "before", "after"), _rubric_rows(comparison)),
        (("leak probe", "of", "before", "after"), _leak_rows(comparison)),
        (("role", "model", "requests", "asked now", "failed", "cost in all"), _use_rows(comparison)),
    ):
        if found := tuple(rows):
            yield Part(head, found)


def _remarks(comparison: Comparison) -> Iterator[str]:
    """Yield what the tables do not show."""
    before, after = (f"version {one}" if one else "one that does not say its version" for one in comparison.readers)
    if comparison.readers[0] != comparison.readers[1]:
        yield (
            f"the reader of judgements has changed, from {before} to {after}: what was accepted before is counted of "
            "the old answers as the reader of today reads them"
        )
    if comparison.relabelled:
        yield f"{comparison.relabelled:,} kept sets have another best response, or another label, than before"


def _table_rows(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    for one in comparison.tables:
        yield one.table, f"{one.before:,}", f"{one.after:,}", f"+{one.added:,}", f"-{one.gone:,}"


def _input_rows(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    for one in comparison.inputs:
        before, after = one.before, one.after
        if before is None or after is None:
            there = before or after
            assert there is not None
            words = "new" if before is None else "gone"
            yield (
                one.source,
                f"{words}: {there.revision[:_REVISION]}",
                *(f"{count:,}" for count in (there.rows, there.kept, there.dropped, there.unreadable)),
            )
        else:
            yield (
                one.source,
                _changed(before.revision[:_REVISION], after.revision[:_REVISION]),
                _counts(before.rows, after.rows),
                _counts(before.kept, after.kept),
                _counts(before.dropped, after.dropped),
                _counts(before.unreadable, after.unreadable),
            )


def _acceptance_rows(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    every = [*comparison.acceptance, *([comparison.overall] if len(comparison.acceptance) > 1 else [])]
    for one in every:
        yield one.source, *(f"{share(part)} of {part.answers:,}" for part in (one.before, one.after, one.new))


def _outcome_rows(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    for one in comparison.outcomes:
        before, after = _ratio(one.before, one.of_before), _ratio(one.after, one.of_after)
        if abs((after or 0.0) - (before or 0.0)) >= _SMALLEST_SHARE:
            yield one.outcome, one.source, one.mode, _percent(before), _percent(after)


def _given_rows(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    for one in comparison.given:
        yield (
            one.source,
            f"{_percent(_ratio(one.before, one.of_before))} of {one.of_before:,} sets",
            f"{_percent(_ratio(one.after, one.of_after))} of {one.of_after:,} sets",
        )


def _rubric_rows(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    for one in comparison.rubrics:
        yield one.source, *(_rubrics_in_words(side) for side in (one.before, one.after))


def _rubrics_in_words(counts: RubricCounts) -> str:
    met = "" if counts.hit_rate is None else f", criteria met by {counts.hit_rate:.1%}"
    return f"{counts.kept:,} kept of {counts.made:,}{met}"


def _leak_rows(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    for one in (leak for leak in comparison.leaks if leak.before is not None or leak.after is not None):
        yield one.source, one.task, _auc(one.before), _auc(one.after)


def _use_rows(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    for one in comparison.models:
        none = Use(0, 0, 0, 0, 0, 0.0)
        before, after = one.before or none, one.after or none
        yield (
            one.role,
            one.model,
            _counts(before.requests, after.requests),
            f"{after.asked:,}",
            _counts(before.failed, after.failed),
            _changed(f"${before.cost_usd:,.4f}", f"${after.cost_usd:,.4f}"),
        )


def share(judged: Judged) -> str:
    """Return the accepted share in words."""
    return _percent(judged.share)


def _names_of(part: Part) -> int:
    """Return how many columns of a table are names, which stand flush left."""
    return next((at for at, name in enumerate(part.head) if name in ("before", "requests", "rows")), len(part.head))


def _both(row: Sequence[str], widths: Sequence[int]) -> Iterator[tuple[int, tuple[str, int]]]:
    return enumerate(zip(row, widths, strict=True))


def _changed(before: str, after: str) -> str:
    return after if before == after else f"{before} -> {after}"


def _counts(before: int, after: int) -> str:
    return _changed(f"{before:,}", f"{after:,}")


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{value:.1%}"


def _auc(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3f}"
