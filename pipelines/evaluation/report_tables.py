"""The tables of an evaluation's page: figures in columns, their intervals drawn on the scale of their table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipelines.evaluation.accuracy import ACCURACY, AUC, GREEDY
from pipelines.evaluation.answer_facts import AnswerFacts
from pipelines.evaluation.attacks import ATTACKED, FLIPPED
from pipelines.evaluation.charts import scale_of
from pipelines.evaluation.curves import VOTING
from pipelines.evaluation.figures import Figures, Value, difference_interval, interval_of, named, percent, points, shown
from pipelines.evaluation.selectors import selector_sizes
from pipelines.evaluation.wording import half_of
from pipelines.reporting.pages import on_scale
from schemas.evaluation_manifest import BenchmarkEntry, EvaluationManifest

MOST_ROWS = 60
"""Rows of one table; the table of figures has all."""


class Column(NamedTuple):
    """Which figure stands in a column."""

    title: str
    kind: str
    """Its class in the style sheet."""
    selector: str
    k: int


class Cell(NamedTuple):
    """A figure in words and where its picture stands, in thousandths of the scale."""

    text: str
    interval: str
    place: str
    low: str
    high: str


class Row(NamedTuple):
    name: str
    items: int
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class FigureTable:
    """Figures by row and column."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    scale: tuple[str, str]
    """What the ends of the pictures' scale are."""
    left_out: int = 0
    """Rows beyond the most that a page shows."""
    zero: str = ""
    """Where 0 stands on the scale of differences."""


def section_columns(manifest: EvaluationManifest) -> tuple[Column, ...]:
    """Return the columns of a benchmark's sections: one sample, half of them, greedy."""
    half = half_of(manifest)
    columns = [Column("1 sample", "one", VOTING, 1)]
    if half > 1:
        columns.append(Column(f"vote of {half}", "half", VOTING, half))
    return (*columns, Column("greedy", "greedy", GREEDY, 1))


def group_columns(manifest: EvaluationManifest) -> tuple[Column, ...]:
    """Return the columns of what kind of judge it is, which is computed for one sample and for all of them."""
    columns = [Column("1 sample", "one", VOTING, 1)]
    return (*columns, *([Column(f"vote of {manifest.k_max}", "half", VOTING, manifest.k_max)] * (manifest.k_max > 1)))


def headline_table(manifest: EvaluationManifest, figures: Figures) -> FigureTable:
    """Return what stands for each benchmark."""
    rows = [
        (entry.name, entry.name, figure) for entry in manifest.benchmarks for figure in figures.headlines(entry.name)
    ]
    return _table(rows, figures, section_columns(manifest), most=len(rows))


def figure_table(
    figures: Figures, benchmark: str, names: Sequence[str], columns: Sequence[Column]
) -> FigureTable | None:
    """Return a table of these figures of a benchmark; None where there is none."""
    rows = [(_group_name(name), benchmark, name) for name in names]
    return _table(rows, figures, columns) if rows else None


def gain_table(figures: Figures, benchmark: str, k: int) -> FigureTable | None:
    """Return where the gain over one sample comes from, at k samples and at the powers of two below."""
    gains = figures.gains(benchmark)
    if not gains:
        return None
    sizes = [size for size in selector_sizes(k) if size > 1]
    kinds = ("readability", "ties", "judgement")
    columns = tuple(Column(kind, kind, f"gain by {kind}", 0) for kind in kinds)
    values = [[gains.get(column.selector, {}).get(size) for column in columns] for size in sizes]
    known = [value for row in values for value in row if value is not None]
    if not known:
        return None
    ends = [end for value in known for end in (value.low, value.high, 0.0) if end is not None]
    low, high = min(ends), max(ends)
    low, high = low - 0.02 * (high - low), high + 0.02 * (high - low) or 0.01
    rows = tuple(
        Row(f"{size} samples", known[0].items, tuple(_difference(value, low, high) for value in row))
        for size, row in zip(sizes, values, strict=True)
    )
    zero = on_scale(-low, high - low)
    return FigureTable(columns, rows, (points(low), points(high)), zero=zero)


def attack_table(figures: Figures, benchmark: str) -> FigureTable | None:
    """Return the accuracy under each attack, and how many right verdicts it flips; None where there was no attack."""
    columns = (
        Column("accuracy under attack", "greedy", ATTACKED, 1),
        Column("right verdicts that flip", "flipped", FLIPPED, 1),
    )
    rows = []
    for attack in figures.attacks(benchmark):
        values = [figures.value(benchmark, f"{column.selector}: {attack}", GREEDY, 1) for column in columns]
        items = next((value.items for value in values if value is not None), 0)
        rows.append(Row(attack, items, tuple(_cell(value, 0.0, 1.0, ACCURACY) if value else None for value in values)))
    return FigureTable(columns, tuple(rows), (percent(0.0), percent(1.0))) if rows else None


class Cost(NamedTuple):
    """What a vote of k samples costs an item, and what it reaches."""

    name: str
    requests: str
    tokens: str
    usd: str
    cell: Cell
    column: Column


class CostTable(NamedTuple):
    """Accuracy beside generated tokens and cost."""

    rows: tuple[Cost, ...]
    scale: tuple[str, str]


def cost_table(
    manifest: EvaluationManifest, figures: Figures, entry: BenchmarkEntry, facts: AnswerFacts
) -> CostTable | None:
    """Return accuracy beside tokens and cost, greedy first; None for verdicts of a file, which took none."""
    if manifest.judge is None or not entry.samples or not entry.items:
        return None
    headline = figures.headline(entry.name)
    prompts = entry.samples / entry.items / manifest.k_max
    tokens, usd = entry.tokens / entry.samples, entry.cost_usd / entry.samples
    greedy_tokens = facts.greedy_tokens / facts.greedy if facts.greedy else 0.0
    greedy_usd = usd / tokens * greedy_tokens if tokens else 0.0
    takes = [(Column("greedy", "greedy", GREEDY, 1), greedy_tokens, greedy_usd)] if facts.greedy else []
    for k in selector_sizes(manifest.k_max):
        name, kind = ("1 sample", "one") if k == 1 else (f"vote of {k}", "half")
        takes.append((Column(name, kind, VOTING, k), tokens * k, usd * k))
    found = [
        (*one, value) for one in takes if (value := figures.value(entry.name, headline, one[0].selector, one[0].k))
    ]
    if not found:
        return None
    low, high = scale_of([end for *_, value in found for end in value[:3] if end is not None], 0.2)
    rows = tuple(
        Cost(
            column.title,
            f"{prompts * column.k:,.4g}",
            f"{prompts * generated:,.0f}" if generated else "–",
            f"${prompts * paid:,.4f}" if paid else "–",
            _cell(value, low, high, headline),
            column,
        )
        for column, generated, paid, value in found
    )
    return CostTable(rows, (percent(low), percent(high)))


def numbers_of(figures: Figures, benchmark: str, figure: str) -> tuple[list[str], list[list[str]]]:
    """Return (selectors, rows) of the figures behind a curve: k, and each selector's figure with its interval."""
    by_name: Mapping[str, dict[int, Value]] = {
        "voting": figures.curve(benchmark, figure),
        "readable only": figures.curve(benchmark, figure, VOTING, "readable"),
        **{name: figures.curve(benchmark, figure, name) for name in (*figures.selectors(benchmark), "pass")},
    }
    shown = {name: curve for name, curve in by_name.items() if curve}
    sizes = sorted({k for curve in shown.values() for k in curve if len(curve) > 1 or k == 1})
    few = [k for k in sizes if k in selector_sizes(sizes[-1])] if sizes else []
    return list(shown), [[str(k), *(_with_interval(curve.get(k)) for curve in shown.values())] for k in few]


def _table(
    rows: Sequence[tuple[str, str, str]], figures: Figures, columns: Sequence[Column], most: int = MOST_ROWS
) -> FigureTable:
    """Return a table of (name, benchmark, figure); a column without any figure is left out."""
    shown_rows = rows[:most]
    values = [
        [figures.value(benchmark, figure, one.selector, one.k) for one in columns]
        for _, benchmark, figure in shown_rows
    ]
    there = [place for place in range(len(columns)) if any(row[place] is not None for row in values)]
    ends = [end for row in values for value in row if value for end in value[:3] if end is not None]
    low, high = scale_of(ends, 0.2) if ends else (0.0, 1.0)
    made = []
    for (name, _, figure), row in zip(shown_rows, values, strict=True):
        items = next((value.items for value in row if value is not None), 0)
        cells = ((row[place], figure) for place in there)
        made.append(Row(name, items, tuple(_cell(value, low, high, of) if value else None for value, of in cells)))
    left_out = len(rows) - len(shown_rows)
    return FigureTable(tuple(columns[place] for place in there), tuple(made), (percent(low), percent(high)), left_out)


def _group_name(figure: str) -> str:
    """Return what a row of a table is called: of "domain: code" the part behind the kind."""
    return named(figure) if figure in (ACCURACY, AUC) or ": " not in figure else figure.partition(": ")[2]


def _cell(value: Value, low: float, high: float, figure: str) -> Cell:
    return _drawn(value, shown(figure, value.value), interval_of(value, figure), low, high)


def _difference(value: Value | None, low: float, high: float) -> Cell | None:
    if value is None:
        return None
    ends = "" if value.low is None or value.high is None else difference_interval(value.low, value.high)
    return _drawn(value, points(value.value), ends, low, high)


def _drawn(value: Value, text: str, ends: str, low: float, high: float) -> Cell:
    first = value.value if value.low is None else value.low
    last = value.value if value.high is None else value.high
    place, start, end = (on_scale(part - low, high - low) for part in (value.value, first, last))
    return Cell(text, ends, place, start, end)


def _with_interval(value: Value | None) -> str:
    if value is None:
        return "–"
    ends = interval_of(value)
    return percent(value.value) + (f" ({ends})" if ends else "")
